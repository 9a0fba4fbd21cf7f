import type { Environment, Settings, Shared } from "../../config";
import { instanceRange } from "../../config/model";

/** What a run takes over from the team's configuration. */
type SharedLike = Pick<Shared, "project" | "owner" | "region" | "profile">;
type EnvironmentLike = Pick<Environment, "capacity" | "takeOver" | "network" | "model" | "warehouse">;

/** The names of runs. A run is one environment, in a deployment of its own. */
export const runName = /^smoke-[a-z0-9]{1,12}$/;

/** The name of a run that begins now: month, day, hour and minute, in UTC. */
export const nameAt = (time: Date) => `smoke-${time.toISOString().replace(/\D/g, "").slice(4, 12)}`;

/** What the names of all that a run makes begin with, but for its buckets'. */
export const prefixOf = (name: string) => name.replace("smoke-", "s");

/** What the names of a run's buckets begin with: they are the whole world's, and an account's number is its own. */
export const stateBucketOf = (name: string, account: string) => `${name}-${account}`;

export interface RunOf {
  readonly name: string;
  /** Where alone Terraform may deploy it. */
  readonly account: string;
  /** Whether the run gives API Gateway a role to write logs with: only an account without one needs it. */
  readonly apiGatewayRole: boolean;
}

/**
 * The settings of a run: the team's region, network, instances and nodes, the default model, and nothing that anybody
 * would miss. It shares nothing with the team's environments: no bucket, role, key, topic or name.
 */
export function smokeSettings(
  { project, owner, region, profile }: SharedLike,
  { capacity, takeOver, network, model, warehouse }: EnvironmentLike,
  { name, account, apiGatewayRole }: RunOf,
): Settings {
  const { cidrBlock, subnets } = network;
  const { nodeType, numberOfNodes } = warehouse;
  const nodes = takeOver ? {} : { nodeType, numberOfNodes }; // what was taken over may be of a type that AWS retired
  const sized =
    capacity === "on-demand"
      ? { capacity, model: model.endpoint ? {} : { ...model.serverless } }
      : {
          model: model.endpoint ? {} : { instanceType: model.instanceType, instanceCount: instanceRange(model).min },
          warehouse: { ...nodes, finalSnapshot: false },
        };
  return {
    project,
    owner,
    region,
    profile,
    account,
    apiGatewayRole,
    prefix: prefixOf(name),
    stateBucket: stateBucketOf(name, account),
    defaultEnvironment: name,
    environments: {
      [name]: {
        preventDestroy: false,
        network: { cidrBlock, subnets: [...subnets] },
        ...sized,
      },
    },
  };
}
