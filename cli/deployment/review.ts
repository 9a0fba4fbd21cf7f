import { z } from "zod";
import { type LossRule, lossRules, signsOfState, statefulTypes, statelessTypes } from "../../aws/stateful-types";
import type { OwnPrices } from "../../config/cost";
import { commandsFor } from "../shared/options";
import { environmentOf } from "../shared/terraform";
import { type Change, isRecord, type Plan } from "./plan";
import { type RestingCost, restingCostOf } from "./resting-cost";

/** Something that the plan loses. */
export interface Loss {
  readonly address: string;
  readonly type: string;
  /** What happens to it, and why that is a loss. */
  readonly reasons: readonly string[];
  /** Addresses where the plan makes a resource of the type: it may be the same one, renamed. */
  readonly madeInstead: readonly string[];
  /** Whether it was allowed by name. */
  readonly allowed: boolean;
}

/** How many resources it does each to. */
export type Counts = Readonly<z.infer<typeof reviewJson>["counts"]>;

/** A plan, and whether it may be applied. */
export interface Review {
  readonly stack: string;
  readonly plan: Plan;
  readonly counts: Counts;
  readonly losses: readonly Loss[];
  readonly warnings: readonly string[];
  /** What is to be done by hand after it. */
  readonly notes: readonly string[];
  /** What it changes in what the environment costs at rest. @default nothing that has a price */
  readonly cost?: RestingCost;
  /** Whether nothing is lost but what was allowed. */
  readonly isSafe: boolean;
}

export interface ReviewOptions {
  readonly stack: string;
  /** Addresses whose loss is meant. */
  readonly allowed?: readonly string[];
  /** Attributes and blocks of the types that `typesToLookUp` names. @default no type has any */
  readonly schemas?: ReadonlyMap<string, readonly string[]>;
  /** Prices in the place of those of aws/prices.ts. @default none */
  readonly prices?: OwnPrices;
}

/** The type of a feature group. */
export const featureGroup = "aws_sagemaker_feature_group";

/** What a plan that has another group of features, or none, means for them: AWS lets nobody change a group's features. */
function notesOf({ changes }: Plan, stack: string): string[] {
  const groups = (wanted: Change["kind"]) =>
    changes.filter(({ type, kind }) => type === featureGroup && kind === wanted);
  const left = groups("forget").map(({ address, before }) => nameIn(before) ?? address);
  if (left.length === 0) return [];
  const made = groups("create").map(({ address, after }) => nameIn(after) ?? address);
  const environment = environmentOf(stack);
  const stays = `${left.join(" and ")} stays on AWS with the features in it, and is no longer read.`;
  return made.length === 0
    ? [stays]
    : [
        `${stays} Features must be ingested anew, into ${made.join(" and ")}: ${commandsFor({ env: environment })("features ingest FILE")}`,
      ];
}

const nameIn = (attributes: unknown) =>
  isRecord(attributes) && typeof attributes.feature_group_name === "string" ? attributes.feature_group_name : undefined;

/** What keeps the predictions, by the environment's capacity. */
const warehouseTypes = { steady: "aws_redshift_cluster", "on-demand": "aws_redshiftserverless_namespace" };

/** @throws when the plan would make an environment's capacity another: AWS turns neither into the other, and data would be lost */
function keepCapacity({ changes }: Plan, stack: string): void {
  const has = (wanted: Change["kind"], type: string) =>
    changes.some((change) => change.kind === wanted && change.type === type);
  for (const [from, to] of [
    ["steady", "on-demand"],
    ["on-demand", "steady"],
  ] as const) {
    if (!has("destroy", warehouseTypes[from]) || !has("create", warehouseTypes[to])) continue;
    const deployed = environmentOf(stack);
    throw new Error(
      `${deployed} is deployed with the capacity "${from}", and config.ts says "${to}". A capacity is for an environment's life: ` +
        "AWS makes no warehouse and no endpoint of one kind into the other. Set it back, give the other capacity to a second " +
        "environment, and move the predictions there: UNLOAD in one, files under staged/ of the other (docs/operating.md, " +
        '"Another capacity").',
    );
  }
}

const stateless = new Set(statelessTypes);

const ends = ({ kind }: Change) => kind === "destroy" || kind === "replace";

/** The types in no list of which the plan destroys or replaces something, each with its provider. */
export function typesToLookUp({ changes }: Plan): ReadonlyMap<string, string> {
  const unknown = changes.filter(
    (change) => ends(change) && !(change.type in statefulTypes) && !stateless.has(change.type),
  );
  return new Map(unknown.map(({ type, provider }) => [type, provider]));
}

/**
 * Says what a plan loses.
 * @throws when an address was allowed that the plan does not lose, with those that it does; when it changes the capacity
 */
export function review(plan: Plan, { stack, allowed = [], schemas = new Map(), prices = {} }: ReviewOptions): Review {
  keepCapacity(plan, stack);
  const { changes } = plan;
  const lookedUp = new Map([...typesToLookUp(plan).keys()].map((type) => [type, judge(type, schemas.get(type))]));
  const losses = changes.flatMap((change): Loss[] => {
    const { address, type } = change;
    const held = statefulTypes[type] ?? lookedUp.get(type)?.holds;
    const reasons = [
      ...(ends(change) && held ? [`${inWords(change)}: ${held}`] : []),
      ...lossRules.filter((rule) => rule.type === type).flatMap((rule) => lossBy(rule, change)),
    ];
    if (reasons.length === 0) return [];
    const mayBeRenamed = change.kind === "destroy" && held !== undefined;
    const made = changes.filter((other) => mayBeRenamed && other.kind === "create" && other.type === type);
    const madeInstead = made.map((other) => other.address);
    return [{ address, type, reasons, madeInstead, allowed: allowed.includes(address) }];
  });

  const strange = allowed.filter((address) => losses.every((loss) => loss.address !== address));
  if (strange.length > 0) {
    const lost = losses.map(({ address }) => address).join(", ") || "nothing";
    throw new Error(`--allow-destroy names ${strange.join(", ")}, which this plan does not lose. It loses: ${lost}`);
  }
  const count = (counted: (change: Change) => unknown) => changes.filter(counted).length;
  return {
    stack,
    plan,
    counts: {
      created: count(({ kind }) => kind === "create"),
      updated: count(({ kind }) => kind === "update"),
      replaced: count(({ kind }) => kind === "replace"),
      destroyed: count(({ kind }) => kind === "destroy"),
      moved: count(({ previousAddress }) => previousAddress),
      imported: count(({ importId }) => importId),
      forgotten: count(({ kind }) => kind === "forget"),
    },
    losses,
    warnings: [...lookedUp.values()].map(({ warning }) => warning),
    notes: notesOf(plan, stack),
    cost: restingCostOf(plan, prices),
    isSafe: losses.every((loss) => loss.allowed),
  };
}

/** What a type in no list is taken for. Without a schema it is taken for stateful. */
function judge(type: string, schema?: readonly string[]): { holds?: string; warning: string } {
  const signs = schema?.filter((name) => signsOfState.includes(name)) ?? [];
  const judgement =
    schema === undefined
      ? { holds: "its type is not known", taken: "stateful, since its schema was not found" }
      : signs.length > 0
        ? {
            holds: `types with ${signs.join(", ")} hold something`,
            taken: `stateful, since it has ${signs.join(", ")}`,
          }
        : { taken: "stateless, since nothing in its schema says otherwise" };
  return {
    ...judgement,
    warning: `${type} is in no list of aws/stateful-types.ts. It is taken for ${judgement.taken}`,
  };
}

/** All values that lie at an attribute, through the lists on the way. A `true` on the way holds for all below. */
function valuesAt(tree: unknown, attribute: string): unknown[] {
  const inside = (trees: unknown[], name: string) =>
    trees.flat().map((one) => (isRecord(one) ? one[name] : one === true || undefined));
  return attribute.split(".").reduce(inside, [tree]).flat().filter(isSet);
}

const isSet = (value: unknown) => value !== undefined && value !== null && value !== "";

/** What a change loses by a rule: nothing, or one reason. */
function lossBy(rule: LossRule, change: Change): string[] {
  const { attribute, why } = rule;
  const before = valuesAt(change.before, attribute);
  const after = valuesAt(change.after, attribute);
  const known = !valuesAt(change.unknown, attribute).includes(true);
  const loses = (isLost: boolean, what: string) => (isLost ? [`${what}: ${why}`] : []);
  if (rule.when === "destroyed")
    return loses(ends(change) && before.length > 0, `${inWords(change)} with ${attribute} ${before[0]}`);
  if (rule.when === "moved")
    return loses(change.previousAddress === rule.from && before.includes(rule.value), `${attribute} is ${rule.value}`);
  if (change.kind !== "update") return [];
  switch (rule.when) {
    case "removed":
      return loses(known && before.length > 0 && after.length === 0, `${attribute} is removed`);
    case "becomes": {
      if (before.includes(rule.value)) return [];
      return loses(
        !known || after.includes(rule.value),
        `${attribute} ${known ? "becomes" : "may become"} ${rule.value}`,
      );
    }
    case "lowered": {
      if (!known) return loses(true, `${attribute} is known after apply only, and may be less`);
      const [from, to] = [leastOf(before, rule), leastOf(after, rule)];
      if (from === undefined || to === undefined || from.value === to.value) return [];
      return loses(!(to.rank >= from.rank), `${attribute} goes from ${from.value} to ${to.value}`);
    }
  }
}

/** The least of an attribute's values. One that the rule's order does not have ranks below and above all. */
function leastOf(values: readonly unknown[], { order, forever }: Extract<LossRule, { when: "lowered" }>) {
  const found = forever === null && values.length === 0 ? [null] : values;
  const ranked = found.map((value) => {
    if (value === forever) return { value: "no end", rank: Number.POSITIVE_INFINITY };
    const place = order?.indexOf(String(value));
    return { value: String(value), rank: place === undefined ? Number(value) : place < 0 ? Number.NaN : place };
  });
  return ranked.sort((a, b) => a.rank - b.rank)[0];
}

const inWords = ({ kind }: Change) => (kind === "replace" ? "replaced" : "destroyed");

const attributeChange = z.object({ path: z.string(), before: z.string(), after: z.string() });

/**
 * What `--json` prints. Attributes are texts as people read them: JSON on one line, cut where it is long, `(sensitive)`
 * or `(known after apply)`.
 */
export const reviewJson = z.object({
  version: z.literal(1),
  stack: z.string(),
  /** Whether it may be applied: nothing is lost but what `--allow-destroy` names. */
  safe: z.boolean(),
  /** Whether applying it would do nothing. */
  empty: z.boolean(),
  counts: z.object({
    created: z.number(),
    updated: z.number(),
    replaced: z.number(),
    destroyed: z.number(),
    moved: z.number(),
    imported: z.number(),
    forgotten: z.number(),
  }),
  losses: z.array(
    z.object({
      address: z.string(),
      type: z.string(),
      reasons: z.array(z.string()),
      /** Where the plan makes one of its type: it may be the same one, renamed. */
      madeInstead: z.array(z.string()),
      allowed: z.boolean(),
    }),
  ),
  changes: z.array(
    z.object({
      address: z.string(),
      type: z.string(),
      /** `none` where it is only moved or imported. */
      kind: z.enum(["create", "update", "replace", "destroy", "forget", "none"]),
      previousAddress: z.string().nullable(),
      importId: z.string().nullable(),
      createBeforeDestroy: z.boolean(),
      /** Why Terraform destroys or replaces it. */
      reason: z.string().nullable(),
      attributes: z.array(attributeChange),
      /** The attributes that make Terraform replace it. */
      forcedBy: z.array(attributeChange),
    }),
  ),
  /** Names of the outputs that change. */
  outputs: z.array(z.string()),
  warnings: z.array(z.string()),
  /** What is to be done by hand after it. */
  notes: z.array(z.string()),
  /** What it changes in what the environment costs at rest, in US dollars a month; null where nothing with a price changes. */
  cost: z.object({ usd: z.number(), unpriced: z.array(z.string()) }).nullable(),
});

/** The review for machines. */
export function jsonOf({ plan, isSafe, ...review }: Review): string {
  const { outputs, isEmpty } = plan;
  const changes = plan.changes.map(({ previousAddress = null, importId = null, reason = null, ...change }) => {
    return { ...change, previousAddress, importId, reason };
  });
  const cost = review.cost ?? null;
  const json = { ...review, version: 1, safe: isSafe, empty: isEmpty, changes, outputs, cost };
  return JSON.stringify(reviewJson.parse(json), null, 2);
}
