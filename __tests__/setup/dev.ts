import { environmentOf } from "../../cli/shared/connection";
import { type Environment, loadConfig } from "../../config";

/** An environment whose feature group and endpoint are made. @throws where they are not */
export function madeIn(environment: Environment | undefined) {
  if (!environment?.features || environment.model.endpoint)
    throw new Error("a feature group or an endpoint is not made");
  return { ...environment, features: environment.features, model: environment.model };
}

/** The environment dev of the project's own configuration. */
export const dev = madeIn(environmentOf(loadConfig(), "dev").environment);
