import { z } from "zod";
import { hoursOfMonth } from "../../aws/prices";
import { costOf, type Item, type OwnPrices } from "../../config/cost";
import type { Plan } from "./plan";

/** What a plan changes in what an environment costs at rest. */
export interface RestingCost {
  /** US dollars a month more, or less. */
  readonly usd: number;
  /** What has no price, and changes too. */
  readonly unpriced: readonly string[];
}

const variants = z.object({
  production_variants: z.array(z.object({ instance_type: z.string(), initial_instance_count: z.number() })),
});
const nodes = z.object({ node_type: z.string(), number_of_nodes: z.number().nullish() });
const instance = z.object({ instance_type: z.string() });

/** What resources cost at rest, by their types. What is paid for by use, or not at all, is in no entry. */
const itemsBy: Readonly<Record<string, (attributes: unknown) => Item[]>> = {
  aws_sagemaker_endpoint_configuration: (attributes) =>
    (variants.safeParse(attributes).data?.production_variants ?? []).map(
      ({ instance_type: of, initial_instance_count: count }) => ({ part: "", of, amount: count * hoursOfMonth }),
    ),
  aws_redshift_cluster: (attributes) => {
    const { data } = nodes.safeParse(attributes);
    return data ? [{ part: "", of: data.node_type, amount: (data.number_of_nodes ?? 1) * hoursOfMonth }] : [];
  },
  aws_cloudwatch_composite_alarm: () => [{ part: "", of: "alarm over others", amount: 1 }],
  aws_instance: (attributes) => {
    const { data } = instance.safeParse(attributes);
    return data ? [{ part: "", of: data.instance_type, amount: hoursOfMonth }] : [];
  },
  aws_cloudwatch_metric_alarm: () => [{ part: "", of: "alarm", amount: 1 }],
};

/**
 * What a plan changes in what an environment costs at rest.
 * @returns undefined where nothing that has a price changes
 */
export function restingCostOf({ changes }: Plan, own: OwnPrices): RestingCost | undefined {
  const costs = (side: "before" | "after") =>
    costOf(
      changes.flatMap((change) => {
        const attributes = change[side];
        return attributes === null || attributes === undefined ? [] : (itemsBy[change.type]?.(attributes) ?? []);
      }),
      own,
    );
  const [before, after] = [costs("before"), costs("after")];
  const usd = after.usd - before.usd;
  const amounts = new Map<string, number>();
  const add = (line: Item, sign: 1 | -1) => amounts.set(line.of, (amounts.get(line.of) ?? 0) + sign * line.amount);
  for (const line of before.lines) if (line.usd === undefined) add(line, -1);
  for (const line of after.lines) if (line.usd === undefined) add(line, 1);
  const unpriced = [...amounts].filter(([, amount]) => amount !== 0).map(([of]) => of);
  return Math.abs(usd) < 0.005 && unpriced.length === 0 ? undefined : { usd, unpriced };
}
