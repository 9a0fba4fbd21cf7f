import { type Target, targetOf } from "../connection";
import { ModelBucket } from "./model-bucket";

/** An environment of config.ts, and where its models lie. */
export interface ModelEnvironment extends Target {
  readonly bucket: ModelBucket;
}

/**
 * @param name @default the configuration's default environment
 * @throws when there is no such environment, with those that there are
 */
export function modelEnvironment(name?: string): ModelEnvironment {
  const target = targetOf({ env: name });
  return { ...target, bucket: new ModelBucket(target.shared.modelBucket, target.shared) };
}
