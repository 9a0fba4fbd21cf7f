import { z } from "zod";
import { describeName, describeRange, isName, isWithin, type NameLimit, type Range } from "../aws/limits";

/** Schemas of what people write. Each fault says what was given, what is allowed and where that comes from. */

/** Every fault of a configuration, a line each: the path, what was given, what is allowed and why. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(
    readonly faults: readonly string[],
    files: readonly string[] = ["config.ts"],
  ) {
    const have = files.length === 1 ? "has" : "have";
    const problems = faults.length === 1 ? "problem" : "problems";
    super([`${files.join(" and ")} ${have} ${faults.length} ${problems}:`, ...faults].join("\n  "));
  }
}

// Every message below is the whole fault but its path, so that each can show just what helps.

export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = textOf(value);
  if (/PRIVATE KEY/.test(text)) return "a private key (not shown)";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value === "bigint" ? `${value}n` : "what JSON cannot hold";
  }
}

export const got = (value: unknown, allowed: string, source?: string) =>
  `got ${show(value)}; allowed: ${allowed}${source === undefined ? "" : ` (${source})`}`;

export const refuse =
  (allowed: string, source?: string) =>
  ({ input }: { input?: unknown }) =>
    got(input, allowed, source);

export const whole = (range: Range) => {
  const error = refuse(describeRange(range), range.source);
  return z.number({ error }).refine((value) => isWithin(value, range), { error });
};

export const text = (limit: NameLimit) => {
  const error = refuse(describeName(limit), limit.source);
  return z.string({ error }).refine((value) => isName(value, limit), { error });
};

export const oneOf = <const Value extends string | number>(values: readonly Value[], why: string) =>
  z.literal(values, { error: refuse(values.map((value) => show(value)).join(", "), why) });

export const yesOrNo = () => z.boolean({ error: refuse("true or false") });

/**
 * An object that knows all its fields; the message of an unknown one lists them, for `faultsOf` to read.
 * @param insteadOf what to write in the place of something that was a value once @default nothing was
 */
export const group = <Shape extends z.ZodRawShape>(
  shape: Shape,
  insteadOf?: (written: unknown) => string | undefined,
) =>
  z.strictObject(shape, {
    error: (issue) => {
      const fields = Object.keys(shape).join(", ");
      if (issue.code === "unrecognized_keys") return fields;
      return got(issue.input, insteadOf?.(issue.input) ?? `an object with fields of ${fields}`);
    },
  });

/** A field that is not to be there. @param allowed `nothing`, and in what case */
export const nothing = (allowed: string, source?: string) => z.undefined({ error: refuse(allowed, source) }).optional();

/** Lets a rule over several fields run beside other faults, as long as its own fields have none. */
export const sound =
  (...fields: string[]) =>
  ({ issues }: z.core.ParsePayload) =>
    issues.every(({ code, path = [] }) => {
      if (code === "unrecognized_keys") return true;
      const fault = path.join(".");
      return fields.every(
        (field) => fault !== "" && !`${field}.`.startsWith(`${fault}.`) && !`${fault}.`.startsWith(`${field}.`),
      );
    });

export const fault = (path: PropertyKey[], message: string) => ({ code: "custom" as const, path, message });

/** A rule over fields of a section. It waits while one of them has a fault of its own. */
export type Rule<Value> = {
  /** Its fields, by their paths. The first is the one at fault; "" is the section. */
  readonly of: readonly string[];
} & (
  | {
      readonly holds: (value: Value) => boolean;
      readonly allowed: string | ((value: Value) => string);
      /** What was given, in words. @default the first field's value */
      readonly given?: (value: Value) => string;
      /** Where that is stated, or why it is so. */
      readonly source?: string | ((value: Value) => string);
    }
  /** What is wrong of a list, or in several fields. */
  | { readonly faults: (value: Value) => readonly ReturnType<typeof fault>[] }
);

/** A section with its rules, which run when its fields are read. */
export const ruled = <Schema extends z.ZodType>(section: Schema, rules: readonly Rule<z.output<Schema>>[]): Schema =>
  rules.reduce(
    (schema, rule) =>
      schema.superRefine(
        (value, context) => {
          for (const issue of faultsBy(rule, value)) context.addIssue(issue);
        },
        { when: sound(...rule.of) },
      ),
    section,
  );

function faultsBy<Value>(rule: Rule<Value>, value: Value) {
  if ("faults" in rule) return rule.faults(value);
  if (rule.holds(value)) return [];
  const path = rule.of[0] ? rule.of[0].split(".") : [];
  const given = rule.given?.(value) ?? show(valueAt(value, path));
  const say = (words: string | ((value: Value) => string)) => (typeof words === "function" ? words(value) : words);
  const source = rule.source === undefined ? "" : ` (${say(rule.source)})`;
  return [fault(path, `got ${given}; allowed: ${say(rule.allowed)}${source}`)];
}

/** What lies at a path; undefined where nothing does. */
export function valueAt(value: unknown, [field, ...rest]: readonly string[]): unknown {
  if (field === undefined) return value;
  return typeof value === "object" && value !== null ? valueAt(Reflect.get(value, field), rest) : undefined;
}

/** The faults of what lies at a path, a line each. */
export function faultsOf(at: string[], error?: z.ZodError): string[] {
  return (error?.issues ?? []).flatMap((issue) => {
    const where = (...fields: string[]) => z.core.toDotPath([...at, ...issue.path, ...fields]) || "settings";
    // Of a union the last member has fields, and its faults tell more than that no member fits.
    const inside = issue.code === "invalid_union" ? (issue.errors.at(-1) ?? []) : [];
    if (inside.some(({ code, path }) => path.length > 0 || code === "unrecognized_keys")) {
      return faultsOf([...at, ...issue.path.map(String)], new z.ZodError(inside));
    }
    if (issue.code !== "unrecognized_keys") return [`${where()}: ${issue.message}`];
    return issue.keys.map((key) => {
      const meant = issue.message.split(", ").find((field) => distance(key.toLowerCase(), field.toLowerCase()) <= 2);
      return `${where(key)}: got a field that does not exist${meant ? `, did you mean ${meant}?` : ""}; allowed: ${issue.message}`;
    });
  });
}

/** How many letters must be added, removed or changed to make one word the other. */
function distance(one: string, other: string): number {
  let row = [...other].map((_, index) => index + 1);
  for (const [index, letter] of [...one].entries()) {
    let left = index + 1;
    let diagonal = index;
    row = [...other].map((wanted, column) => {
      const above = row[column] ?? 0;
      left = Math.min(above + 1, left + 1, diagonal + (letter === wanted ? 0 : 1));
      diagonal = above;
      return left;
    });
  }
  return row.at(-1) ?? one.length;
}

/** What is said of a name that is refused: what is allowed, and the source. */
export type Refusal = readonly [allowed: string, source: string];

/** What a limit says of a name. */
export const refusalsBy = (limit: NameLimit, name: string): Refusal[] =>
  isName(name, limit) ? [] : [[describeName(limit), limit.source]];

/** The rule that the names in a field are to follow, whatever is wrong with what they name. */
export const nameRule = (
  field: string,
  refusalsOf: (name: string, earlier: readonly string[]) => Refusal[],
): Rule<unknown> => ({
  of: [],
  faults: (section) => {
    const given = valueAt(section, [field]);
    const names = typeof given === "object" && given !== null && !Array.isArray(given) ? Object.keys(given) : [];
    return names.flatMap((name, index) =>
      refusalsOf(name, names.slice(0, index)).map(([allowed, source]) =>
        fault([field, name], got(name, allowed, source)),
      ),
    );
  },
});
