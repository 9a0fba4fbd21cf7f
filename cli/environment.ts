import { type Environment, loadConfig, type Shared } from "../config";

/**
 * An environment of config.ts, and what it shares with the others.
 * @throws when there is no such environment, with those that there are
 */
export function environmentOf(name: string): { readonly shared: Shared; readonly environment: Environment } {
  const { shared, environments } = loadConfig();
  const environment = environments[name];
  if (environment !== undefined) return { shared, environment };
  const names = Object.keys(environments).join(", ");
  throw new Error(`There is no environment "${name}". The environments of config.ts: ${names}`);
}
