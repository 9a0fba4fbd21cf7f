import type { Environment, Shared } from "../config";
import { environmentOf } from "./environment";
import { ModelBucket } from "./model-bucket";

/** An environment of config.ts, and where its models lie. */
export interface ModelEnvironment {
  readonly shared: Shared;
  readonly environment: Environment;
  readonly bucket: ModelBucket;
}

/** @throws when there is no such environment, with those that there are */
export function modelEnvironment(name: string): ModelEnvironment {
  const { shared, environment } = environmentOf(name);
  return { shared, environment, bucket: new ModelBucket(shared.modelBucket, shared) };
}
