import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runInNewContext } from "node:vm";
import ts from "typescript";
import { InvalidVariables, importTfvars } from "../../../cli/deployment/tfvars";
import { type Environment, loadConfig } from "../../../config";
import { madeIn } from "../../setup/dev";

const original = "__tests__/fixtures/original.tfvars";
const password = "placeholder-Passw0rd";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tfvars-"));
});
afterAll(() => rm(folder, { recursive: true }));

function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const importFile = (file: string) => run("cli/offline-inference.mjs", "import-tfvars", file);

async function written(content: string, name = "terraform.tfvars") {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
}

/** The faults of what a file of this name would hold, as the command prints them. */
async function faultsOf(content: string, name?: string): Promise<string> {
  const error: unknown = await importTfvars(await written(content, name)).catch((reason: unknown) => reason);
  if (!(error instanceof InvalidVariables)) throw new Error("the file was accepted");
  return error.message.replaceAll(`${folder}/`, "");
}

/** The original's file with other values, each as HCL writes it; a variable without one is left out. */
async function changed(values: Record<string, string | undefined>) {
  const lines = (await readFile(original, "utf8")).split("\n").map((line) => {
    const name = line.split(/\s*=/, 1)[0] ?? "";
    return name in values ? (values[name] === undefined ? "" : `${name} = ${values[name]}`) : line;
  });
  return lines.join("\n");
}

/** config.ts with the printed settings in the place of its own. */
async function pasted(stdout: string) {
  const config = await readFile("config.ts", "utf8");
  const edited = config.replace(/const ours: Settings = \{.*?\n\};\n/s, () => stdout);
  if (edited === config) throw new Error("config.ts has no settings to paste over");
  return edited;
}

/** What the printed settings lead to. */
function environmentOf(stdout: string, name = "dev"): Environment {
  const javascript = ts.transpile(`${stdout} ours`, { target: ts.ScriptTarget.ES2023 });
  const environment = loadConfig(runInNewContext(javascript), {}).environments[name];
  if (environment === undefined) throw new Error(`no environment ${name}`);
  return environment;
}

/** The errors that the compiler finds in another config.ts. */
function compile(config: string): string[] {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile("tsconfig.json", ts.sys.readFile).config,
    ts.sys,
    ".",
  );
  const host = ts.createCompilerHost(options);
  const path = resolve("config.ts");
  const { readFile } = host;
  host.readFile = (file) => (resolve(file) === path ? config : readFile(file));
  const program = ts.createProgram([path], options, host);
  const diagnostics = ts.getPreEmitDiagnostics(program, program.getSourceFile(path));
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

const warningsIn = (stderr: string) =>
  new Map([...stderr.matchAll(/^ {2}(\w+): (.*)$/gm)].map(([, name = "", warning = ""]) => [name, warning]));

describe("the original's own variables", () => {
  let imported: Awaited<ReturnType<typeof importFile>>;
  beforeAll(async () => {
    imported = await importFile(original);
  });

  test("become settings that hold just what is no default", () => {
    expect(imported.status).toBe(0);
    expect(imported.stdout).toBe(`const ours: Settings = {
  project: "ai-deployment-bootcamp",
  owner: "test@test.com",
  prefix: "poc",
  region: "us-east-1",
  profile: "sagemaker",
  stateBucket: "${loadConfig().shared.stateBucket}",
  environments: {
    dev: {
      takeOver: true,
      model: {
        artifact: {
          bucket: "sagemaker-us-east-1-025066243062",
        },
      },
    },
  },
};
`);
  });

  test("lead to the names that are deployed", () => {
    const { network, features, model, inference, warehouse, api, ...environment } = madeIn(
      environmentOf(imported.stdout),
    );
    expect(environment).toMatchObject({
      takeOver: true,
      tags: { Project: "ai-deployment-bootcamp", Owner: "test@test.com" },
    });
    expect({
      aws_vpc: network.name,
      aws_sagemaker_feature_group: features.groupName,
      aws_sagemaker_model: model.modelName,
      aws_sagemaker_endpoint_configuration: model.endpointConfigurationName,
      variant: model.variantName,
      aws_sagemaker_endpoint: model.endpointName,
      artifact: `s3://${model.artifact.bucket}/${model.artifact.key}`,
      aws_lambda_function: inference.functionName,
      aws_sqs_queue: inference.queueName,
      aws_redshift_cluster: warehouse.clusterIdentifier,
      aws_redshift_subnet_group: warehouse.subnetGroupName,
      master_username: warehouse.adminUsername,
      port: warehouse.port,
      database: warehouse.databaseName,
      aws_api_gateway_rest_api: api.name,
      description: api.description,
      stage: api.stageName,
    }).toEqual({
      aws_vpc: "poc-dev-paraphrase-bert-vpc",
      aws_sagemaker_feature_group: "poc-dev-paraphrase-feature-group",
      aws_sagemaker_model: "poc-dev-paraphrase-bert-en-tf",
      aws_sagemaker_endpoint_configuration: "poc-dev-paraphrase-bert-en-conf-tf",
      variant: "paraphrase-bert-en-conf",
      aws_sagemaker_endpoint: "poc-dev-paraphrase-bert-en-endpoint",
      artifact: "s3://sagemaker-us-east-1-025066243062/bert-seq-classification/traced_model.tar.gz",
      aws_lambda_function: "poc-dev-bert-paraphrase-tf",
      aws_sqs_queue: "poc-dev-inference_queue",
      aws_redshift_cluster: "poc-dev-paraphrase-redshift-cluster",
      aws_redshift_subnet_group: "poc-dev-redshift-subnet-group",
      master_username: "admin",
      port: 5439,
      database: "predictions",
      aws_api_gateway_rest_api: "poc-dev-paraphrase-bert-rest-api",
      description: "API for paraphrase-bert-en",
      stage: "dev",
    });
  });

  test("compile where they are pasted", async () => {
    const config = await pasted(imported.stdout);
    expect(compile(`${config}ours.wrong;`)).toEqual(["Property 'wrong' does not exist on type 'Settings'."]);
  });

  test("come with a warning for everything that changes", () => {
    const warnings = warningsIn(imported.stderr);
    expect([...warnings.keys()]).toEqual([
      "sagemaker_model_name",
      "sagemaker_endpoint_conf_name",
      "sagemaker_container_repo_url",
      "sagemaker_model_data_s3_url",
      "master_password",
      "stateBucket",
    ]);
    expect(warnings.get("sagemaker_model_name")).toMatch(
      /^was "paraphrase-bert-en-tf"; becomes poc-dev-paraphrase-bert-en-tf-<release>: /,
    );
    expect(warnings.get("sagemaker_container_repo_url")).toMatch(/pytorch-inference:1\.9\.0-cpu.*"; left out, /);
    expect(warnings.get("sagemaker_model_data_s3_url")).toMatch(/was not traced for ml\.inf1\.xlarge$/);
    expect(warnings.get("master_password")).toMatch(
      /^neither carried nor shown\. AWS makes .* Secrets Manager\. .* leaked/,
    );
    expect(warnings.get("stateBucket")).toContain(loadConfig().shared.stateBucket);
  });

  test("leave the password behind", () => {
    expect(imported.stdout + imported.stderr).not.toContain(password);
  });

  test("are read by npx offline-inference too", async () => {
    expect(await run("cli/offline-inference.mjs", "import-tfvars", original)).toEqual(imported);
  });
});

test("names and settings of one's own are carried", async () => {
  const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ours:7";
  const file = await written(
    await changed({
      project: '"reviews"',
      contact: '"team@example.com"',
      prefix: '"acme"',
      infra_env: '"prod-2"',
      region: '"eu-west-1"',
      default_profile: '"acme"',
      sagemaker_model_name: '"m"',
      sagemaker_model_mode: '"MultiModel"',
      sagemaker_model_data_s3_url: '"s3://acme-models/a/b.tar.gz"',
      sagemaker_container_repo_url: `"${image}"`,
      sagemaker_model_instance_type: '"ml.c5.xlarge"',
      sagemaker_model_instance_count: '"3"',
      sagemaker_endpoint_name: '"e"',
      sagemaker_endpoint_conf_name: '"c"',
      sagemaker_endpoint_conf_variant_name: '"v"',
      vpc_name: '"n"',
      rest_api_name: '"a"',
      rest_api_description: '"\\"A\\" of $${x} and %%{y}"',
      feature_group_name: '"f"',
      master_username: '"root"',
      db_name: '"d"',
      db_port: "6000",
    }),
  );
  const { status, stdout, stderr } = await importFile(file);
  expect(status).toBe(0);
  const { network, features, model, warehouse, api, tags } = madeIn(environmentOf(stdout, "prod-2"));
  expect(tags).toMatchObject({ Project: "reviews", Owner: "team@example.com", Environment: "prod-2" });
  expect(stdout).toContain('region: "eu-west-1"');
  expect(stdout).toContain('profile: "acme"');
  expect(network.name).toBe("acme-prod-2-n");
  expect(features.groupName).toBe("acme-prod-2-f");
  expect(model).toMatchObject({
    modelName: "acme-prod-2-m",
    endpointConfigurationName: "acme-prod-2-c",
    endpointName: "acme-prod-2-e",
    variantName: "v",
    instanceType: "ml.c5.xlarge",
    instanceCount: 3,
    image,
    artifact: { bucket: "acme-models", key: "a/b.tar.gz" },
  });
  expect(warehouse).toMatchObject({ adminUsername: "root", databaseName: "d", port: 5439 });
  expect(api).toMatchObject({ name: "acme-prod-2-a", description: '"A" of ${x} and %{y}', stageName: "dev" });

  const warnings = warningsIn(stderr);
  expect(warnings.get("sagemaker_container_repo_url")).toBeUndefined();
  expect(warnings.get("sagemaker_model_mode")).toContain('was "MultiModel"; left out');
  expect(warnings.get("db_port")).toContain("was 6000; left out: the original's cluster listens on 5439 all the same");
  expect(warnings.get("infra_env")).toContain('was "prod-2"; the API\'s stage stays "dev"');
});

test("an image of the instance's family is carried, and so is an artifact that went with it", async () => {
  const image =
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference-neuron:1.12.1-neuron-py38-sdk2.9.1-ubuntu20.04";
  const { typescript, warnings } = await importTfvars(
    await written(await changed({ sagemaker_container_repo_url: `"${image}"` })),
  );
  expect(environmentOf(typescript).model.image).toBe(image);
  expect(warnings.join("\n")).not.toContain("sagemaker_container_repo_url");
  expect(warnings.join("\n")).not.toContain("was not traced for");
});

test("what the original has defaults for may be missing, and so may the password", async () => {
  const missing = ["contact", "region", "sagemaker_model_mode", "sagemaker_model_instance_type"];
  const names = [...missing, "sagemaker_model_instance_count", "db_port", "master_password"];
  const fewer = await written(await changed(Object.fromEntries(names.map((name) => [name, undefined]))));
  const all = await importTfvars(original);
  expect(await importTfvars(fewer)).toEqual({
    typescript: all.typescript,
    warnings: all.warnings.filter((warning) => !warning.startsWith("master_password: ")),
  });
});

test("JSON is read as well, in which nothing is an expression", async () => {
  const lines = (await changed({ rest_api_description: '"is"' })).split("\n").filter((line) => /^\w/.test(line));
  const values = lines.map((line) => `"${line.split(/\s*=/, 1)}": ${line.slice(line.indexOf("=") + 1)}`);
  const json = `{${values.join(",")}}`.replace('"is"', '"is ${x}"');
  const { typescript } = await importTfvars(await written(json, "terraform.tfvars.json"));
  expect(environmentOf(typescript).api.description).toBe("is ${x}");
});

test("a variable that the original does not have is named, with the one that was meant", async () => {
  const text = `${await changed({})}\nregoin = "eu-west-1"\nmaster_pasword = "${password}"\nother = { a = 1 }\n`;
  const { typescript, warnings } = await importTfvars(await written(text));
  expect(warnings.slice(-3)).toEqual([
    "master_pasword: left out, for the original has no such variable; did you mean master_password?",
    "other: left out, for the original has no such variable",
    "regoin: left out, for the original has no such variable; did you mean region?",
  ]);
  expect([typescript, ...warnings].join("\n")).not.toContain(password);
});

test("all that is wrong is told at once, by the variable's name and the field's path", async () => {
  const file = await written(
    `${await changed({
      project: "[1]",
      prefix: '"Poc"',
      default_profile: undefined,
      contact: '"${var.me}"',
      vpc_name: `<<EOT\nmaster_password = "${password}"\nEOT`,
      rest_api_name: "true",
      feature_group_name: "null",
      sagemaker_model_instance_type: '"g4dn.xlarge"',
      sagemaker_model_instance_count: "1 + var.more",
      sagemaker_model_data_s3_url: '"https://example.com/model.tar.gz"',
      db_port: '"standard"',
      db_name: '"Predictions"',
    })}\nother = 1`,
  );
  const { status, stdout, stderr } = await importFile(file);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr.split("\n").map((line) => line.split(/; (?!did)/)[0])).toEqual([
    `${file} has 13 problems:`,
    "  project: got a list",
    "  contact: got an expression",
    "  default_profile: got nothing, and the original has no default for it",
    "  vpc_name: got a text of several lines",
    "  feature_group_name: got null",
    "  sagemaker_model_instance_count: got an expression",
    '  sagemaker_model_data_s3_url: got "https://example.com/model.tar.gz"',
    "  db_port: got a text",
    "  rest_api_name: got a boolean",
    '  prefix: got "Poc"',
    '  sagemaker_model_instance_type (environments.dev.model.instanceType): got "g4dn.xlarge"',
    '  db_name (environments.dev.warehouse.databaseName): got "Predictions"',
    "  other: left out, for the original has no such variable",
    "",
  ]);
  expect(stderr).not.toContain(password);
});

test("an environment's name that may be none is told by its variable", async () => {
  expect(await faultsOf(await changed({ infra_env: '"Dev Two"' }))).toContain(
    'infra_env (environments["Dev Two"]): got "Dev Two"; allowed: 1 to 30 characters',
  );
});

describe("a file that cannot be read", () => {
  test("is told without a word of what stands there, and ends with 1", async () => {
    const file = await written(`master_password = "%{ ${password} }"`);
    expect(await importFile(file)).toEqual({
      status: 1,
      stdout: "",
      stderr: `${file} has 1 problem:\n  ${file}:1:23: Invalid template control keyword\n`,
    });
  });

  test.each([
    ["is not closed", `master_password = "${password}\n`, "terraform.tfvars:1:40: Invalid multi-line string"],
    ["has no quotes", `master_password = ${password} x`, "terraform.tfvars:1:40: Missing newline after argument"],
    ["is set twice", `${password} = 1\n${password} = 2`, "terraform.tfvars:2:1: Attribute redefined"],
    ["is escaped wrongly", `master_password = "\\${password}"`, "terraform.tfvars:1:20: Invalid escape sequence"],
  ])("is told by line and column where the password %s", async (_case, content, fault) => {
    const faults = await faultsOf(content);
    expect(faults.split("\n")).toContain(`  ${fault}`);
    expect(faults).not.toContain(password);
  });

  test.each([
    ["it is not JSON", `{ "master_password": ${password} }`],
    ["the file is a list; allowed: an object", `["${password}"]`],
  ])("is told so: %s", async (fault, content) => {
    expect(await faultsOf(content, "terraform.tfvars.json")).toBe(`terraform.tfvars.json has 1 problem:\n  ${fault}`);
  });

  test("is told to be missing", async () => {
    const file = join(folder, "none.tfvars");
    await expect(importTfvars(file)).rejects.toThrow(new Error(`cannot read ${file}: there is no such file`));
  });
});
