import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { terraform } from "../terraform";
import { changedNames } from "./state-file";

/** A resource that is no more as Terraform left it. */
export interface Drift {
  readonly address: string;
  /** The names of the attributes that are others now; undefined where it is gone. */
  readonly changed?: readonly string[];
}

const values = z.record(z.string(), z.unknown()).nullable();
const planJson = z.object({
  resource_drift: z
    .array(
      z.object({
        address: z.string(),
        mode: z.string(),
        type: z.string(),
        name: z.string(),
        change: z.object({ actions: z.array(z.string()), before: values, after: values }),
      }),
    )
    .default([]),
});

const synthesized = z.object({
  resource: z
    .record(
      z.string(),
      z.record(
        z.string(),
        z.object({
          lifecycle: z
            .object({ ignore_changes: z.union([z.literal("all"), z.array(z.string())]).optional() })
            .optional(),
        }),
      ),
    )
    .default({}),
});

/**
 * What has changed outside of Terraform since it was last applied, but for what its configuration ignores. Writes
 * nothing to the state, and takes no lock. `terraform init` must have run.
 */
export async function driftOf(folder: string): Promise<Drift[]> {
  const { resource } = synthesized.parse(JSON.parse(await readFile(join(folder, "cdk.tf.json"), "utf8")));
  const work = await mkdtemp(join(tmpdir(), "offline-inference-")); // a plan holds secrets: nobody else reads it here
  try {
    const plan = join(work, "plan");
    await terraform(folder, ["plan", "-refresh-only", "-lock=false", "-input=false", "-no-color", `-out=${plan}`]);
    const { resource_drift } = planJson.parse(JSON.parse(await terraform(folder, ["show", "-json", plan])));
    return resource_drift.flatMap(({ address, mode, type, name, change: { actions, before, after } }) => {
      if (mode !== "managed" || actions.includes("no-op")) return [];
      if (after === null) return [{ address }];
      const ignored = resource[type]?.[name]?.lifecycle?.ignore_changes ?? [];
      const changed = changedNames(before ?? {}, after).filter(
        (attribute) =>
          ignored !== "all" &&
          !ignored.includes(attribute) &&
          !(isEmpty(before?.[attribute]) && isEmpty(after[attribute])),
      );
      return changed.length === 0 ? [] : [{ address, changed }];
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The AWS provider does not tell nothing from an empty text, list or map: the first refresh turns one into another. */
const isEmpty = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);
