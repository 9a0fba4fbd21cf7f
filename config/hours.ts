import { z } from "zod";
import type { Range } from "../aws/limits";
import { oneOf, type Rule, refuse, whole } from "./faults";

/** Hours of days. */
export interface Hours {
  readonly from: number;
  readonly to: number;
  readonly days: "weekdays" | "every day";
  readonly timeZone: string;
}

/** The hours in which a cluster is available. */
export interface WarehouseHours extends Hours {
  /** The role that EventBridge Scheduler pauses and resumes it with. */
  readonly roleName: string;
}

const oClock = (min: number, max: number): Range => ({
  min,
  max,
  unit: "o'clock",
  source: "they begin and end on one day, of which 24 is the end",
});

const zoneError = refuse(
  'the name of a time zone, such as "Europe/Berlin" or "UTC"',
  "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#time-zones",
);

/** Whether time zones have this name, as AWS takes it. */
function isTimeZone(timeZone: string): boolean {
  try {
    return /^[A-Z]/.test(timeZone) && new Intl.DateTimeFormat("en", { timeZone }) !== undefined;
  } catch {
    return false;
  }
}

/** The fields of hours of days. */
export const hoursFields = {
  /** The full hour with which they begin. */
  from: whole(oClock(0, 23)),
  /** The full hour with which they end, on the same day. */
  to: whole(oClock(1, 24)),
  /** On which days: "weekdays" or "every day". @default weekdays */
  days: oneOf(["weekdays", "every day"], "a week has no more kinds of days here").prefault("weekdays"),
  /** The time zone of these hours, such as "Europe/Berlin". @default UTC */
  timeZone: z.string({ error: zoneError }).refine(isTimeZone, { error: zoneError }).prefault("UTC"),
};

/** What holds for them. */
export const hoursRule: Rule<Pick<Hours, "from" | "to">> = {
  of: ["to", "from"],
  holds: ({ from, to }) => to > from,
  allowed: ({ from }) => `an hour after from (${from}), on the same day`,
};

/** When hours begin or end, as cron of AWS's has it: the end of a day is a minute before. */
export function cronOf({ from, to, days }: Hours, when: "begin" | "end"): string {
  const hour = when === "begin" ? from : to;
  return `cron(${hour === 24 ? "59 23" : `0 ${hour}`} ${days === "weekdays" ? "? * MON-FRI" : "* * ?"} *)`;
}

/** Hours in words: `8 to 18 o'clock on weekdays (Europe/Berlin)`. */
export const hoursInWords = ({ from, to, days, timeZone }: Hours) =>
  `${from} to ${to} o'clock ${days === "weekdays" ? "on weekdays" : "every day"} (${timeZone})`;

/** Whether a time lies in these hours. */
export function isWithinHours({ from, to, days, timeZone }: Hours, time: Date): boolean {
  const format = new Intl.DateTimeFormat("en", { timeZone, hour: "numeric", hourCycle: "h23", weekday: "short" });
  const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]));
  const hour = Number(parts.get("hour"));
  const isWeekend = /^S/.test(parts.get("weekday") ?? "");
  return hour >= from && hour < to && !(days === "weekdays" && isWeekend);
}

/** For how many hours of a week that is. */
export const hoursOfWeek = ({ from, to, days }: Pick<Hours, "from" | "to" | "days">) =>
  (to - from) * (days === "weekdays" ? 5 : 7);

/** The longest that it is not available between two such times, in seconds: half an hour to come back among it, assumed. */
export const longestBreak = ({ from, to, days }: Pick<Hours, "from" | "to" | "days">) =>
  3_600 * (24 - (to - from) + (days === "weekdays" ? 48 : 0) + 0.5);
