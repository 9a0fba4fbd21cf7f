import { prices } from "../../aws/prices";
import type { Environment } from "../../config";

/** Hours that a run may take, from the first step to the last thing that is gone: an upper bound, not a measurement. */
export const hoursOf = (isLong: boolean) => (isLong ? 4 : 2);

/** What processors are paid for. */
interface Item {
  readonly what: string;
  readonly type: string;
  readonly count: number;
  readonly hours: number;
}

function itemsOf({ model, warehouse }: Environment, compiledOn: string | undefined, isLong: boolean): Item[] {
  const hours = hoursOf(isLong);
  return [
    ...(model.endpoint ? [] : [{ what: "endpoint", type: model.instanceType, count: model.instanceCount, hours }]),
    { what: "warehouse", type: warehouse.nodeType ?? "", count: warehouse.numberOfNodes, hours },
    ...(compiledOn === undefined ? [] : [{ what: "compiling", type: compiledOn, count: 1, hours: 1 }]),
  ];
}

const dollars = (value: number) => `$${value.toFixed(2)}`;

export interface CostOptions {
  readonly region: string;
  readonly isLong: boolean;
  /** The instance that compiles the model. @default the model runs as it is */
  readonly compiledOn?: string;
  /** Prices an hour by type, in the place of those of aws/prices.ts. */
  readonly given: ReadonlyMap<string, number>;
}

/** What a run will cost, in lines. */
export function costLines(environment: Environment, options: CostOptions): readonly string[] {
  const { region, isLong, compiledOn, given } = options;
  const priced = itemsOf(environment, compiledOn, isLong).map((item) => {
    const hourly = given.get(item.type) ?? prices[item.type]?.hourly;
    const most = hourly === undefined ? undefined : hourly * item.count * item.hours;
    return { ...item, most };
  });
  const known = priced.reduce((sum, { most = 0 }) => sum + most, 0);
  const besides = priced.every(({ most }) => most !== undefined) ? "" : ", and what has no price above";
  return [
    ...priced.map(({ what, type, count, hours, most }) => {
      const costs = most === undefined ? `no price is known here; say it: --price ${type}=USD` : dollars(most);
      return `  ${what.padEnd(10)} ${count} × ${type}, ${hours} h: ${costs}`;
    }),
    `  at most about ${dollars(known)} in ${hoursOf(isLong)} h${besides}; requests, storage and logs are cents`,
    ...(region === "us-east-1" ? [] : [`  The prices are those of us-east-1; in ${region} others hold.`]),
    `  What AWS charges now: ${[...new Set(Object.values(prices).map(({ source }) => source))].join(" and ")}`,
  ];
}
