import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Testing } from "cdktf";
import { arnIn } from "../../aws/partitions";
import { type Config, type Environment, loadConfig, type Settings, type Shared } from "../../config";
import type { Releases } from "../../config/releases";
import { InferenceStack } from "../../stacks/inference-stack";
import { StateStack } from "../../stacks/state-stack";

/** Every stack of the project as it would be deployed where these releases are, by name. */
export function synthesizedStacks(releases: Releases = {}): Record<string, string> {
  const { shared, environments } = loadConfig(undefined, process.env, [], releases);
  const app = Testing.app();
  const stacks = [
    new StateStack(app, "state", shared),
    ...Object.values(environments).map(
      (environment) => new InferenceStack(app, `inference-${environment.name}`, shared, environment),
    ),
  ];
  return Object.fromEntries(stacks.map((stack) => [stack.node.id, Testing.synth(stack)]));
}

/** Writes the stacks of settings' environments into a folder of its own, functions' archives and all, as main.ts does. */
export async function writtenStacks(settings: Settings) {
  const outdir = await mkdtemp(join(tmpdir(), "stacks-"));
  const { shared, environments } = loadConfig(settings);
  const app = new App({ skipValidation: true, outdir });
  for (const environment of Object.values(environments)) {
    new InferenceStack(app, `inference-${environment.name}`, shared, environment);
  }
  app.synth();
  return {
    /** The folder of an environment's stack. */
    folderOf: (environment: string) => join(outdir, "stacks", `inference-${environment}`),
    remove: () => rm(outdir, { recursive: true }),
  };
}

/** What the environments of a team share that deploys from GitHub. */
function withGitHub({ shared, environments }: Config, region: string): Shared {
  const account = "000000000000"; // the stand-ins', where Terraform asks whom its credentials belong to
  const github = { repository: "team/inference", account, environments: Object.values(environments) };
  return { ...shared, region, account, github };
}

/** Every stack of a team that deploys from GitHub, by name. */
export function stacksWithGitHub(config = loadConfig()): Record<string, string> {
  const shared = withGitHub(config, config.shared.region);
  const written: Record<string, string> = { state: Testing.synth(new StateStack(Testing.app(), "state", shared)) };
  for (const environment of Object.values(config.environments)) {
    const name = `inference-${environment.name}`;
    written[name] = Testing.synth(new InferenceStack(Testing.app(), name, shared, environment));
  }
  return written;
}

/** The state stack of a team that deploys from GitHub. @param region where @default that of config.ts */
export function stateStackWithGitHub(region?: string): string {
  const config = loadConfig();
  return Testing.synth(new StateStack(Testing.app(), "state", withGitHub(config, region ?? config.shared.region)));
}

/** The ARN of a KMS key. */
export const keyArn = (id: string, region = "us-east-1") => arnIn(region, `kms:${region}:123456789012:key/${id}`);

/** Two environments: `full` has all that can be switched on, `asking` is on demand and asks an endpoint that exists. */
export function fullConfig(region = "us-east-1") {
  const network = {
    subnets: [
      { cidrBlock: "10.0.2.0/24", availabilityZone: `${region}a` },
      { cidrBlock: "10.0.3.0/24", availabilityZone: `${region}c` },
    ],
  };
  return loadConfig({
    project: loadConfig().shared.project,
    owner: "test@test.com",
    prefix: "poc",
    region,
    stateBucket: "team-state",
    kmsKeyArn: keyArn("shared", region),
    environments: {
      full: {
        kmsKeyArn: keyArn("own", region),
        keyPair: { publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB" },
        access: { bastion: true },
        features: { offlineStoreS3Uri: "s3://team-features/offline" },
        model: {
          instanceType: "ml.c7i.xlarge", // Inf1 has no rollback, and so no alarm for it
          instanceCount: { min: 1, max: 4 },
          predictionsPerSecond: 25,
          deadlineSeconds: 6 * 60 * 60,
          workingHours: { min: 2, from: 8, to: 18, timeZone: "Europe/Berlin" },
          dataCapture: { s3Uri: "s3://team-samples/captured", samplingPercentage: 5 },
          drift: { answer: "It's a paraphrase", share: { min: 0.2, max: 0.4 } },
        },
        network,
        warehouse: { hours: { from: 8, to: 18, timeZone: "Europe/Berlin" } },
        alarmTopicArn: arnIn(region, `sns:${region}:123456789012:alarms`),
      },
      asking: {
        capacity: "on-demand",
        model: { endpoint: { existing: "theirs" } },
        network: { subnets: [...network.subnets, { cidrBlock: "10.0.4.0/24", availabilityZone: `${region}b` }] },
      },
    },
  });
}

/** The stacks of these, and the state stack of a team that deploys from GitHub. */
export function fullStacks(region = "us-east-1"): Record<"state" | "inference" | "asking", string> {
  const { shared, environments } = fullConfig(region);
  const { full, asking } = environments;
  if (full === undefined || asking === undefined) throw new Error("an environment is missing");
  const synth = (environment: Environment) =>
    Testing.synth(new InferenceStack(Testing.app(), `inference-${environment.name}`, shared, environment));
  return { state: stateStackWithGitHub(region), inference: synth(full), asking: synth(asking) };
}
