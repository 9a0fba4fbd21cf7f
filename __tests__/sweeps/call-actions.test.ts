import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Testing } from "cdktf";
import { actionsFor, servicePermissions } from "../../aws/call-actions";
import { loadConfig, type Settings } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { StateStack } from "../../stacks/state-stack";
import { CallGraph } from "../setup/aws-calls";
import { allows, lacking, spare } from "../setup/iam-actions";
import { bastionPolicy, erasurePolicy, operatorPolicy } from "../setup/operator-policy";
import { keyArn, stateStackWithGitHub } from "../setup/stacks";
import { attachedStatementsOf, resourcesOf, statementsOf } from "../setup/synth";

const functions = ["worker", "loader", "starter", "writer", "schema", "api"];
const entryOf = (name: string) => `lambda-src/${name}/index.ts`;
const graph = new CallGraph([...functions.map(entryOf), "cli/main.ts"]);

/** What calls need, by the table. */
const needsOf = (calls: Iterable<string>) => [...new Set([...calls].flatMap((call) => actionsFor(call) ?? [call]))];

const folders = ["lambda-src", "pipeline", "cli"];
const named = graph.namedIn(folders);

test("no call in the code is overlooked, however its command is imported", () => {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((file) =>
      file.endsWith(".ts") ? [readFileSync(join(folder, file), "utf8")] : [],
    ),
  );
  const written = files.flatMap((text) => [...text.matchAll(/\bnew (\w+)Command\(|\bpaginate(\w+)\(/g)]);
  const operations = new Set(written.map(([, command, pages]) => command ?? pages ?? ""));
  const known = new Set([...named].map((call) => call.split(":")[1]));
  expect([...operations].filter((operation) => !known.has(operation))).toEqual([]);
});

test("every call in the code is one whose actions were looked up at AWS", () => {
  expect(named.size).toBeGreaterThan(40);
  expect([...named].filter((call) => actionsFor(call) === undefined)).toEqual([]);
});

test("every call in the code is made by some function or command, so that none is passed over", () => {
  const reached = new Set([...functions.map(entryOf), "cli/main.ts"].flatMap((file) => [...graph.reachedFrom(file)]));
  expect([...named].filter((call) => !reached.has(call))).toEqual([]);
});

test("writing many records at once needs what writing one does", () => {
  expect(actionsFor("sagemaker:BatchWriteRecord")).toEqual(["sagemaker:BatchWriteRecord", "sagemaker:PutRecord"]);
});

describe("a role", () => {
  const stackOf = (environment: Settings["environments"][string]) => {
    const { shared, environments } = loadConfig({
      project: "predictions",
      owner: "team@example.com",
      prefix: "poc",
      region: "us-east-1",
      stateBucket: "team-state",
      kmsKeyArn: keyArn("shared"),
      environments: { test: environment },
    });
    if (environments.test === undefined) throw new Error("no environment test");
    return Testing.synth(new InferenceStack(Testing.app(), "inference-test", shared, environments.test));
  };
  const own = stackOf({
    model: {
      instanceType: "ml.c7i.xlarge",
      dataCapture: { s3Uri: "s3://team-samples/captured", samplingPercentage: 10 },
    },
    features: { offlineStoreS3Uri: "s3://team-features/offline" },
    warehouse: { hours: { from: 8, to: 18 } },
  });
  const state = Testing.synth(
    new StateStack(Testing.app(), "state", { ...loadConfig().shared, kmsKeyArn: keyArn("shared") }),
  );
  const existing = stackOf({ model: { endpoint: { existing: "theirs" } }, features: false });

  /** What a role is used for: the calls of a function's code, and what services do in it. */
  interface Use {
    readonly code?: string;
    readonly services: readonly (keyof typeof servicePermissions)[];
  }
  const uses: Record<string, Use> = {
    inference_worker_role: { code: "worker", services: ["log", "deliverFromQueue", "encrypt"] },
    loading_loader_role: { code: "loader", services: ["log", "encrypt", "lendKey"] },
    writing_writer_role: { code: "writer", services: ["log", "encrypt", "lendKey"] },
    warehouse_schema_role: { code: "schema", services: ["log", "lendKey"] },
    api_handler_role: { code: "api", services: ["log", "encrypt", "lendKey"] },
    loading_schedule_role: { services: ["invokeBySchedule"] },
    starting_starter_role: { code: "starter", services: ["log", "encrypt"] },
    starting_schedule_role: { services: ["invokeBySchedule"] },
    writing_schedule_role: { services: ["invokeBySchedule"] },
    warehouse_hours_role: { services: ["pauseBySchedule"] },
    warehouse_copy_role: { services: ["copy", "decrypt"] },
    warehouse_unload_role: { services: ["unload", "encrypt"] },
    model_execution_role: { services: ["serveModel", "rollBack", "captureData", "decrypt"] },
    features_role: { services: ["writeOfflineStore"] },
    model_compilation_role: { services: ["compileModel", "runJob", "encrypt"] },
    api_gateway_logging_role: { services: [] }, // it has AWS's own policy for this
  };

  test.each([
    // What only the other of two kinds of environment calls.
    ["of an environment with an endpoint of its own", own, ["sagemaker:DescribeEndpoint"]],
    ["of an environment with an endpoint that exists, and no features", existing, ["sagemaker:BatchGetRecord"]],
    ["of the state stack", state, []],
  ])("%s may do what it is used for, and nothing else", (_, json, unused) => {
    const resources = resourcesOf(json);
    const roles = resources.filter(({ type, attributes }) => type === "aws_iam_role" && attributes.path === undefined);
    expect(roles.length).toBeGreaterThan(0);
    const faults = roles.flatMap(({ address }) => {
      const name = address.replace("aws_iam_role.", "");
      const use = uses[name];
      // A role that shows up here is new: say what it is used for.
      if (use === undefined) throw new Error(`nothing is said of the role ${name}`);
      const calls = use.code === undefined ? [] : [...graph.reachedFrom(entryOf(use.code))];
      const needs = [
        ...needsOf(calls.filter((call) => !unused.includes(call))),
        ...use.services.flatMap((service) => servicePermissions[service]),
      ];
      const allowed = resources
        .filter(({ type, attributes }) => type === "aws_iam_role_policy" && attributes.role === `\${${address}.name}`)
        .flatMap(({ attributes }) => statementsOf(attributes.policy))
        .flatMap(({ Action }) => Action);
      const fault = { name, lacking: lacking(allowed, needs), spare: spare(allowed, needs) };
      return fault.lacking.length + fault.spare.length > 0 ? [fault] : [];
    });
    expect(faults).toEqual([]);
  });

  test.each([
    ["plan", "cli/deployment/diff.ts", "diffCommand"],
    ["deploy_dev", "cli/deployment/deploy.ts", "deployCommand"],
    ["deploy_dev", "cli/deployment/pause.ts", "pauseCommand"],
    ["deploy_dev", "cli/deployment/pause.ts", "resumeCommand"],
  ])("of GitHub's to %s may make the calls of the command that its workflow runs", (role, file, command) => {
    const statements = attachedStatementsOf(stateStackWithGitHub(), `aws_iam_role.github_${role}_role`);
    const needs = needsOf(graph.reachedFrom(file, command));
    expect(needs.filter((need) => !allows(statements, need))).toEqual([]);
  });
});

describe("the documentation names what a command needs, and nothing else:", () => {
  const commands: Record<string, [file: string, name: string, without?: string[]]> = {
    status: ["cli/status/status.ts", "statusCommand"],
    logs: ["cli/logs/logs.ts", "logsCommand"],
    results: ["cli/results/results.ts", "resultsCommand"],
    "features ingest": ["cli/features/features.ts", "featuresCommand"],
    report: ["cli/results/report.ts", "reportCommand"],
    "requests publish": ["cli/requests/requests.ts", "requestsCommand"],
    failed: ["cli/failures/failed.ts", "failedCommand", ["redriveCommand"]],
    "failed redrive": ["cli/failures/failed.ts", "redriveCommand"],
    job: ["cli/jobs/job.ts", "jobCommand"],
    run: ["cli/jobs/run.ts", "runCommand"],
  };

  test("its table has these commands", async () => {
    expect((await operatorPolicy()).commands).toEqual(["all", ...Object.keys(commands)]);
  });

  test.each(Object.entries(commands))("%s", async (command, [file, name, without]) => {
    const { namedFor, ownOf } = await operatorPolicy();
    const needs = needsOf(graph.reachedFrom(file, name, without));
    expect({ lacking: lacking(namedFor(command), needs), spare: spare(ownOf(command), needs) }).toEqual({
      lacking: [],
      spare: [],
    });
  });

  test("doctor, beside what status needs", async () => {
    const { namedFor, section } = await operatorPolicy();
    const needs = needsOf(graph.reachedFrom("cli/deployment/doctor.ts", "doctorCommand"));
    const said = section("What is missing: `doctor`");
    expect(lacking([...namedFor("status"), ...said], needs)).toEqual([]);
    expect(spare(said, needs)).toEqual([]);
  });

  test("erase, as the policy for it has them", async () => {
    const needs = needsOf(graph.reachedFrom("cli/features/erase.ts", "eraseCommand"));
    const allowed = (await erasurePolicy()).flatMap(({ Action }) => Action);
    expect({ lacking: lacking(allowed, needs), spare: spare(allowed, needs) }).toEqual({ lacking: [], spare: [] });
  });

  test("warehouse connect, with what the programs call that it starts or names, as the policy for it has them", async () => {
    const byPrograms = ["ec2-instance-connect:OpenTunnel", "redshift:GetClusterCredentials"];
    const needs = needsOf([...graph.reachedFrom("cli/warehouse/warehouse.ts", "warehouseCommand"), ...byPrograms]);
    const allowed = (await bastionPolicy()).flatMap(({ Action }) => Action);
    expect({ lacking: lacking(allowed, needs), spare: spare(allowed, needs) }).toEqual({ lacking: [], spare: [] });
  });

  test("pause and resume, beside what Terraform and deploy need", async () => {
    const { namedFor, section } = await operatorPolicy();
    const of = (file: string, name: string) => needsOf(graph.reachedFrom(`cli/deployment/${file}.ts`, name));
    const deploying = of("deploy", "deployCommand");
    const needs = [...of("pause", "pauseCommand"), ...of("pause", "resumeCommand")];
    const said = section("A pause: `pause` and `resume`");
    const all = [...namedFor("all"), ...said];
    expect(needs.filter((need) => !deploying.includes(need) && lacking(all, [need]).length > 0)).toEqual([]);
    expect(spare(said, needs)).toEqual([]);
  });

  test("destroy, beside what Terraform needs", async () => {
    const { section } = await operatorPolicy();
    const needs = needsOf(graph.reachedFrom("cli/deployment/destroy.ts", "destroyCommand"));
    const said = section("The end of an environment: `destroy`");
    expect({ lacking: lacking(said, needs), spare: spare(said, needs) }).toEqual({ lacking: [], spare: [] });
  });
});
