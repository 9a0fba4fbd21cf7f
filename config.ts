import { writtenKeyPairs } from "./config/key-pairs";
import { writtenPauses } from "./config/paused";
import { writtenReleases } from "./config/releases";
import { type Config, readConfig, type Settings } from "./config/schema";

/**
 * What your team edits. Every field that is left out has its default; config/environment.ts and the sections
 * beside it list them all. Names get the prefix and the environment's name in front: `poc-dev-inference_queue`.
 */
const ours: Settings = {
  project: "ai-deployment-bootcamp",
  owner: "test@test.com",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "sagemaker-endpoint-deploy-tf-state-vector", // S3 names are the whole world's: take one of your own
  defaultEnvironment: "dev",
  environments: {
    dev: {
      preventDestroy: false,
      warehouse: { finalSnapshot: false },
    },
    prod: {
      model: { instanceCount: 2 },
      warehouse: { numberOfNodes: 2 },
      logRetentionDays: 365,
    },
  },
};

/**
 * The configuration, checked and with its defaults.
 * @param takeOver environments to read as if their `takeOver` were set
 * @param releases what is released @default what releases.json says, of the settings above alone
 * @param keyPairs public keys by environment @default what key-pairs.json says, of the settings above alone
 * @param pauses the environments that are paused @default what paused.json says, of the settings above alone
 * @throws ConfigError with every fault there is
 */
export function loadConfig(
  settings: unknown = ours,
  usual: Record<string, string | undefined> = process.env,
  takeOver: readonly string[] = [],
  releases: unknown = settings === ours ? writtenReleases() : {},
  keyPairs: unknown = settings === ours ? writtenKeyPairs() : {},
  pauses: unknown = settings === ours ? writtenPauses() : {},
): Config {
  return readConfig(settings, usual, takeOver, releases, keyPairs, pauses);
}

export { ConfigError } from "./config/faults";
export type {
  Config,
  Environment,
  EnvironmentSettings,
  Settings,
  Shared,
} from "./config/schema";
