import type { Environment } from "../../config";
import { type Target, targetOf } from "../shared/connection";
import { ModelBucket } from "./model-bucket";

type Served = Extract<Environment["model"], { readonly instanceType: string }>;

/** An environment of config.ts whose endpoint is made for a model, and where its models lie. */
export interface ModelEnvironment extends Target {
  readonly environment: Environment & { readonly model: Served };
  readonly bucket: ModelBucket;
}

/**
 * The environment as config.ts has it, whatever is released: a model for another contract is yet to be.
 * @param name @default the configuration's default environment
 * @throws when there is no such environment, with those that there are, and when its endpoint exists already
 */
export function modelEnvironment(name?: string): ModelEnvironment {
  const { shared, environment } = targetOf({ env: name }, {});
  const { model } = environment;
  if (model.endpoint !== undefined) {
    throw new Error(
      `${environment.name} asks the endpoint ${model.endpoint.existing}, which exists already: no model is made for it.`,
    );
  }
  return { shared, environment: { ...environment, model }, bucket: new ModelBucket(shared.modelBucket, shared) };
}
