import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

type Body = Record<string, unknown>;

const blocks = z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({});
const stackFile = z.object({
  resource: blocks,
  data: blocks,
  provider: z.object({ aws: z.tuple([z.looseObject({ region: z.string(), profile: z.string().optional() })]) }),
});

/** A resource or a data source of a stack: the attributes that were asked for, and where it is. */
export type Block<Attributes> = Attributes & {
  /** `aws_sqs_queue.inference_queue`, with `data.` before it for a data source. */
  readonly address: string;
};

/** A synthesized stack, read without Terraform. */
export class Stack {
  private readonly known = new Map<string, string>();

  constructor(
    /** Folder of the stack, which paths in it are relative to. */
    readonly directory: string,
    readonly region: string,
    private readonly bodies: Map<string, Body>,
    /** The profile in AWS's configuration files. @default AWS's usual environment */
    readonly profile?: string,
  ) {}

  /** Says what attributes are that only AWS would know: `aws_sqs_queue.inference_queue.url`. */
  supply(attributes: Record<string, string>) {
    for (const [reference, value] of Object.entries(attributes)) this.known.set(reference, value);
  }

  /**
   * Every block of a type (`aws_sqs_queue`, `data.archive_file`), with the attributes that the schema names. References
   * in them are replaced by what they refer to.
   * @throws for attributes that do not fit the schema, and for a reference to what neither the stack nor `supply` says
   */
  all<Schema extends z.ZodObject>(type: string, schema: Schema): Block<z.infer<Schema>>[] {
    const addresses = [...this.bodies.keys()].filter((address) => address.startsWith(`${type}.`));
    return addresses.map((address) => {
      const picked = this.parse(address, schema, this.bodies.get(address)); // the rest may refer to what only AWS knows
      return { ...this.parse(address, schema, this.resolve(picked, address)), address };
    });
  }

  /** The only block of a type. @throws as {@link all}, and when there is none or another */
  only<Schema extends z.ZodObject>(type: string, schema: Schema): Block<z.infer<Schema>> {
    const [block, ...others] = this.all(type, schema);
    if (!block || others.length > 0) {
      const addresses = [block, ...others].flatMap((found) => found?.address ?? []).join(", ");
      throw new Error(`${this.directory} must have one ${type}, it has ${addresses || "none"}`);
    }
    return block;
  }

  private parse<Schema extends z.ZodType>(address: string, schema: Schema, body: unknown): z.infer<Schema> {
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw new Error(`${address} in ${this.directory}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  }

  private resolve(value: unknown, address: string): unknown {
    if (typeof value === "string") {
      return value.replace(/([$%])\1\{|\$\{([^}]*)\}/g, (_, escaped?: string, expression = "") =>
        escaped === undefined ? this.lookUp(expression.trim(), address) : `${escaped}{`,
      );
    }
    if (Array.isArray(value)) return value.map((item) => this.resolve(item, address));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.resolve(item, address)]));
    }
    return value;
  }

  private lookUp(expression: string, address: string): string {
    const known = this.known.get(expression);
    if (known !== undefined) return known;
    const [, target, path] = /^((?:data\.)?\w+\.\w+)\.([\w.[\]]+)$/.exec(expression) ?? [];
    const body = target === undefined ? undefined : this.bodies.get(target);
    const keys = path?.split(/[.[\]]+/).filter((key) => key !== "");
    const found = keys?.reduce<unknown>((parent, key) => child(parent, key), body);
    if (target === undefined || !["string", "number", "boolean"].includes(typeof found)) {
      throw new Error(`${address} in ${this.directory} refers to \${${expression}}, which is known only on AWS`);
    }
    return String(this.resolve(found, target));
  }
}

function child(parent: unknown, key: string): unknown {
  if (Array.isArray(parent)) return parent[Number(key)];
  return typeof parent === "object" && parent !== null ? new Map(Object.entries(parent)).get(key) : undefined;
}

/**
 * Reads a synthesized stack, `cdktf.out/stacks/<stack>`.
 * @throws when it is not there or is not what cdktf writes
 */
export function readStack(directory: string): Stack {
  const file = join(directory, "cdk.tf.json");
  const parsed = stackFile.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  const { resource, data, provider } = parsed.data;
  const bodies = new Map<string, Body>();
  for (const [prefix, types] of [["", resource] as const, ["data.", data] as const]) {
    for (const [type, byId] of Object.entries(types)) {
      for (const [id, body] of Object.entries(byId)) bodies.set(`${prefix}${type}.${id}`, body);
    }
  }
  const [{ region, profile }] = provider.aws;
  return new Stack(directory, region, bodies, profile);
}
