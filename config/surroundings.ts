import { z } from "zod";
import { describeName, isName, type NameLimit } from "../aws/limits";
import { refuse, show } from "./faults";
import type { EnvironmentReleases } from "./releases";

/** What the settings of an environment are read with. */
export interface Surroundings {
  /** The environment's name. */
  readonly name: string;
  /** What its resources' names start with. */
  readonly prefix: string;
  /** Undefined where the region itself is at fault. */
  readonly region?: string;
  readonly modelBucket: string;
  /** Whether the environment takes over a deployment of the original, and so has what that had where AWS cannot change it. */
  readonly takeOver: boolean;
  /** @default the model is what `model` describes */
  readonly releases?: EnvironmentReleases;
  /** What key-pairs.json says of it. @default nothing */
  readonly publicKey?: string;
  /** The environments by their states' keys, as far as they are read. */
  readonly states: Map<string, string>;
}

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
