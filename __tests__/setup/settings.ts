import { ConfigError, type EnvironmentSettings, loadConfig, type Settings } from "../../config";

/** Settings of one environment, dev. */
export const settings = (environment: unknown = {}, shared: object = {}) => ({
  project: "ai-deployment-bootcamp",
  owner: "test@test.com",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "our-terraform-state",
  ...shared,
  environments: { dev: environment },
});

/** Those of dev, read. */
export const dev = (environment: EnvironmentSettings = {}, shared: Partial<Settings> = {}) => {
  const loaded = loadConfig(settings(environment, shared), {}).environments.dev;
  if (loaded === undefined) throw new Error("no environment dev");
  return loaded;
};

/** What is wrong with settings. */
export const faults = (given: unknown, usual: Record<string, string> = {}): readonly string[] => {
  try {
    loadConfig(given, usual);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
};

/** The faults of one field of dev, given by its path. */
export const faultsWith = (path: string, value: unknown, others: EnvironmentSettings = {}) =>
  faults(settings(place(others, path.split("."), value)));

const place = (at: object, [field = "", ...rest]: string[], value: unknown): object => {
  const inner = Object.entries(at).find(([key]) => key === field)?.[1];
  return { ...at, [field]: rest.length === 0 ? value : place(inner ?? {}, rest, value) };
};
