import type { z } from "zod";
import { isName } from "../aws/limits";
import { defaultModelName, defaultNamesOf } from "./default-model";
import { environmentSchema } from "./environment";
import { ConfigError, faultsOf, ruled, show, sound, valueAt } from "./faults";
import { checkKeyPairs, keyPairsFile } from "./key-pairs";
import { checkPauses, pausedFile } from "./paused";
import { checkReleases, releasesFile } from "./releases";
import { answersBucketBeside, logBucketBeside, modelBucketBeside, sharedFields, sharedRules } from "./shared";
import { lowercaseWord, type Surroundings } from "./surroundings";

type SharedFields = ReturnType<typeof sharedFields>;
type Tags = Record<"Environment" | "Project" | "Owner" | "ManagedBy", string>;

/** What a team writes of an environment: what differs from the defaults. Names come without the prefix. */
export type EnvironmentSettings = z.input<ReturnType<typeof environmentSchema>>;

/** What a team writes. */
export interface Settings extends Omit<z.input<SharedFields>, "region" | "environments"> {
  /** Where everything is deployed. @default AWS_REGION, or else AWS_DEFAULT_REGION */
  region?: string;
  /** The environments by their names, such as dev and prod. */
  environments: Record<string, EnvironmentSettings>;
}

/** An environment with all its defaults, and all names in full. */
export interface Environment extends z.output<ReturnType<typeof environmentSchema>> {
  /** The tags of every resource. */
  tags: Tags;
}

/** What all environments share, with all its defaults. */
export interface Shared extends Omit<z.output<SharedFields>, "environments" | "modelBucket" | "github"> {
  /** The S3 bucket of the model artifacts. */
  modelBucket: string;
  /** The S3 bucket of the access log of these two. */
  logBucket: string;
  /** The role that `apiGatewayRole` is about. */
  apiGatewayRoleName: string;
  /** Whose workflows may plan and deploy, and what. */
  github?: NonNullable<z.output<SharedFields>["github"]> & { account: string; environments: readonly Environment[] };
  /** The tags of what is deployed once. */
  tags: Tags;
}

/** The whole configuration, with all its defaults. */
export interface Config {
  shared: Shared;
  /** The environments by their names. */
  environments: Record<string, Environment>;
}

/**
 * Checks settings and fills in the defaults.
 * @param usual AWS's usual environment variables, for the region where the settings name none
 * @param takeOver environments to read as if their `takeOver` were set
 * @param releases what releases.json says @default no environment has a release
 * @param keyPairs what key-pairs.json says @default no environment has a public key there
 * @param pauses what paused.json says @default no environment is paused
 * @throws ConfigError with every fault there is
 */
export function readConfig(
  settings: unknown,
  usual: Record<string, string | undefined>,
  takeOver: readonly string[] = [],
  releases: unknown = {},
  keyPairs: unknown = {},
  pauses: unknown = {},
): Config {
  const beside = {
    [releasesFile]: checkReleases(releases),
    [keyPairsFile]: checkKeyPairs(keyPairs),
    [pausedFile]: checkPauses(pauses),
  };
  const environments: Record<string, Environment> = {};
  const faults: string[] = [];
  const states = new Map<string, string>();
  const fields = sharedFields(usual.AWS_REGION || usual.AWS_DEFAULT_REGION).superRefine(
    (shared, context) => {
      // What has a fault of its own is told once: something harmless takes its place.
      const sane = <Name extends keyof typeof shared, Other>(name: Name, other: Other) =>
        sound(name)(context) ? shared[name] : other;
      const bucket = sane("modelBucket", undefined) ?? modelBucketBeside(sane("stateBucket", "state"));
      for (const [name, given] of Object.entries(shared.environments)) {
        const written = takeOver.includes(name) && typeof given === "object" ? { ...given, takeOver: true } : given;
        const { data, error } = environmentSchema({
          name,
          prefix: `${sane("prefix", "poc")}-${isName(name, lowercaseWord) ? name : "environment"}`,
          region: sane("region", undefined),
          modelBucket: bucket,
          answersBucket: answersBucketBeside(sane("stateBucket", "state"), name),
          ...decidedBy(written),
          releases: beside[releasesFile].content?.[name],
          publicKey: beside[keyPairsFile].content?.[name],
          pause: beside[pausedFile].content?.[name],
          states,
        }).safeParse(written);
        const kmsKeyArn = data?.kmsKeyArn ?? sane("kmsKeyArn", undefined);
        if (data) environments[name] = { ...data, ...(kmsKeyArn && { kmsKeyArn }), tags: tagsOf(shared, name) };
        faults.push(...faultsOf(["environments", name], error));
      }
    },
    { when: sound("environments") },
  );
  const { data: shared, error } = ruled(fields, sharedRules).safeParse(settings);
  faults.unshift(...faultsOf([], error));

  const names = Object.keys(valueAt(settings, ["environments"]) ?? {});
  for (const name of takeOver.filter((name) => !names.includes(name))) {
    faults.push(`environments: cannot take over into ${show(name)}; allowed: ${names.join(", ")}`);
  }
  const wrong: Record<string, readonly string[]> = { "config.ts": faults };
  for (const [file, { content = {}, faults = [] }] of Object.entries(beside)) {
    const elsewhere = Object.keys(content).filter((name) => !names.includes(name));
    const told = `got an environment that does not exist; allowed: ${names.join(", ")}`;
    wrong[file] = [...faults, ...elsewhere.map((name) => `${file}: ${name}: ${told}`)];
  }
  const files = Object.keys(wrong).filter((file) => wrong[file]?.length);
  if (files.length > 0 || !shared) throw new ConfigError(Object.values(wrong).flat(), files);
  return { shared: sharedOf(shared, environments), environments };
}

/** What decides how the rest of an environment's settings is read. */
function decidedBy(
  written: unknown,
): Pick<Surroundings, "takeOver" | "capacity" | "names" | "hasFeatures" | "hasEndpoint"> {
  const takeOver = valueAt(written, ["takeOver"]) === true;
  const model = valueAt(written, ["model", "name"]);
  const isNamed = !takeOver && typeof model === "string" && isName(model, lowercaseWord);
  return {
    takeOver,
    capacity: valueAt(written, ["capacity"]) === "on-demand" ? "on-demand" : "steady",
    names: defaultNamesOf(isNamed ? model : defaultModelName),
    hasFeatures: valueAt(written, ["features"]) !== false,
    hasEndpoint: valueAt(written, ["model", "endpoint"]) !== undefined,
  };
}

function sharedOf(shared: z.output<SharedFields>, environments: Config["environments"]): Shared {
  const { environments: _, github, account, ...rest } = shared;
  return {
    ...rest,
    account,
    modelBucket: shared.modelBucket ?? modelBucketBeside(shared.stateBucket),
    logBucket: logBucketBeside(shared.stateBucket),
    apiGatewayRoleName: `${shared.prefix}-api-gateway-logging`,
    github: github && account ? { ...github, account, environments: Object.values(environments) } : undefined,
    tags: tagsOf(shared, "shared"),
  };
}

const tagsOf = ({ project, owner }: { project: string; owner: string }, environment: string): Tags => ({
  Environment: environment,
  Project: project,
  Owner: owner,
  ManagedBy: "Terraform",
});
