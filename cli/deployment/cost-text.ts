import { hoursOfMonth, prices, pricesOf } from "../../aws/prices";
import { atRest, type Cost, costOf, perMillion } from "../../config/cost";
import type { Target } from "../connection";
import { costInWords } from "../numbers";
import { terminalWidth, textTable } from "../text-table";

const daysOfMonth = 365 / 12;

const costsOf = ({ shared, environment }: Target, requestsPerDay: number | undefined) => {
  const [resting, million] = [
    costOf(atRest(environment), shared.prices),
    costOf(perMillion(environment), shared.prices),
  ];
  const isAtLeast = resting.isAtLeast || million.isAtLeast;
  const asked = requestsPerDay === undefined ? undefined : (requestsPerDay * daysOfMonth) / 1_000_000;
  const month = asked === undefined ? undefined : { usd: resting.usd + asked * million.usd, isAtLeast };
  return { resting, million, month };
};

/** What an amount counts; months are counted by themselves. */
const units = { hour: " hours", month: "", GB: " GB", "GB-second": " GB-seconds", million: " million" } as const;

const amountOf = (amount: number, of: string) => {
  const number = amount.toLocaleString("en", { maximumFractionDigits: amount < 10 ? 2 : 0 });
  return number + units[prices[of]?.per ?? "hour"];
};

/** A table of lines: what pays for how much of what. */
const tableOf = (title: string, cost: Cost, width: number) =>
  textTable(
    [title, "for", "amount", "USD", "trust"],
    [
      ...cost.lines.map(({ part, of, amount, usd, trust }) => [
        part,
        of,
        amountOf(amount, of),
        usd === undefined ? "?" : usd.toFixed(2),
        trust ?? "not known",
      ]),
      ["in all", "", "", `${cost.isAtLeast ? "≥ " : ""}${cost.usd.toFixed(2)}`, ""],
    ],
    width,
    2,
  );

/** What the instances above the least would cost, where there may be more. */
function scaledText({ shared, environment: { model } }: Target, resting: Cost): string[] {
  if (model.endpoint || !model.scaling) return [];
  const { min, max } = model.scaling;
  const more = costOf(
    [{ part: "endpoint", of: model.instanceType, amount: (max - min) * hoursOfMonth }],
    shared.prices,
  );
  const all = costInWords({ usd: resting.usd + more.usd, isAtLeast: resting.isAtLeast || more.isAtLeast });
  return [
    `The endpoint rests at ${min} of ${min} to ${max} instances. With ${max} all month it would be ${all}: \`offline-inference capacity\` says how long a backlog has more.`,
    ...(model.workingHours ? [`In working hours it rests at ${model.workingHours.min}, which is not in it.`] : []),
  ];
}

/** What an environment costs, for people. */
export function costText(target: Target, requestsPerDay?: number, width = terminalWidth()): string {
  const { shared, environment } = target;
  const { resting, million, month } = costsOf(target, requestsPerDay);
  const unpriced = [...resting.lines, ...million.lines].filter(({ usd }) => usd === undefined).map(({ of }) => of);
  const said = [
    `${environment.name}, at prices of ${pricesOf.when} in ${pricesOf.region}, in US dollars`,
    "",
    tableOf("a month at rest", resting, width),
    "",
    tableOf("a million rows", million, width),
    "",
    ...(month === undefined
      ? []
      : [`With ${requestsPerDay?.toLocaleString("en")} requests a day: ${costInWords(month)} a month.`]),
    ...(unpriced.length === 0
      ? []
      : [`No price is known of ${[...new Set(unpriced)].join(", ")}: say it in \`prices\` of config.ts.`]),
    ...(shared.region === pricesOf.region ? [] : [`In ${shared.region} other prices hold.`]),
    ...scaledText(target, resting),
    ...(environment.model.predictionsPerSecond === undefined
      ? ["The workers' time is the longest they may take: `model.predictionsPerSecond` tells how long they do."]
      : []),
    ...(environment.model.endpoint ? ["The endpoint is somebody else's, and not in it."] : []),
    "Not in it: what is stored (answers, features, logs, the warehouse's data), taxes, and what AWS gives for free.",
  ];
  return said.join("\n");
}

/** The same for machines. */
export function costJson(target: Target, requestsPerDay?: number): string {
  const { resting, million, month } = costsOf(target, requestsPerDay);
  const { when, region } = pricesOf;
  return JSON.stringify(
    { version: 1, prices: { when, region }, monthAtRest: resting, millionRows: million, month },
    null,
    2,
  );
}
