import { z } from "zod";
import { describeName, isName, type NameLimit } from "../aws/limits";
import type { DefaultNames } from "./default-model";
import { refuse, show } from "./faults";
import type { EnvironmentReleases } from "./releases";

export const lowercaseWord: NameLimit = {
  pattern: /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
  maximumLength: 30,
  allowed: "lowercase letters, digits and single hyphens, a letter first, no hyphen last",
  source: "it starts the name of every resource, and Redshift's names are lowercase",
};

/** What answers and keeps predictions: instances and a cluster, or what is paid by use. */
export const capacities = ["steady", "on-demand"] as const;
type Capacity = (typeof capacities)[number];

/**
 * How often the functions look for work that run on a schedule, in minutes. On demand the looks are most of what an
 * environment costs at rest.
 */
export const lookMinutes = { steady: 1, "on-demand": 3 } as const satisfies Readonly<Record<Capacity, number>>;

/** What the settings of an environment are read with. */
export interface Surroundings {
  /** The environment's name. */
  readonly name: string;
  /** What its resources' names start with. */
  readonly prefix: string;
  /** Undefined where the region itself is at fault. */
  readonly region?: string;
  readonly modelBucket: string;
  /** Where its answers are on their way to the warehouse. */
  readonly answersBucket: string;
  /** Whether the environment takes over a deployment of the original, and so has what that had where AWS cannot change it. */
  readonly takeOver: boolean;
  readonly capacity: Capacity;
  /** What its resources are called by default: what `model.name` makes of it. */
  readonly names: DefaultNames;
  /** Whether it has a feature group. */
  readonly hasFeatures: boolean;
  /** Whether its endpoint exists already. */
  readonly hasEndpoint: boolean;
  /** @default the model is what `model` describes */
  readonly releases?: EnvironmentReleases;
  /** What key-pairs.json says of it. @default nothing */
  readonly publicKey?: string;
  /** The environments by their states' keys, as far as they are read. */
  readonly states: Map<string, string>;
}

/** Whether an endpoint of Serverless Inference is made. */
export const isServerlessIn = ({ capacity, hasEndpoint }: Surroundings) => capacity === "on-demand" && !hasEndpoint;

/** A name that gets the prefix before it; `appended` is what its construct puts behind it. */
export function prefixed({ prefix }: Surroundings, limit: NameLimit, appended = "") {
  const room = { ...limit, maximumLength: limit.maximumLength - appended.length };
  const allowed = `in full ${describeName(room)}${appended && `, for "${appended}" comes behind`}`;
  return z
    .string({ error: refuse(allowed, limit.source) })
    .refine((value) => value !== "" && isName(`${prefix}-${value}`, room), {
      error: ({ input }) => {
        const full = `${prefix}-${input}`;
        return `got ${show(input)}, in full ${show(full)} (${full.length} characters); allowed: ${allowed} (${limit.source})`;
      },
    })
    .transform((value) => `${prefix}-${value}`);
}

/** The same with a default. */
export const naming = (around: Surroundings) => (written: string, limit: NameLimit, appended?: string) =>
  prefixed(around, limit, appended).prefault(written);
