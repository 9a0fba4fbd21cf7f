import { z } from "zod";
import { describeRange, isWithin, limits, type Range } from "../aws/limits";
import { group, oneOf, refuse, ruled, text, whole, yesOrNo } from "./faults";
import { naming, type Surroundings } from "./surroundings";

const { nodeTypes, retiredNodeTypes, numberOfNodes: nodes, ports } = limits.redshift;
const refusePort = refuse(ports.map(({ min, max }) => `${min} to ${max}`).join(" or "), ports[0].source);

/** How many nodes of a type a cluster may have; of one that nobody has named, one or more. */
const nodesOf = (nodeType: keyof typeof nodes | undefined): Range =>
  nodeType === undefined ? { min: 1, unit: "nodes", source: nodes["ra3.large"].source } : nodes[nodeType];

const hour = (min: number, max: number): Range => ({
  min,
  max,
  unit: "o'clock",
  source: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based",
});

const isTimezone = (name: string) => {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined && /^[A-Z]/.test(name);
  } catch {
    return false;
  }
};

const timezoneError = refuse(
  'the name of a time zone, such as "Europe/Berlin" or "UTC"',
  "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#time-zones",
);

/** Hours of a day in which something is available. */
const hoursSection = (around: Surroundings) =>
  ruled(
    group({
      /** The hour at which it is resumed. It takes some minutes. */
      from: whole(hour(0, 23)),
      /** The hour at which it is paused. */
      to: whole(hour(1, 23)),
      /** On which days. @default weekdays */
      days: oneOf(["weekdays", "every day"], "a week has no more kinds of days here").prefault("weekdays"),
      /** Where it has this time. @default UTC */
      timezone: z.string({ error: timezoneError }).refine(isTimezone, { error: timezoneError }).prefault("UTC"),
      /** The role that EventBridge Scheduler pauses and resumes it with. @default WarehouseHoursRole */
      roleName: naming(around)("WarehouseHoursRole", limits.iam.roleName),
    }),
    [
      {
        of: ["to", "from"],
        holds: ({ from, to }) => to > from,
        allowed: ({ from }) => `an hour after from (${from}), on the same day`,
      },
    ],
  );

/** Hours in which a cluster is available. */
export type WarehouseHours = Readonly<z.output<ReturnType<typeof hoursSection>>>;

/** Hours in words: `8 to 18 o'clock on weekdays (Europe/Berlin)`. */
export const hoursInWords = ({ from, to, days, timezone }: WarehouseHours) =>
  `${from} to ${to} o'clock ${days === "weekdays" ? "on weekdays" : "every day"} (${timezone})`;

/** Whether a time lies in these hours. */
export function isWithinHours({ from, to, days, timezone }: WarehouseHours, time: Date): boolean {
  const format = new Intl.DateTimeFormat("en", {
    timeZone: timezone,
    hour: "numeric",
    hourCycle: "h23",
    weekday: "short",
  });
  const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]));
  const hour = Number(parts.get("hour"));
  const isWeekend = /^S/.test(parts.get("weekday") ?? "");
  return hour >= from && hour < to && !(days === "weekdays" && isWeekend);
}

/** For how many hours of a week that is. */
export const hoursOfWeek = ({ from, to, days }: Pick<WarehouseHours, "from" | "to" | "days">) =>
  (to - from) * (days === "weekdays" ? 5 : 7);

/** The longest that it is not available between two such times, in seconds: half an hour to come back among it, assumed. */
export const longestBreak = ({ from, to, days }: Pick<WarehouseHours, "from" | "to" | "days">) =>
  3_600 * (24 - (to - from) + (days === "weekdays" ? 48 : 0) + 0.5);

/** The Redshift cluster that keeps the predictions. */
export const warehouseSection = (around: Surroundings) => {
  const named = naming(around);
  const { takeOver } = around;
  return ruled(
    group({
      /** The Redshift cluster's name. @default what `model.name` is */
      clusterIdentifier: named(around.names.cluster, limits.redshift.clusterIdentifier),
      /** @default redshift-subnet-group */
      subnetGroupName: named("redshift-subnet-group", limits.redshift.subnetGroupName),
      /**
       * What a node of the cluster is.
       * @default ra3.large, or what the cluster has where `takeOver` is set: it is taken over first, and resized after
       */
      nodeType: oneOf(
        [...nodeTypes, ...(takeOver ? retiredNodeTypes : [])],
        `AWS retired dc2, ${nodes["ra3.large"].source}`,
      )
        .optional()
        .transform((written) => written ?? (takeOver ? undefined : "ra3.large")),
      /** @default 1 */
      numberOfNodes: z.int({ error: refuse("a whole number") }).prefault(1),
      /** The cluster's first database, where the predictions are. @default predictions */
      databaseName: text(limits.redshift.databaseName).prefault("predictions"),
      /** The admin's name; AWS makes and keeps the password. @default admin */
      adminUsername: text(limits.redshift.adminUsername).prefault("admin"),
      /** @default 5439 */
      port: z
        .int({ error: refusePort })
        .refine((port) => ports.some((range) => isWithin(port, range)), { error: refusePort })
        .prefault(5439),
      /** Whether destroying the cluster leaves a snapshot of its data. @default true */
      finalSnapshot: yesOrNo().prefault(true),
      /** The hours in which the cluster is available; it is paused in all others. @default it is always available */
      hours: hoursSection(around).optional(),
      /** The role that the cluster reads staged answers with. @default WarehouseCopyRole */
      copyRoleName: named("WarehouseCopyRole", limits.iam.roleName),
      /** The role that the cluster writes large results with. @default WarehouseUnloadRole */
      unloadRoleName: named("WarehouseUnloadRole", limits.iam.roleName),
      /** The function that makes tables, users and rights at deploy. @default warehouse-schema */
      schemaFunctionName: named("warehouse-schema", limits.lambda.functionName),
      /** That function's role. @default WarehouseSchemaRole */
      schemaRoleName: named("WarehouseSchemaRole", limits.iam.roleName),
    }),
    [
      {
        of: ["numberOfNodes", "nodeType"],
        holds: ({ numberOfNodes, nodeType }) => isWithin(numberOfNodes, nodesOf(nodeType)),
        allowed: ({ nodeType }) =>
          `${describeRange(nodesOf(nodeType))} of ${nodeType ?? "the type that the cluster has"}`,
        source: ({ nodeType }) => nodesOf(nodeType).source,
      },
    ],
  );
};
