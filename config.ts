import { loaderOf } from "./config/load";
import type { Settings } from "./config/schema";

/**
 * What your team edits; `npx offline-inference init` writes it the first time. Every field that is left out has its
 * default: docs/configuration.md lists them all.
 */
const ours: Settings = {
  project: "your-project", // the tag Project of every resource
  owner: "you@example.com", // the tag Owner of every resource: whom to ask
  prefix: "poc", // starts every name, before the environment's: poc-dev-inference_queue
  region: "us-east-1",
  stateBucket: "your-terraform-state", // S3 names are the whole world's: no other bucket may have it
  defaultEnvironment: "dev", // what a command works with that is told none
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

/** The configuration, checked and with its defaults. */
export const loadConfig = loaderOf(ours);

export { ConfigError } from "./config/faults";
export type { Config, Environment, EnvironmentSettings, Settings, Shared } from "./config/schema";
