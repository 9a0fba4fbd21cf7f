import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Testing } from "cdktf";
import { loadConfig, type Settings } from "../../config";
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

/** The state stack of a team that deploys from GitHub. */
export function stateStackWithGitHub(): string {
  const { shared, environments } = loadConfig();
  const account = "000000000000"; // the stand-ins', where Terraform asks whom its credentials belong to
  const github = { repository: "team/inference", account, environments: Object.keys(environments) };
  return Testing.synth(new StateStack(Testing.app(), "state", { ...shared, account, github }));
}

/** Stacks with all that can be switched on. */
export function fullStacks(): { state: string; inference: string } {
  const { shared, environments } = loadConfig({
    project: "ai-deployment-bootcamp",
    owner: "test@test.com",
    prefix: "poc",
    region: "us-east-1",
    stateBucket: "team-state",
    environments: {
      full: {
        keyPair: { publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB" },
        features: { offlineStoreS3Uri: "s3://team-features/offline" },
        alarmTopicArn: "arn:aws:sns:us-east-1:123456789012:alarms",
      },
    },
  });
  const { full } = environments;
  if (full === undefined) throw new Error("no environment full");
  const inference = new InferenceStack(Testing.app(), "inference-full", shared, full);
  return { state: stateStackWithGitHub(), inference: Testing.synth(inference) };
}
