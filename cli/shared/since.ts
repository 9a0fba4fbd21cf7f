import { InvalidArgumentError } from "commander";

const seconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Reads `2h` as so many seconds; undefined where it is no such thing. */
function secondsIn(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (seconds[unit] ?? 0);
}

/** Reads `6h` as so many seconds. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const duration = secondsIn(text);
  if (duration !== undefined && duration > 0) return duration;
  throw new InvalidArgumentError("It is a time such as 30m, 6h or 2d.");
}

/** Reads `2h` as two hours ago, and an ISO 8601 time as it stands. @throws InvalidArgumentError */
export function parseSince(text: string): Date {
  const ago = secondsIn(text);
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const since = new Date(ago === undefined ? (isTime ? Date.parse(text) : Number.NaN) : Date.now() - 1_000 * ago);
  if (since.getTime() >= 0) return since;
  throw new InvalidArgumentError(
    "It is a time ago, such as 30s, 15m, 2h or 7d, or an ISO 8601 time such as 2026-01-31 or 2026-01-31T12:00:00Z.",
  );
}
