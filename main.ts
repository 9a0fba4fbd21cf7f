import { App } from "cdktf";
import { ConfigError, loadConfig } from "./config";
import { InferenceStack } from "./stacks/inference-stack";
import { StateStack } from "./stacks/state-stack";

try {
  const { shared, environments } = loadConfig();

  // CDKTF would ask Terraform for its version, and synthesizing needs none: each stack says which one it wants.
  const app = new App({ skipValidation: true });
  new StateStack(app, "state", shared);
  for (const environment of Object.values(environments)) {
    new InferenceStack(app, `inference-${environment.name}`, shared, environment);
  }
  app.synth();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
