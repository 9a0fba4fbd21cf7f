import { hoursOfMonth, prices, pricesOf } from "../../aws/prices";
import { atRest, type Cost, costOf, perMillion, trickle, wakeUp } from "../../config/cost";
import type { Target } from "../shared/connection";
import { costInWords } from "../shared/numbers";
import { commandsFor } from "../shared/options";
import { terminalWidth, textTable } from "../shared/text-table";

const daysOfMonth = 365 / 12;

/** What an environment costs at rest, a million rows, and so many requests a day. */
export const costsOf = ({ shared, environment }: Target, requestsPerDay: number | undefined) => {
  const { region } = shared;
  const [resting, million] = [
    costOf(atRest(environment), shared.prices),
    costOf(perMillion(environment, region), shared.prices),
  ];
  const wake = wakeUp(environment, region);
  const waking = wake && costOf([wake], shared.prices);
  if (requestsPerDay === undefined) return { resting, million, waking };
  const isAtLeast = resting.isAtLeast || million.isAtLeast;
  const asked = (requestsPerDay * daysOfMonth) / 1_000_000;
  const even = costOf(trickle(environment, region, requestsPerDay), shared.prices);
  return {
    resting,
    million,
    waking,
    // A job wakes the warehouse at its end.
    month: { usd: resting.usd + asked * million.usd + daysOfMonth * (waking?.usd ?? 0), isAtLeast },
    evenly: { usd: resting.usd + even.usd, isAtLeast: resting.isAtLeast || even.isAtLeast },
  };
};

/** What an amount counts; months are counted by themselves. */
const units = { hour: " hours", month: "", GB: " GB", "GB-second": " GB-seconds", million: " million" } as const;

const amountOf = (amount: number | undefined, of: string) => {
  if (amount === undefined) return "?";
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
function scaledText({ shared, environment: { name, model } }: Target, resting: Cost): string[] {
  if (model.endpoint || !model.scaling) return [];
  const { min, max } = model.scaling;
  const more = costOf(
    [{ part: "endpoint", of: model.instanceType, amount: (max - min) * hoursOfMonth }],
    shared.prices,
  );
  const all = costInWords({ usd: resting.usd + more.usd, isAtLeast: resting.isAtLeast || more.isAtLeast });
  return [
    `The endpoint rests at ${min} of ${min} to ${max} instances. With ${max} all month it would be ${all}: \`${commandsFor({ env: name })("capacity")}\` says how long a backlog has more.`,
    ...(model.workingHours ? [`In working hours it rests at ${model.workingHours.min}, which is not in it.`] : []),
  ];
}

/** What an environment costs, for people. */
export function costText(target: Target, requestsPerDay?: number, width = terminalWidth()): string {
  const { shared, environment } = target;
  const { resting, million, waking, month, evenly } = costsOf(target, requestsPerDay);
  const unpriced = [...resting.lines, ...million.lines]
    .filter(({ amount, usd }) => amount !== undefined && usd === undefined)
    .map(({ of }) => of);
  const said = [
    `${environment.name}, at prices of ${pricesOf.when} in ${pricesOf.region}, in US dollars`,
    "",
    tableOf("a month at rest", resting, width),
    "",
    tableOf("a million rows", million, width),
    "",
    ...(month === undefined
      ? []
      : [
          `With ${requestsPerDay?.toLocaleString("en")} requests a day, in one job: ${costInWords(month)} a month. ` +
            `Spread evenly over the day: ${costInWords(evenly)}.`,
        ]),
    ...(waking
      ? [
          `The warehouse sleeps. To wake it costs ${waking.usd.toFixed(3)} dollars: a load does, at most every ` +
            `${environment.loading.everyMinutes} minutes, and so do GET /predict/{id} and \`results\`.`,
        ]
      : []),
    ...(unpriced.length === 0
      ? []
      : [`No price is known of ${[...new Set(unpriced)].join(", ")}: say it in \`prices\` of config.ts.`]),
    ...(shared.region === pricesOf.region ? [] : [`In ${shared.region} other prices hold.`]),
    ...scaledText(target, resting),
    ...(environment.model.predictionsPerSecond === undefined
      ? [
          environment.model.serverless
            ? "The model's and the workers' time is not known: `model.predictionsPerSecond` tells it."
            : "The workers' time is the longest they may take: `model.predictionsPerSecond` tells how long they do.",
        ]
      : []),
    ...(environment.model.endpoint ? ["The endpoint is somebody else's, and not in it."] : []),
    "Not in it: what is stored (answers, features, logs, the warehouse's data), taxes, and what AWS gives for free.",
  ];
  return said.join("\n");
}

/** The same for machines. */
export function costJson(target: Target, requestsPerDay?: number): string {
  const { resting, million, waking, month, evenly } = costsOf(target, requestsPerDay);
  const { when, region } = pricesOf;
  return JSON.stringify(
    {
      version: 1,
      prices: { when, region },
      monthAtRest: resting,
      millionRows: million,
      wakeUp: waking,
      month,
      monthEvenly: evenly,
    },
    null,
    2,
  );
}
