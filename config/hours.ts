/** Hours in which a cluster is available. */
export interface WarehouseHours {
  readonly from: number;
  readonly to: number;
  readonly days: "weekdays" | "every day";
  readonly timezone: string;
  /** The role that EventBridge Scheduler pauses and resumes it with. */
  readonly roleName: string;
}

/** Whether time zones have this name, as AWS takes it. */
export function isTimeZone(timeZone: string): boolean {
  try {
    return /^[A-Z]/.test(timeZone) && new Intl.DateTimeFormat("en", { timeZone }) !== undefined;
  } catch {
    return false;
  }
}

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
