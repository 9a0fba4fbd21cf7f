import { z } from "zod";

const state = z.object({
  resources: z.array(
    z.object({
      mode: z.enum(["managed", "data"]),
      type: z.string(),
      name: z.string(),
      instances: z.array(z.object({ attributes: z.record(z.string(), z.unknown()) })),
    }),
  ),
});

/**
 * The attributes of each resource in a state by its address, or of each data source.
 * @param json what `terraform state pull` prints
 */
export function attributesIn(json: string, wanted: "managed" | "data"): Record<string, Record<string, unknown>> {
  const { resources } = state.parse(JSON.parse(json));
  return Object.fromEntries(
    resources
      .filter(({ mode }) => mode === wanted)
      .flatMap(({ mode, type, name, instances }) =>
        instances.map(({ attributes }) => [`${mode === "data" ? "data." : ""}${type}.${name}`, attributes]),
      ),
  );
}
