import { hoursOfMonth } from "../../aws/prices";
import { statefulTypes } from "../../aws/stateful-types";
import { usualMinutes } from "../../aws/usual-minutes";
import { createColors } from "../shared/colours";
import { counted, dollars } from "../shared/numbers";
import type { AttributeChange, Change, Plan } from "./plan";
import type { RestingCost } from "./resting-cost";
import type { Counts, Loss, Review } from "./review";

interface Item {
  readonly address: string;
  /** What is said beside it. */
  readonly note?: string;
  readonly details?: readonly string[];
  readonly isStateful: boolean;
  readonly isLost: boolean;
}

interface Section {
  readonly title: string;
  readonly mark: string;
  readonly items: readonly Item[];
}

const words: readonly [keyof Counts, string][] = [
  ["created", "created"],
  ["updated", "changed in place"],
  ["replaced", "replaced"],
  ["destroyed", "destroyed"],
  ["moved", "moved"],
  ["imported", "imported"],
  ["forgotten", "forgotten"],
];

/** `2 created, 1 changed in place` */
function countsInWords({ counts, plan }: Pick<Review, "counts" | "plan">): string {
  const said = words.filter(([name]) => counts[name] > 0).map(([name, word]) => `${counts[name]} ${word}`);
  if (said.length > 0) return said.join(", ");
  return plan.isEmpty ? "no changes" : "only outputs change";
}

const inWords = ({ path, before, after }: AttributeChange) =>
  before || after ? `${path}: ${before} → ${after}` : path;

/** The changes of attributes, one a line, but for tags and what is only known later: these go by name. */
function attributeLines(attributes: readonly AttributeChange[]): string[] {
  const isTag = ({ path }: AttributeChange) => /^tags(_all)?(\.|$)/.test(path);
  const isLater = ({ after }: AttributeChange) => after === "(known after apply)";
  const tags = new Set(attributes.filter(isTag).map(({ path }) => path.replace(/^tags(_all)?\.?/, "") || "all"));
  const later = attributes.filter((attribute) => !isTag(attribute) && isLater(attribute)).map(({ path }) => path);
  return [
    ...attributes.filter((attribute) => !isTag(attribute) && !isLater(attribute)).map(inWords),
    ...(tags.size > 0 ? [`tags: ${[...tags].join(", ")}`] : []),
    ...(later.length > 0 ? [`known after apply: ${later.join(", ")}`] : []),
  ];
}

/** What the plan does, a section for each kind of change, stateful resources first in each. */
function sectionsOf({ plan, losses }: Review): Section[] {
  const lost = new Set(losses.map(({ address }) => address));
  const section = (
    title: string,
    mark: string,
    belongs: (change: Change) => unknown,
    about: (change: Change) => Pick<Item, "note" | "details"> = () => ({}),
  ): Section => {
    const items = plan.changes.filter(belongs).map((change): Item => {
      const { address, type } = change;
      const isLost = lost.has(address);
      return { address, isStateful: isLost || type in statefulTypes, isLost, ...about(change) };
    });
    const [first, ...others] = new Set(items.map(({ note }) => note));
    const same = items.length > 1 && others.length === 0 ? first : undefined; // is said once for all
    const said = items.map((item) => (same ? { ...item, note: undefined } : item));
    return {
      title: same ? `${title}: ${same}` : title,
      mark,
      items: [...said.filter(({ isStateful }) => isStateful), ...said.filter(({ isStateful }) => !isStateful)],
    };
  };
  return [
    section("Replaced", "±", ({ kind }) => kind === "replace", replacement),
    section(
      "Destroyed",
      "-",
      ({ kind }) => kind === "destroy",
      ({ reason }) => ({ note: reason }),
    ),
    section(
      "Changed in place",
      "~",
      ({ kind }) => kind === "update",
      ({ attributes }) => ({ details: attributeLines(attributes) }),
    ),
    section("Created", "+", ({ kind }) => kind === "create"),
    section(
      "Moved in the state",
      "→",
      ({ previousAddress }) => previousAddress,
      ({ previousAddress }) => ({ note: `from ${previousAddress}` }),
    ),
    section(
      "Imported",
      "←",
      ({ importId }) => importId,
      ({ importId }) => ({ note: `by ${importId}` }),
    ),
    section("Forgotten: they stay, and Terraform no longer knows them", ".", ({ kind }) => kind === "forget"),
  ].filter(({ items }) => items.length > 0);
}

function replacement({ createBeforeDestroy, forcedBy, reason }: Change): Pick<Item, "note" | "details"> {
  const note = createBeforeDestroy ? "the new one is there before the old one goes" : "the old one goes first";
  const forced = forcedBy.length > 0 ? forcedBy.map(inWords) : reason ? [reason] : [];
  return { note, details: forced.map((why) => `forced by ${why}`) };
}

/** Whether the plan may be applied, in a sentence. */
function verdictOf({ losses, isSafe }: Review): string {
  const open = losses.filter(({ allowed }) => !allowed).length;
  if (!isSafe) return `Not safe: ${counted(open, "resource")} would be lost, or lose something, for good.`;
  if (losses.length === 0) return "Safe: nothing stateful is lost.";
  return `${counted(losses.length, "loss", "losses")}, allowed by name. Nothing else stateful is lost.`;
}

const renamed = ({ address, madeInstead }: Loss): string[] =>
  madeInstead.length === 0
    ? []
    : [
        `Is ${madeInstead.join(" or ")} the same one, renamed? Then add ${address} to the moved table (stacks/moved.ts)`,
      ];

/** How to go on where the plan is not safe. */
const wayOut = (losses: readonly Loss[]) => {
  const flags = losses.filter(({ allowed }) => !allowed).map(({ address }) => `--allow-destroy '${address}'`);
  return `Where that is meant: ${flags.join(" ")}`;
};

/** What the plan changes in the cost, as a sentence. */
function costSentence({ usd, unpriced }: RestingCost): string {
  const [month, hour] = [usd, usd / hoursOfMonth].map((amount) => dollars(Math.abs(amount)));
  const amount = usd === 0 ? "" : `about ${month} a month ${usd < 0 ? "less" : "more"} (${hour} an hour)`;
  const without = unpriced.length === 0 ? "" : `${unpriced.join(", ")}, of which no price is known`;
  if (usd === 0) return `At rest its cost changes by that of ${without}.`;
  return `At rest it costs ${[amount, without].filter(Boolean).join(", and something else for ")}.`;
}

/** How long it usually takes to apply a plan, as a sentence: AWS makes most things at the same time. */
function usualTime({ changes }: Plan): string {
  const made = changes.filter(({ kind }) => ["create", "replace", "update"].includes(kind));
  const minutesOf = ({ type }: Change) => usualMinutes[type] ?? 0;
  const [slowest] = [...made].sort((one, other) => minutesOf(other) - minutesOf(one));
  if (slowest === undefined || minutesOf(slowest) === 0) return "To apply it usually takes a minute or two (assumed).";
  return `To apply it usually takes about ${minutesOf(slowest) + 2} minutes (assumed), most of them for ${slowest.address}.`;
}

/** Resources that are listed one by one where all of a stack is new. */
const longestFirstList = 12;

/** The new resources of a first deployment, a part of the stack a line; no part where they are few, or others change too. */
function partsOf({ plan: { changes }, counts }: Review): Section | undefined {
  if (counts.created < changes.length || changes.length <= longestFirstList) return undefined;
  const parts = [...new Set(changes.map(({ address }) => partIn(address)))].sort();
  const widest = Math.max(...parts.map(({ length }) => length));
  const items = parts.map((part): Item => {
    const made = changes.filter(({ address }) => partIn(address) === part);
    const stateful = made.filter(({ type }) => type in statefulTypes).map(({ address }) => address);
    const count = `${part.padEnd(widest)}  ${String(made.length).padStart(3)}`;
    return { address: count, note: stateful.join(", "), isStateful: false, isLost: false };
  });
  return { title: "Created, by part of the stack, with those that hold something", mark: "+", items };
}

/** The construct of a stack that a resource belongs to: addresses are made of the constructs' ids. */
const partIn = (address: string) => /^[^.]*\.([^_]+)/.exec(address)?.[1] ?? address;

/** The review for people at a terminal. */
export function textOf(review: Review, colours: boolean): string {
  const { bold, dim, green, red, yellow } = createColors(colours);
  const { stack, plan, losses, warnings, notes, cost, isSafe } = review;
  const lines = [`${bold(stack)}: ${countsInWords(review)}`];
  for (const loss of losses) {
    const tone = loss.allowed ? yellow : red;
    lines.push("", tone(`! ${bold(loss.address)}${loss.allowed ? " (allowed)" : ""}`));
    lines.push(...[...loss.reasons, ...renamed(loss)].map((line) => tone(`    ${line}`)));
  }
  const parts = partsOf(review);
  for (const { title, mark, items } of parts ? [parts] : sectionsOf(review)) {
    lines.push("", bold(title));
    for (const { address, note, details = [], isStateful, isLost } of items) {
      const shown = isLost ? red(bold(address)) : isStateful ? bold(address) : address;
      lines.push(`  ${mark} ${shown}${note ? dim(`  ${note}`) : ""}`, ...details.map((detail) => `      ${detail}`));
    }
  }
  if (plan.outputs.length > 0) lines.push("", `${bold("Outputs that change")}: ${plan.outputs.join(", ")}`);
  if (cost) lines.push("", costSentence(cost));
  if (!plan.isEmpty) lines.push(...(cost ? [] : [""]), usualTime(plan));
  if (warnings.length > 0) lines.push("", ...warnings.map((warning) => yellow(`Warning: ${warning}`)));
  if (notes.length > 0) lines.push("", ...notes.map((note) => yellow(note)));
  lines.push("", isSafe ? (losses.length === 0 ? green : yellow)(verdictOf(review)) : red(bold(verdictOf(review))));
  if (!isSafe) lines.push(wayOut(losses));
  return lines.join("\n");
}

/**
 * What the destruction of a stack loses, for people at a terminal.
 * @param holdings what it holds, a line each
 * @param kept what stays of it, a line each
 */
export function destructionTextOf(
  { stack, plan, losses, warnings, counts }: Review,
  { holdings, kept }: { readonly holdings: readonly string[]; readonly kept: readonly string[] },
  colours: boolean,
): string {
  const { bold, red, yellow } = createColors(colours);
  const lines = [`${bold(stack)}: ${countsInWords({ plan, counts })}`];
  for (const { address, reasons } of losses) {
    lines.push("", red(`! ${bold(address)}`), ...reasons.map((line) => red(`    ${line}`)));
  }
  if (warnings.length > 0) lines.push("", ...warnings.map((warning) => yellow(`Warning: ${warning}`)));
  if (holdings.length > 0) lines.push("", bold("It holds"), ...holdings.map((line) => `  ${line}`));
  if (kept.length > 0) lines.push("", ...kept);
  const others = counted(plan.changes.length - losses.length, "other resource");
  lines.push("", red(bold(`What these hold is lost for good. ${others} can be made anew.`)));
  return lines.join("\n");
}

/** Characters that GitHub takes in one comment. */
const longestComment = 65_536;
/** What of them the summary may take, so that some of the plan itself is always there. */
const longestSummary = 40_000;
/** Resources that a comment lists unfolded. */
const longestList = 12;

/** Text as Markdown code, whatever backticks it holds. */
function code(text: string): string {
  const fence = "`".repeat(Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return fence === "`" ? `\`${text}\`` : `${fence} ${text} ${fence}`;
}

/** The lines that fit into so many characters, and how many do not. */
function cut(lines: readonly string[], room: number): { text: string; left: number } {
  let length = 0;
  const tooLong = lines.findIndex((line) => {
    length += line.length + 1;
    return length > room;
  });
  const fitting = tooLong < 0 ? lines : lines.slice(0, tooLong);
  return { text: fitting.join("\n"), left: lines.length - fitting.length };
}

const note = (left: number, of: string) =>
  left > 0 ? `\n\n_${left} more lines of ${of} do not fit into a comment._` : "";

/** The first line of a comment, by which it is found again. */
const commentMarker = (stack: string) => `<!-- offline-inference plan: ${stack} -->`;

/**
 * The review as a comment of a pull request, with the whole plan folded away.
 * @param whole what `terraform show` says
 */
export function markdownOf(review: Review, whole: string): string {
  const { stack, plan, losses, warnings, notes, cost, isSafe } = review;
  const head = [commentMarker(stack), `### Plan of ${code(stack)}: ${countsInWords(review)}`, ""];
  head.push(`> [!${isSafe ? (losses.length === 0 ? "NOTE" : "WARNING") : "CAUTION"}]`, `> **${verdictOf(review)}**`);
  for (const loss of losses) {
    head.push(`> - ${code(loss.address)}${loss.allowed ? " (allowed)" : ""}`);
    head.push(...[...loss.reasons, ...renamed(loss)].map((line) => `>   - ${escaped(line)}`));
  }
  if (!isSafe) head.push(">", `> ${wayOut(losses).replace(/(--allow-destroy.*)/, (flags) => code(flags))}`);
  if (cost) head.push("", `> ${escaped(costSentence(cost))}`);
  for (const warning of warnings) head.push("", `> Warning: ${escaped(warning)}`);
  for (const said of notes) head.push("", `> ${escaped(said)}`);

  for (const { title, items } of sectionsOf(review)) {
    const isFolded = items.length > longestList;
    head.push("", isFolded ? `<details><summary><b>${title}</b> (${items.length})</summary>` : `**${title}**`, "");
    for (const { address, note, details = [], isStateful } of items) {
      const shown = isStateful ? `**${code(address)}**` : code(address);
      head.push(`- ${shown}${note ? ` ${escaped(note)}` : ""}`, ...details.map((detail) => `  - ${code(detail)}`));
    }
    if (isFolded) head.push("", "</details>");
  }
  if (plan.outputs.length > 0) head.push("", `Outputs that change: ${plan.outputs.map(code).join(", ")}`);
  const summary = cut(head, longestSummary);
  const cutFold = summary.text.lastIndexOf("\n<details>") > summary.text.lastIndexOf("\n</details>");
  const top = `${summary.text}${cutFold ? "\n\n</details>" : ""}${note(summary.left, "this summary")}`;

  const lines = plan.redact(whole).trim().split("\n");
  const fence = "`".repeat(Math.max(3, ...[...whole.matchAll(/`+/g)].map(([run]) => run.length + 1)));
  const fold = (text: string, left: number) =>
    `${top}\n\n<details><summary>The whole plan</summary>\n\n${fence}text\n${text}\n${fence}${note(left, "the plan")}\n\n</details>`;
  const { text, left } = cut(lines, longestComment - fold("", lines.length).length);
  return fold(text, left);
}

/** Text in which Markdown and HTML see nothing. */
const escaped = (text: string) => text.replace(/[\\`*_{}[\]<>()#+!|~&@]/g, (sign) => `\\${sign}`);
