import { z } from "zod";
import { hoursOfMonth } from "../../aws/prices";
import { costOf, type OwnPrices } from "../../config/cost";
import type { Plan } from "./plan";

/** What a plan changes in what an environment costs at rest. */
export interface RestingCost {
  /** US dollars a month more, or less. */
  readonly usd: number;
  /** What has no price, and changes too. */
  readonly unpriced: readonly string[];
}

const endpoint = z.object({ endpoint_config_name: z.string() });
const configuration = z.object({
  name: z.string(),
  production_variants: z.array(z.object({ instance_type: z.string(), initial_instance_count: z.number() })),
});
const nodes = z.object({ node_type: z.string(), number_of_nodes: z.number().nullish() });
const instance = z.object({ instance_type: z.string() });

/** So much of something that has a price. */
type Amount = readonly [of: string, amount: number];

/** What an endpoint has that serves a configuration. @param all the attributes of all resources on that side of the plan */
function instancesOf(served: unknown, all: readonly unknown[]): readonly Amount[] {
  const named = endpoint.safeParse(served).data?.endpoint_config_name;
  const configurations = all.flatMap((attributes) => configuration.safeParse(attributes).data ?? []);
  const found = configurations.find(({ name }) => name === named);
  return (found?.production_variants ?? []).map(({ instance_type: of, initial_instance_count: count }) => [
    of,
    count * hoursOfMonth,
  ]);
}

/** What resources cost at rest, by their types. What is paid for by use, or not at all, is in no entry. */
const amountsBy: Readonly<Record<string, (attributes: unknown, all: readonly unknown[]) => readonly Amount[]>> = {
  aws_sagemaker_endpoint: instancesOf,
  aws_redshift_cluster: (attributes) => {
    const { data } = nodes.safeParse(attributes);
    return data ? [[data.node_type, (data.number_of_nodes ?? 1) * hoursOfMonth]] : [];
  },
  aws_cloudwatch_composite_alarm: () => [["alarm over others", 1]],
  aws_instance: (attributes) => {
    const { data } = instance.safeParse(attributes);
    return data ? [[data.instance_type, hoursOfMonth]] : [];
  },
  aws_cloudwatch_metric_alarm: () => [["alarm", 1]],
};

/**
 * What a plan changes in what an environment costs at rest.
 * @returns undefined where nothing that has a price changes
 */
export function restingCostOf({ changes, kept }: Plan, own: OwnPrices): RestingCost | undefined {
  const amounts = new Map<string, number>();
  for (const [side, sign] of [
    ["before", -1],
    ["after", 1],
  ] as const) {
    const all = [...changes, ...kept].map((resource) => resource[side]);
    for (const { type, [side]: attributes } of changes) {
      if (attributes === null || attributes === undefined) continue;
      for (const [of, amount] of amountsBy[type]?.(attributes, all) ?? []) {
        amounts.set(of, (amounts.get(of) ?? 0) + sign * amount);
      }
    }
  }
  const changed = [...amounts].filter(([, amount]) => amount !== 0);
  const { lines, usd } = costOf(
    changed.map(([of, amount]) => ({ part: "plan", of, amount })),
    own,
  );
  const unpriced = lines.flatMap((line) => (line.usd === undefined ? [line.of] : []));
  return Math.abs(usd) < 0.005 && unpriced.length === 0 ? undefined : { usd, unpriced };
}
