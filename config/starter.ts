import { defaultModelName } from "./default-model";
import { ConfigError, got, show } from "./faults";
import type { Shared } from "./schema";
import { nameIn, sourceOf } from "./spoken-contract";

/** What a team says of itself before its first deployment. */
export interface Answers {
  readonly project: string;
  readonly owner: string;
  readonly prefix: string;
  readonly region: string;
  readonly stateBucket: string;
  /** The model's name. @default that of the default model */
  readonly model?: string;
  /** As `model.contract.features` has them. @default those of the default model */
  readonly features?: Readonly<Record<string, unknown>>;
}

/** What config.ts is shipped with: it synthesizes and runs on this machine, and is never deployed. */
export const placeholders = {
  project: "your-project",
  owner: "you@example.com",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "your-terraform-state",
} as const satisfies Answers;

/** @throws ConfigError that names each value which is still the one that config.ts is shipped with */
export function refusePlaceholders(shared: Pick<Shared, "project" | "owner" | "stateBucket">): void {
  const faults = (["project", "owner", "stateBucket"] as const)
    .filter((name) => shared[name] === placeholders[name])
    .map(
      (name) =>
        `${name}: ${got(shared[name], "your own, for this only holds its place", "npx offline-inference init")}`,
    );
  if (faults.length > 0) throw new ConfigError(faults);
}

/** What the names of a project's resources start with: few of its characters, since AWS's names are short. */
export function prefixOf(project: string): string {
  const words = project.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  const prefix = words
    .join("-")
    .replace(/^[\d-]+/, "")
    .slice(0, 15)
    .replace(/-$/, "");
  return prefix === "" ? placeholders.prefix : prefix;
}

/** Runs models as they are; nothing is compiled for it. */
const plainInstance = "ml.c7i.xlarge";

const namesModel = ({ model = defaultModelName }: Answers) => model !== defaultModelName;

/** The settings that {@link configText} writes. */
export function settingsOf(answers: Answers) {
  const { project, owner, prefix, region, stateBucket, features } = answers;
  const model = {
    ...(namesModel(answers) && { name: answers.model }),
    ...(features && {
      contract: { features, request: "json", answer: "text", outputs: {} },
      instanceType: plainInstance,
    }),
  };
  return {
    project,
    owner,
    prefix,
    region,
    stateBucket,
    defaultEnvironment: "dev",
    environments: {
      dev: { preventDestroy: false, warehouse: { finalSnapshot: false }, model },
      prod: { model: { ...model, instanceCount: 2 }, warehouse: { numberOfNodes: 2 }, logRetentionDays: 365 },
    },
  };
}

/** The text of config.ts. */
export function configText(answers: Answers): string {
  const model = modelLines(answers);
  const isOwn = model.length > 0;
  return [
    'import { loaderOf } from "./config/load";',
    `import type { ${isOwn ? "EnvironmentSettings, " : ""}Settings } from "./config/schema";`,
    "",
    ...model,
    "/**",
    " * What your team edits; `npx offline-inference init` writes it the first time. Every field that is left out has its",
    " * default: docs/configuration.md lists them all.",
    " */",
    "const ours: Settings = {",
    `  project: ${show(answers.project)}, // the tag Project of every resource`,
    `  owner: ${show(answers.owner)}, // the tag Owner of every resource: whom to ask`,
    `  prefix: ${show(answers.prefix)}, // starts every name, before the environment's: ${answers.prefix}-dev-inference_queue`,
    `  region: ${show(answers.region)},`,
    `  stateBucket: ${show(answers.stateBucket)}, // S3 names are the whole world's: no other bucket may have it`,
    '  defaultEnvironment: "dev", // what a command works with that is told none',
    "  environments: {",
    "    dev: {",
    "      preventDestroy: false,",
    "      warehouse: { finalSnapshot: false },",
    ...(isOwn ? ["      model,"] : []),
    "    },",
    "    prod: {",
    `      model: { ${isOwn ? "...model, " : ""}instanceCount: 2 },`,
    "      warehouse: { numberOfNodes: 2 },",
    "      logRetentionDays: 365,",
    "    },",
    "  },",
    "};",
    "",
    "/** The configuration, checked and with its defaults. */",
    "export const loadConfig = loaderOf(ours);",
    "",
    'export { ConfigError } from "./config/faults";',
    'export type { Config, Environment, EnvironmentSettings, Settings, Shared } from "./config/schema";',
    "",
  ].join("\n");
}

/** The model of every environment, where it is not the default one. */
function modelLines(answers: Answers): string[] {
  const { model, features } = answers;
  if (!namesModel(answers) && features === undefined) return [];
  const contract = features && [
    "  contract: {",
    "    // what an input is, in the order in which it is sent, by the types of Feature Store: String, Integral, Fractional",
    ...featureLines(features),
    '    request: "json", // how the model is asked: json, instances, jsonlines, csv, inputs or raw',
    '    answer: "text", // what is kept of an answer: text or json',
    '    outputs: {}, // columns for what is in an answer: { label: "text", score: "number" }',
    "  },",
    `  instanceType: ${show(plainInstance)}, // a processor; docs/your-model.md has other instances, and images`,
  ];
  return [
    "/** The model of every environment: docs/your-model.md. */",
    'const model: EnvironmentSettings["model"] = {',
    ...(namesModel(answers) ? [`  name: ${show(model)}, // the names of its resources follow from it`] : []),
    ...(contract ?? []),
    "};",
    "",
  ];
}

const lineWidth = 120;

function featureLines(features: Readonly<Record<string, unknown>>): string[] {
  const line = `    features: ${sourceOf(features)},`;
  if (line.length <= lineWidth) return [line];
  const each = Object.entries(features).map(([name, feature]) => `      ${nameIn(name)}: ${sourceOf(feature)},`);
  return ["    features: {", ...each, "    },"];
}
