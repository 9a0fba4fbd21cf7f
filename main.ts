import { parseArgs } from "node:util";
import { App } from "cdktf";
import { outOfPatch } from "./aws/model-images";
import { ConfigError, loadConfig } from "./config";
import { refusePlaceholders } from "./config/starter";
import { InferenceStack } from "./stacks/inference-stack";
import { StateStack } from "./stacks/state-stack";

try {
  // `--take-over dev` shows what `takeOver: true` would make of an environment, without an edit. `--forget ADDRESS` names
  // a feature group in a state, whose contract nothing here knows: AWS keeps it. `--deployable` refuses what config.ts is
  // shipped with.
  const several = { type: "string" as const, multiple: true as const, default: [] };
  const { values } = parseArgs({
    options: { "take-over": several, forget: several, deployable: { type: "boolean" } },
  });
  const { shared, environments } = loadConfig(undefined, process.env, values["take-over"]);
  if (values.deployable) refusePlaceholders(shared);

  // CDKTF would ask Terraform for its version, and synthesizing needs none: each stack says which one it wants.
  const app = new App({ skipValidation: true });
  new StateStack(app, "state", shared);
  for (const environment of Object.values(environments)) {
    new InferenceStack(app, `inference-${environment.name}`, shared, environment, values.forget);
  }
  app.synth();
  const today = new Date().toISOString().slice(0, 10);
  for (const { name, model } of Object.values(environments)) {
    const ended = model.endpoint ? undefined : outOfPatch(model.image, today);
    if (ended !== undefined) console.error(`inference-${name}: ${ended}. What else there is: docs/your-model.md`);
  }
} catch (error) {
  const wrongOption = error instanceof TypeError && "code" in error && `${error.code}`.startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof ConfigError) && !wrongOption) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
