import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

/** What becomes of a resource; `none` where it is only moved or imported. */
type ChangeKind = "create" | "update" | "replace" | "destroy" | "forget" | "none";

const kinds: Readonly<Record<string, ChangeKind>> = {
  "no-op": "none",
  read: "none",
  create: "create",
  update: "update",
  delete: "destroy",
  "delete,create": "replace",
  "create,delete": "replace",
  forget: "forget",
};

/** An attribute that changes, as text: secrets and long values are not in it. */
export interface AttributeChange {
  /** `tags.Name`, `environment[0].variables.QUEUE_URL` */
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** What a plan does to one resource. */
export interface Change {
  readonly address: string;
  readonly type: string;
  readonly provider: string;
  readonly kind: ChangeKind;
  /** Where it is in the state so far. @default the same address */
  readonly previousAddress?: string;
  /** What it is imported by. @default it is not imported */
  readonly importId?: string;
  /** Whether its replacement is there before it goes. */
  readonly createBeforeDestroy: boolean;
  /** Why Terraform destroys or replaces it, in words. @default the plan does not say */
  readonly reason?: string;
  /** What changes, of a resource that is there before and after. */
  readonly attributes: readonly AttributeChange[];
  /** What makes Terraform replace it. */
  readonly forcedBy: readonly AttributeChange[];
  /** Its attributes as they are, secrets among them. */
  readonly before: unknown;
  /** Its attributes as they will be, without those that are known after apply. */
  readonly after: unknown;
  /** What is known after apply: a tree like `after`, `true` where it is so. */
  readonly unknown: unknown;
}

export interface Plan {
  /** What becomes of resources, but for those that stay as and where they are. */
  readonly changes: readonly Change[];
  /** Those that stay as and where they are. */
  readonly kept: readonly Change[];
  /** Names of the outputs that change. */
  readonly outputs: readonly string[];
  /** Whether applying it would do nothing. */
  readonly isEmpty: boolean;
  /** A text without the secrets that the plan knows. */
  redact(text: string): string;
}

const sides = {
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  before_sensitive: z.unknown().optional(),
  after_sensitive: z.unknown().optional(),
};

const path = z.array(z.union([z.string(), z.number()]));
type Path = z.infer<typeof path>;

const resourceChange = z.object({
  address: z.string(),
  previous_address: z.string().optional(),
  mode: z.enum(["managed", "data"]),
  type: z.string(),
  provider_name: z.string(),
  deposed: z.string().optional(),
  action_reason: z.string().optional(),
  change: z.object({
    ...sides,
    actions: z.array(z.string()).transform((actions, context) => {
      const kind = kinds[actions.join()];
      if (kind === undefined) {
        context.addIssue({ code: "custom", message: `"${actions.join()}" is no action that this program knows` });
        return z.NEVER;
      }
      return { kind, createBeforeDestroy: actions.join() === "create,delete" };
    }),
    after_unknown: z.unknown().optional(),
    replace_paths: z.array(path).default([]),
    importing: z.object({ id: z.string().default("known after apply") }).optional(),
  }),
});

interface StateModule {
  resources?: { values?: unknown; sensitive_values?: unknown }[];
  child_modules?: StateModule[];
}

const stateModule: z.ZodType<StateModule> = z.object({
  resources: z.array(z.object({ values: z.unknown().optional(), sensitive_values: z.unknown() })).optional(),
  get child_modules() {
    return z.array(stateModule).optional();
  },
});

/** The part of `terraform show -json` (https://developer.hashicorp.com/terraform/internals/json-format) that is read. */
const planJson = z.object({
  format_version: z.string().startsWith("1."),
  applyable: z.boolean(),
  resource_changes: z.array(resourceChange).default([]),
  resource_drift: z.array(z.object({ change: z.object(sides) })).default([]),
  output_changes: z.record(z.string(), z.object({ ...sides, actions: z.array(z.string()) })).default({}),
  prior_state: z.object({ values: z.object({ root_module: stateModule.optional() }).optional() }).optional(),
});

/**
 * Reads what `terraform show -json` says about a plan.
 * @throws when it is none that this program knows
 */
export function readPlan(json: string): Plan {
  const { data, error } = planJson.safeParse(JSON.parse(json));
  if (error) throw new Error(`Terraform's plan is none that this program knows:\n${z.prettifyError(error)}`);

  const redact = redactorOf([
    ...[...data.resource_changes, ...data.resource_drift].flatMap(({ change }) => secretsOfSides(change)),
    ...Object.values(data.output_changes).flatMap(secretsOfSides),
    ...secretsOfModule(data.prior_state?.values?.root_module ?? {}),
  ]);
  const resources = data.resource_changes
    .filter(({ mode }) => mode === "managed")
    .map(({ change, ...resource }): Change => {
      const { kind, createBeforeDestroy } = change.actions;
      const values: Values = {
        before: change.before,
        after: change.after,
        unknown: change.after_unknown,
        secretBefore: change.before_sensitive,
        secretAfter: change.after_sensitive,
      };
      const stays = kind === "update" || kind === "replace";
      return {
        address: resource.address,
        type: resource.type,
        provider: resource.provider_name,
        kind,
        previousAddress: resource.previous_address,
        importId: change.importing && redact(change.importing.id),
        createBeforeDestroy,
        reason: resource.deposed ? leftover : reasonOf(resource.action_reason),
        attributes: stays ? differences(values, [], redact) : [],
        forcedBy: change.replace_paths.flatMap((forcing) => {
          const found = differences(forcing.reduce(step, values), forcing, redact);
          return found.length > 0 ? found : [{ path: inWords(forcing), before: "", after: "" }];
        }),
        before: change.before,
        after: change.after,
        unknown: change.after_unknown,
      };
    });
  const isKept = ({ kind, previousAddress, importId }: Change) => kind === "none" && !previousAddress && !importId;
  const [changes, kept] = [resources.filter((one) => !isKept(one)), resources.filter(isKept)];
  const outputs = Object.entries(data.output_changes).filter(([, { actions }]) => actions.join() !== "no-op");
  return { changes, kept, outputs: outputs.map(([name]) => name), isEmpty: !data.applyable, redact };
}

const leftover = "an earlier replacement left it behind";

const reasonOf = (said?: string) => (said === undefined ? undefined : (reasons[said] ?? said));

const reasons: Readonly<Record<string, string>> = {
  replace_because_tainted: "it was not made completely the last time, or is marked as tainted",
  replace_by_request: "asked for by -replace",
  replace_by_triggers: "something that it is to be replaced with changes (replace_triggered_by)",
  replace_because_cannot_update: "it cannot be changed in place",
  delete_because_no_resource_config: "it is no longer in the stack",
  delete_because_no_module: "its module is no longer in the stack",
  delete_because_wrong_repetition: "it is no longer one of several, or the other way round",
  delete_because_count_index: "there are fewer of it",
  delete_because_each_key: "its key is no longer there",
  delete_because_no_move_target: "it was moved to an address that is not in the stack",
};

/** One value of a resource, as Terraform's five trees tell of it. A `true` in a tree holds for all below. */
interface Values {
  readonly before: unknown;
  readonly after: unknown;
  readonly unknown: unknown;
  readonly secretBefore: unknown;
  readonly secretAfter: unknown;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const at = (tree: unknown, key: string | number): unknown =>
  isRecord(tree) ? tree[key] : Array.isArray(tree) ? tree[Number(key)] : undefined;

const step = (values: Values, key: string | number): Values => ({
  before: at(values.before, key),
  after: at(values.after, key),
  unknown: values.unknown === true || at(values.unknown, key),
  secretBefore: values.secretBefore === true || at(values.secretBefore, key),
  secretAfter: values.secretAfter === true || at(values.secretAfter, key),
});

const isEmpty = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);

/** The innermost values that change. An empty value instead of none is no change. */
function differences(values: Values, path: Path, redact: Plan["redact"]): AttributeChange[] {
  const { before, after, unknown, secretBefore, secretAfter } = values;
  const inside = (keys: readonly (string | number)[]) =>
    keys.flatMap((key) => differences(step(values, key), [...path, key], redact));
  const isSecret = secretBefore === true || secretAfter === true;
  if (!isSecret && unknown !== true) {
    if (isRecord(before) && isRecord(after)) {
      const known = isRecord(unknown) ? Object.keys(unknown) : [];
      return inside([...new Set([...Object.keys(before), ...Object.keys(after), ...known])].sort());
    }
    const lists = Array.isArray(before) && Array.isArray(after) && before.length === after.length;
    if (lists && before.every(isRecord)) return inside([...before.keys()]);
  }
  const changes = mentions(unknown) || !isDeepStrictEqual(before, after);
  if (!changes || (isEmpty(before) && isEmpty(after) && !mentions(unknown))) return [];
  const shown = (value: unknown, secrets: unknown, notKnown: unknown) =>
    inShort(isEmpty(value) && !mentions(notKnown) ? value : masked(value, isSecret || secrets, notKnown), redact);
  return [
    { path: inWords(path), before: shown(before, secretBefore, false), after: shown(after, secretAfter, unknown) },
  ];
}

/** Stands for a value that is not shown. */
class Hidden {
  constructor(readonly text: string) {}
  toJSON() {
    return this.text;
  }
}

const secret = new Hidden("(sensitive)");
const knownAfterApply = new Hidden("(known after apply)");

/** Whether a tree says `true` anywhere. */
const mentions = (tree: unknown): boolean =>
  tree === true || (typeof tree === "object" && tree !== null && Object.values(tree).some(mentions));

/** A value without what is secret or not yet known. */
function masked(value: unknown, secrets: unknown, unknown: unknown): unknown {
  if (secrets === true) return secret;
  if (unknown === true) return knownAfterApply;
  const inside = (key: string | number) => masked(at(value, key), at(secrets, key), at(unknown, key));
  if (Array.isArray(value)) {
    const length = Math.max(value.length, Array.isArray(unknown) ? unknown.length : 0);
    return Array.from({ length }, (_, index) => inside(index));
  }
  if (!isRecord(value)) return mentions(unknown) ? knownAfterApply : value;
  const keys = new Set([...Object.keys(value), ...(isRecord(unknown) ? Object.keys(unknown) : [])]);
  return Object.fromEntries([...keys].map((key) => [key, inside(key)]));
}

const longest = 72;

/** A value on one line, cut where it is long. */
function inShort(value: unknown, redact: Plan["redact"]): string {
  if (value instanceof Hidden) return value.text;
  const text = redact(JSON.stringify(value ?? null)).replace(/(\\[nrt]|\s)+/g, " ");
  return text.length <= longest ? text : `${text.slice(0, longest - 2)} …`;
}

const inWords = (path: Path) =>
  path.reduce<string>((text, key) => (typeof key === "number" ? `${text}[${key}]` : text ? `${text}.${key}` : key), "");

/** The texts below the places that a tree marks as secret. */
function secretsOf(value: unknown, marks: unknown): string[] {
  if (typeof value === "string") return marks === true ? [value] : [];
  if (typeof value === "number") return marks === true ? [String(value)] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => secretsOf(inner, marks === true || at(marks, key)));
}

const secretsOfSides = (change: { [name in keyof typeof sides]?: unknown }) => [
  ...secretsOf(change.before, change.before_sensitive),
  ...secretsOf(change.after, change.after_sensitive),
];

const secretsOfModule = ({ resources = [], child_modules = [] }: StateModule): string[] => [
  ...resources.flatMap(({ values, sensitive_values }) => secretsOf(values, sensitive_values)),
  ...child_modules.flatMap(secretsOfModule),
];

/** Shorter ones are words that are everywhere: without them nothing could be read. */
const shortestSecret = 6;

/**
 * Takes secrets out of a text. Terraform marks an attribute as secret, and shows the same value in the clear where
 * another resource has a copy of it that nothing marks.
 */
function redactorOf(secrets: readonly string[]): Plan["redact"] {
  const lines = secrets.flatMap((text) => [text, ...text.split("\n").map((line) => line.trim())]);
  const forms = lines.flatMap((line) => [line, JSON.stringify(line).slice(1, -1)]);
  const long = [...new Set(forms)].filter(({ length }) => length >= shortestSecret);
  long.sort((a, b) => b.length - a.length); // one may be part of another
  return (text) => long.reduce((rest, form) => rest.replaceAll(form, () => "(sensitive)"), text);
}
