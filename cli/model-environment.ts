import { type Environment, loadConfig, type Shared } from "../config";
import { ModelBucket } from "./model-bucket";

/** An environment of config.ts, and where its models lie. */
export interface ModelEnvironment {
  readonly shared: Shared;
  readonly environment: Environment;
  readonly bucket: ModelBucket;
}

/** @throws when there is no such environment, with those that there are */
export function modelEnvironment(name: string): ModelEnvironment {
  const { shared, environments } = loadConfig();
  const environment = environments[name];
  if (environment === undefined) {
    const names = Object.keys(environments).join(", ");
    throw new Error(`There is no environment "${name}". The environments of config.ts: ${names}`);
  }
  return { shared, environment, bucket: new ModelBucket(shared.modelBucket, shared) };
}
