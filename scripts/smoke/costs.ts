import { prices, pricesOf } from "../../aws/prices";
import { leastRpus } from "../../aws/redshift-serverless";
import { dollars } from "../../cli/shared/numbers";
import type { Environment } from "../../config";
import { costOf, type OwnPrices } from "../../config/cost";
import { instanceRange } from "../../config/model";

/** Hours that a run may take, from the first step to the last thing that is gone: an upper bound, not a measurement. */
export const hoursOf = (isLong: boolean) => (isLong ? 4 : 2);

/** What processors are paid for. */
interface Item {
  readonly what: string;
  readonly type: string;
  readonly count: number;
  readonly hours: number;
}

function itemsOf(
  { model, warehouse }: Environment,
  { region, compiledOn, isLong }: Pick<CostOptions, "region" | "compiledOn" | "isLong">,
): Item[] {
  const hours = hoursOf(isLong);
  return [
    ...(model.endpoint || model.serverless
      ? []
      : [{ what: "endpoint", type: model.instanceType, count: instanceRange(model).min, hours }]),
    warehouse.numberOfNodes === undefined
      ? { what: "warehouse", type: "RPU hours", count: leastRpus(region), hours } // awake all the time
      : { what: "warehouse", type: warehouse.nodeType ?? "", count: warehouse.numberOfNodes, hours },
    ...(compiledOn === undefined ? [] : [{ what: "compiling", type: compiledOn, count: 1, hours: 1 }]),
  ];
}

export interface CostOptions {
  readonly region: string;
  readonly isLong: boolean;
  /** The instance that compiles the model. @default the model runs as it is */
  readonly compiledOn?: string;
  /** In the place of those of aws/prices.ts. */
  readonly prices: OwnPrices;
}

/** What a run will cost, in lines. */
export function costLines(environment: Environment, options: CostOptions) {
  const { region, isLong, prices: own } = options;
  const items = itemsOf(environment, options);
  const { lines, usd, isAtLeast } = costOf(
    items.map(({ what: part, type: of, count, hours }) => ({ part, of, amount: count * hours })),
    own,
  );
  const pages = ["ml.inf1.xlarge", "ra3.large"].map((type) => prices[type]?.page);
  return [
    ...items.map(({ what, type, count, hours }, place) => {
      const most = lines[place]?.usd;
      const costs = most === undefined ? `no price is known here; say it in \`prices\` of config.ts` : dollars(most);
      return `  ${what.padEnd(10)} ${count} × ${type}, ${hours} h: ${costs}`;
    }),
    `  at most about ${dollars(usd)} in ${hoursOf(isLong)} h${isAtLeast ? ", and what has no price above" : ""}; requests, storage and logs are cents`,
    ...(region === pricesOf.region ? [] : [`  The prices are those of ${pricesOf.region}; in ${region} others hold.`]),
    `  What AWS charges now: ${pages.join(" and ")}`,
  ];
}
