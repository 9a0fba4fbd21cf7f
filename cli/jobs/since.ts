import { InvalidArgumentError } from "commander";

const milliseconds: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `2h` as two hours ago, and an ISO 8601 time as it stands. @throws InvalidArgumentError */
export function parseSince(text: string): Date {
  const [, amount, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const since = new Date(
    amount === undefined
      ? isTime
        ? Date.parse(text)
        : Number.NaN
      : Date.now() - Number(amount) * (milliseconds[unit] ?? 0),
  );
  if (since.getTime() >= 0) return since;
  throw new InvalidArgumentError(
    "It is a time ago, such as 30s, 15m, 2h or 7d, or an ISO 8601 time such as 2026-01-31 or 2026-01-31T12:00:00Z.",
  );
}
