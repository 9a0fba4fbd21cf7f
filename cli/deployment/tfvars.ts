import { readFile } from "node:fs/promises";
import { parse } from "@cdktf/hcl2json";
import { z } from "zod";
import { familyOf } from "../../aws/instance-types";
import { imageFamilyOf } from "../../aws/model-images";
import { ConfigError, loadConfig, type Shared } from "../../config";
import { distance } from "../../config/faults";
import { readConfig } from "../../config/schema";

/** The variables cannot be taken over. The message names every fault, a line each, and never the password. */
export class InvalidVariables extends Error {
  override readonly name = "InvalidVariables";

  constructor(file: string, faults: readonly string[]) {
    super([`${file} has ${faults.length} ${faults.length === 1 ? "problem" : "problems"}:`, ...faults].join("\n  "));
  }
}

/** What becomes of the original's variables. */
export interface ImportedVariables {
  /** The settings as TypeScript, to be pasted into config.ts. */
  readonly typescript: string;
  /** What changes and why, a line each. */
  readonly warnings: readonly string[];
}

/** What Terraform would evaluate, as the parser gives it. Doubled, `$${` and `%%{` are text. */
const expression = /(?<!\$)\$\{|(?<!%)%\{/;

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value !== "string") return `a ${typeof value}`;
  return expression.test(value) ? "an expression" : `a text${/[\r\n]/.test(value) ? " of several lines" : ""}`;
}

// What is not what it should be is named by its kind alone: a quote in the wrong place, and the password is in it.
const refuse =
  (allowed: string) =>
  ({ input }: { input?: unknown }) =>
    input === undefined
      ? "got nothing, and the original has no default for it"
      : `got ${kindOf(input)}; allowed: ${allowed}`;

const literal = { error: refuse("a text of one line in double quotes") };
const text = z
  .string(literal)
  .refine((value) => !expression.test(value) && !/[\r\n]/.test(value), literal)
  .transform((value) => value.replace(/([$%])\1\{/g, "$1{"));

/** Terraform takes a number in quotes, too. */
const number = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error: refuse("a number") });

const s3Url = /^s3:\/\/([^/]+)\/(.+)$/;

/** The original's variables. What it has a default for may be missing. */
const variables = z.object({
  project: text,
  contact: text.default("test@test.com"),
  prefix: text,
  region: text.default("us-east-1"),
  default_profile: text,
  infra_env: text,
  vpc_name: text,
  feature_group_name: text,
  sagemaker_model_name: text,
  sagemaker_endpoint_conf_name: text,
  sagemaker_endpoint_name: text,
  sagemaker_endpoint_conf_variant_name: text,
  sagemaker_model_instance_type: text.default("ml.inf1.xlarge"),
  sagemaker_model_instance_count: number.default(1),
  sagemaker_model_mode: text.default("SingleModel"),
  sagemaker_container_repo_url: text,
  sagemaker_model_data_s3_url: text.refine((url) => s3Url.test(url), {
    error: ({ input }) => `got ${JSON.stringify(input)}; allowed: s3://<bucket>/<key>`,
  }),
  db_name: text,
  db_port: number.default(5439),
  master_username: text,
  master_password: z.unknown().optional(),
  rest_api_name: text,
  rest_api_description: text,
});

/** Those that have no fault. */
type Variables = Partial<z.output<typeof variables>>;

/** A field of the settings, and the variable that it comes from. */
interface Field {
  readonly variable?: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** What is wrong, and with which variable. */
interface Fault {
  readonly variable?: string;
  readonly message: string;
}

/**
 * Turns the original's variables file into the settings of an environment that takes its deployment over.
 * @throws InvalidVariables with every fault there is
 */
export async function importTfvars(file: string): Promise<ImportedVariables> {
  const given = await readVariables(file);
  const { values, faults } = check(given);
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(variables.shape, name));
  const { shared } = loadConfig();

  const { required, optional } = fieldsOf(values, shared);
  const fields = [...required, ...optional];
  const config = configOf(fields);
  if (config instanceof ConfigError) {
    const told = faults.map(({ variable }) => variable);
    const more = config.faults.map((fault) => withVariable(fault, fields));
    faults.push(...more.filter(({ variable }) => variable === undefined || !told.includes(variable)));
  }
  if (faults.length > 0) {
    throw new InvalidVariables(file, [...faults.map(({ message }) => message), ...unknown.map(describeUnknown)]);
  }

  const defaults = configOf(required);
  const needed = optional.filter(({ path }) => valueAt(config, path) !== valueAt(defaults, path));
  return {
    typescript: `const ours: Settings = ${print(settingsOf([...required, ...needed]))};`,
    warnings: [...warningsOf(given, values, shared), ...unknown.map(describeUnknown)],
  };
}

async function readVariables(file: string): Promise<Record<string, unknown>> {
  const content = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = { ENOENT: "there is no such file", EISDIR: "it is a folder" };
    throw new Error(`cannot read ${file}: ${reasons[error.code ?? ""] ?? error.message}`);
  });
  const parsed = file.endsWith(".json") ? readJson(file, content) : await readHcl(file, content);
  const given = z.record(z.string(), z.unknown()).safeParse(parsed);
  if (!given.success) throw new InvalidVariables(file, [`the file is ${kindOf(parsed)}; allowed: an object`]);
  return given.data;
}

/** Reads HCL. Of what its parser says only the headings are told: the rest may quote the password. */
async function readHcl(file: string, content: string): Promise<unknown> {
  return parse("tfvars", content).catch((error: unknown) => {
    const said = error instanceof Error ? error.message : "";
    const faults = [...said.matchAll(/tfvars:(\d+),(\d+)-[\d,]+: ([A-Z][A-Za-z '/-]*);/g)].map(
      ([, line, column, heading]) => `${file}:${line}:${column}: ${heading}`,
    );
    throw new InvalidVariables(file, faults.length > 0 ? faults : ["it is not HCL"]);
  });
}

/** Reads JSON, in which Terraform takes every text as it is. */
function readJson(file: string, content: string): unknown {
  try {
    return JSON.parse(content, (_, value: unknown) =>
      typeof value === "string" ? value.replace(/[$%](?=\{)/g, "$&$&") : value,
    );
  } catch {
    throw new InvalidVariables(file, ["it is not JSON"]); // the parser's message may quote the password
  }
}

function check(given: Record<string, unknown>): { values: Variables; faults: Fault[] } {
  const issues = variables.safeParse(given).error?.issues ?? [];
  const faults = issues.map(({ path, message }) => ({
    variable: path.join("."),
    message: `${path.join(".")}: ${message}`,
  }));
  const told = faults.map(({ variable }) => variable);
  const sound = Object.entries(given).filter(([name]) => !told.includes(name));
  return { values: variables.partial().parse(Object.fromEntries(sound)), faults };
}

function describeUnknown(name: string): string {
  const meant = Object.keys(variables.shape).find((known) => distance(name, known) <= 2);
  return `${name}: left out, for the original has no such variable${meant ? `; did you mean ${meant}?` : ""}`;
}

/** Whether the instance can run the image, as far as that is known. */
function imageFits({ sagemaker_container_repo_url: image = "", sagemaker_model_instance_type: type }: Variables) {
  if (type === undefined) return false;
  const family = familyOf(type);
  const imageFamily = imageFamilyOf(image);
  return family === undefined || imageFamily === undefined || imageFamily === family;
}

/** Where each variable goes; what is optional has a default. Names stay without the prefix, as in the file. */
function fieldsOf(values: Variables, shared: Shared): Record<"required" | "optional", Field[]> {
  const [, bucket, key] = s3Url.exec(values.sagemaker_model_data_s3_url ?? "") ?? [];
  const environment = ["environments", values.infra_env ?? "dev"];
  const to = (field: string, variable: keyof Variables, value: unknown = values[variable]): Field => ({
    variable,
    path: [...environment, ...field.split(".")],
    value,
  });
  const required: Field[] = [
    { path: ["project"], variable: "project", value: values.project },
    { path: ["owner"], variable: "contact", value: values.contact },
    { path: ["prefix"], variable: "prefix", value: values.prefix },
    { path: ["region"], variable: "region", value: values.region },
    { path: ["account"], value: shared.account },
    { path: ["profile"], variable: "default_profile", value: values.default_profile },
    { path: ["stateBucket"], value: shared.stateBucket },
    { path: environment, variable: "infra_env", value: { takeOver: true } },
  ];
  const optional = [
    { path: ["modelBucket"], value: shared.modelBucket },
    to("network.name", "vpc_name"),
    to("features.groupName", "feature_group_name"),
    to("model.modelName", "sagemaker_model_name"),
    to("model.endpointConfigurationName", "sagemaker_endpoint_conf_name"),
    to("model.endpointName", "sagemaker_endpoint_name"),
    to("model.variantName", "sagemaker_endpoint_conf_variant_name"),
    to("model.instanceType", "sagemaker_model_instance_type"),
    to("model.instanceCount", "sagemaker_model_instance_count"),
    ...(imageFits(values) ? [to("model.image", "sagemaker_container_repo_url")] : []),
    to("model.artifact.bucket", "sagemaker_model_data_s3_url", bucket),
    to("model.artifact.key", "sagemaker_model_data_s3_url", key),
    to("warehouse.databaseName", "db_name"),
    to("warehouse.adminUsername", "master_username"),
    to("api.name", "rest_api_name"),
    to("api.description", "rest_api_description"),
  ];
  return { required, optional };
}

/** Where the original's cluster listens, whatever its variables say. */
const originalPort = 5439;

function settingsOf(fields: readonly Field[]): object {
  const place = (at: object, [name = "", ...rest]: readonly string[], value: unknown): object => {
    const inner = Object.entries(at).find(([key]) => key === name)?.[1];
    return { ...at, [name]: rest.length === 0 ? value : place(inner ?? {}, rest, value) };
  };
  const given = fields.filter(({ value }) => value !== undefined);
  return given.reduce((settings, { path, value }) => place(settings, path, value), {});
}

/** What settings lead to, in their own shape, or what is wrong with them. */
function configOf(fields: readonly Field[]) {
  try {
    const { shared, environments } = readConfig(settingsOf(fields), {});
    return { ...shared, environments };
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** What a field has become. */
function valueAt(config: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return config;
  const inner = Object.entries(config ?? {}).find(([key]) => key === name)?.[1];
  return valueAt(inner, rest);
}

/** A fault of the settings, which starts with a path, with the variable that leads there. */
function withVariable(fault: string, fields: readonly Field[]): Fault {
  for (const { variable, path } of fields) {
    const dotted = z.core.toDotPath([...path]);
    if (variable === undefined || !fault.startsWith(`${dotted}: `)) continue;
    const name = variable === dotted ? variable : `${variable} (${dotted})`;
    return { variable, message: `${name}${fault.slice(dotted.length)}` };
  }
  return { message: fault };
}

function warningsOf(given: Record<string, unknown>, values: Variables, { stateBucket }: Shared): string[] {
  const { infra_env: environment, sagemaker_model_instance_type: instanceType } = values;
  const named = (name?: string) => `${values.prefix}-${environment}-${name}-<release>`;
  const was = (variable: keyof Variables, becomes: string) =>
    `${variable}: was ${JSON.stringify(values[variable])}; ${becomes}`;
  const newModel = "SageMaker changes no model and no endpoint configuration, so each release of them is a new one";

  const warnings = [
    was("sagemaker_model_name", `becomes ${named(values.sagemaker_model_name)}: ${newModel}`),
    was("sagemaker_endpoint_conf_name", `becomes ${named(values.sagemaker_endpoint_conf_name)}: ${newModel}`),
  ];
  if (!imageFits(values)) {
    const becomes = `left out, so that AWS's own image for ${instanceType} is taken: this one is made for other processors`;
    warnings.push(was("sagemaker_container_repo_url", becomes));
  }
  const artifact = [
    "stays, but must be packaged anew as model/README.md says: the container here has no network, and the original's",
    `code installs packages and fetches its tokenizer when it starts${imageFits(values) ? "" : `; and what went with that image was not traced for ${instanceType}`}`,
  ];
  warnings.push(was("sagemaker_model_data_s3_url", artifact.join(" ")));
  if (values.sagemaker_model_mode !== "SingleModel") {
    warnings.push(was("sagemaker_model_mode", "left out: an endpoint here serves one model, as SingleModel has it"));
  }
  if (values.db_port !== originalPort) {
    const why = `the original's cluster listens on ${originalPort} all the same, as it sets this port in its firewall alone`;
    warnings.push(was("db_port", `left out: ${why}. warehouse.port would move the cluster`));
  }
  if (environment !== "dev") {
    warnings.push(was("infra_env", 'the API\'s stage stays "dev", as the original calls it in every environment'));
  }
  if ("master_password" in given) {
    warnings.push(
      "master_password: neither carried nor shown. AWS makes a new password and keeps it in Secrets Manager. Treat the old one as leaked: it stands in clear in this file, in the history of its repository and in the original's state",
    );
  }
  warnings.push(
    `stateBucket: stays "${stateBucket}", as config.ts has it. The original names its own in its backend block, not in this file: see that it is the one you want`,
  );
  return warnings;
}

/** A value as TypeScript, laid out as the formatter leaves it. */
function print(value: unknown, indent = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(([key, field]) => {
    const name = /^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key);
    return `${inner}${name}: ${print(field, inner)},\n`;
  });
  return `{\n${lines.join("")}${indent}}`;
}
