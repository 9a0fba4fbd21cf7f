import { z } from "zod";
import { parsedJson } from "../../contract/json-text";

const attributes = z.record(z.string(), z.unknown());

// What Terraform writes since 0.12: https://developer.hashicorp.com/terraform/internals/json-format is another one.
const stateFile = z.object({
  version: z.literal(4),
  terraform_version: z.string(),
  serial: z.number(),
  lineage: z.string(),
  outputs: z.record(z.string(), z.object({ value: z.unknown() })).default({}),
  resources: z
    .array(
      z.object({
        module: z.string().optional(),
        mode: z.string(),
        type: z.string(),
        name: z.string(),
        instances: z.array(
          z.object({
            index_key: z.union([z.string(), z.number()]).optional(),
            deposed: z.string().optional(),
            attributes: attributes.nullish(),
          }),
        ),
      }),
    )
    .default([]),
});

/** Terraform's state, without what only Terraform minds. Its attributes and outputs hold secrets: show their names only. */
export interface State {
  readonly serial: number;
  /** What all states of one history have in common. */
  readonly lineage: string;
  /** The version of Terraform that wrote it. */
  readonly terraformVersion: string;
  readonly outputs: ReadonlyMap<string, unknown>;
  /** The attributes of everything that Terraform manages, by address. */
  readonly resources: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/**
 * Reads a state file.
 * @throws when it is none, without a value of it
 */
export function parseState(text: string): State {
  const { data, error } = stateFile.safeParse(parsedJson(text));
  if (data === undefined)
    throw new Error(`it is no state of Terraform's that is known here: ${z.prettifyError(error)}`);
  const instances = data.resources
    .filter(({ mode }) => mode === "managed")
    .flatMap(({ module, type, name, instances }) =>
      instances.map(({ index_key, deposed, attributes }) => {
        const index = index_key === undefined ? "" : `[${JSON.stringify(index_key)}]`;
        const address = `${module === undefined ? "" : `${module}.`}${type}.${name}${index}`;
        return [deposed === undefined ? address : `${address} (deposed ${deposed})`, attributes ?? {}] as const;
      }),
    );
  return {
    serial: data.serial,
    lineage: data.lineage,
    terraformVersion: data.terraform_version,
    outputs: new Map(Object.entries(data.outputs)),
    resources: new Map(instances),
  };
}
