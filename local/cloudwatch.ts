import { z } from "zod";
import type { Metric, MetricName, Minute } from "./metrics";
import { serveSigned } from "./signature";
import { AwsError, json, parseBody, type Request, type StandIn } from "./stand-in";

export interface CloudWatchOptions {
  /** What is kept here. Any other metric is not known, which is not the same as that nothing happened. */
  readonly metrics: readonly Metric[];
  /** Names of alarms. Nobody watches what they watch, so all of them are without data. */
  readonly alarms: readonly string[];
}

const seconds = z.number();
const getMetricData = z.object({
  StartTime: seconds,
  EndTime: seconds,
  ScanBy: z.enum(["TimestampDescending", "TimestampAscending"]).default("TimestampDescending"),
  MetricDataQueries: z
    .array(
      z.object({
        Id: z.string().regex(/^[a-z]\w*$/),
        MetricStat: z.object({
          Metric: z.object({
            Namespace: z.string(),
            MetricName: z.string(),
            Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
          }),
          Period: z.number().int().multipleOf(60).positive(),
          Stat: z.enum(["Sum", "Maximum"]),
        }),
      }),
    )
    .min(1)
    .max(500),
});
const describeAlarms = z.object({ AlarmNamePrefix: z.string().default(""), StateValue: z.string().optional() });

/** Starts CloudWatch with these metrics and alarms. */
export function startCloudWatch({ metrics, alarms }: CloudWatchOptions): Promise<StandIn> {
  const operations: Record<string, (request: Request) => Promise<unknown>> = {
    GetMetricData: async (request) => {
      const { MetricDataQueries, ...range } = parseBody(request, getMetricData, "ValidationError");
      const results = MetricDataQueries.map(async ({ Id, MetricStat: { Metric, Period, Stat } }) => {
        const dimensions = Object.fromEntries(Metric.Dimensions.map(({ Name, Value }) => [Name, Value]));
        const name = { namespace: Metric.Namespace, name: Metric.MetricName, dimensions };
        const Label = Metric.MetricName;
        const metric = metrics.find((one) => keyOf(one) === keyOf(name));
        if (metric === undefined) {
          const Messages = [{ Code: "NotKept", Value: `${Metric.Namespace} ${Label} is not kept here` }];
          return { Id, Label, Timestamps: [], Values: [], StatusCode: "InternalError", Messages };
        }
        const minutes = (await metric.minutes()).filter(({ at }) => at >= range.StartTime && at < range.EndTime);
        const points = periodsOf(minutes, Period);
        if (range.ScanBy === "TimestampDescending") points.reverse();
        return {
          Id,
          Label,
          Timestamps: points.map(({ at }) => at),
          Values: points.map(({ sum, maximum }) => (Stat === "Sum" ? sum : maximum)),
          StatusCode: "Complete",
        };
      });
      return { MetricDataResults: await Promise.all(results) };
    },
    DescribeAlarms: async (request) => {
      const { AlarmNamePrefix, StateValue } = parseBody(request, describeAlarms, "ValidationError");
      const state = "INSUFFICIENT_DATA";
      const found = alarms.filter((name) => name.startsWith(AlarmNamePrefix) && (StateValue ?? state) === state);
      const StateReason = "Nobody watches alarms here.";
      return { MetricAlarms: found.map((AlarmName) => ({ AlarmName, StateValue: state, StateReason })) };
    },
  };
  return serveSigned(async (request) => {
    const name = String(request.headers["x-amz-target"]).replace(/^GraniteServiceVersion20100801\./, "");
    const operation = operations[name];
    if (operation === undefined) throw new AwsError("UnknownOperationException", 404, `no operation ${name}`);
    return json(await operation(request));
  });
}

const keyOf = ({ namespace, name, dimensions }: MetricName) =>
  JSON.stringify([namespace, name, Object.entries(dimensions).sort(([one], [other]) => (one < other ? -1 : 1))]);

/** Minutes, oldest first, put together to periods of so many seconds. */
function periodsOf(minutes: readonly Minute[], period: number): Minute[] {
  const periods: Minute[] = [];
  for (const { at, sum, maximum } of minutes) {
    const begin = Math.floor(at / period) * period;
    const last = periods.at(-1);
    if (last?.at !== begin) periods.push({ at: begin, sum, maximum });
    else periods.splice(-1, 1, { at: begin, sum: last.sum + sum, maximum: Math.max(last.maximum, maximum) });
  }
  return periods;
}
