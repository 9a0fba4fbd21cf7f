import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../config";
import { atRest, costOf } from "../../config/cost";
import { hoursOfWeek, longestBreak } from "../../config/hours";
import { changePauses, checkPauses, pauseInWords } from "../../config/paused";
import { dev, faultsWith, settings } from "../setup/settings";

const since = "2026-11-27T18:00:00.000Z";
const until = "2026-11-30T06:00:00Z";
const pausedDev = (given: Parameters<typeof dev>[0] = {}) =>
  loadConfig(settings(given), {}, [], {}, {}, { dev: { since } }).environments.dev;

describe("paused.json", () => {
  test("is written with an environment, and without it again", () => {
    const folder = mkdtempSync(join(tmpdir(), "paused-"));
    const file = join(folder, "paused.json");
    changePauses((pauses) => ({ ...pauses, dev: { since, until } }), file);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ dev: { since, until } });
    changePauses(({ dev: _, ...others }) => others, file);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({});
    rmSync(folder, { recursive: true });
  });

  test("pauses its environments, and no others", () => {
    expect(pausedDev()?.pause).toEqual({ since });
    expect(dev().pause).toBeUndefined();
  });

  test("is refused by its name where it is at fault, with every fault", () => {
    const pauses = { dev: { since: "today" }, prod: { since, until: since } };
    expect(() => loadConfig(settings(), {}, [], {}, {}, pauses)).toThrow(
      'paused.json has 2 problems:\n  paused.json: dev.since: got "today"; allowed: a time as ISO 8601 has it, in UTC\n' +
        `  paused.json: prod.until: got "${since}"; allowed: a time after since`,
    );
    expect(() => loadConfig(settings(), {}, [], {}, {}, { prod: { since } })).toThrow(
      "paused.json: prod: got an environment that does not exist; allowed: dev",
    );
    expect(checkPauses([]).faults).toEqual([
      "paused.json: got []; allowed: an object of pauses by the names of environments",
    ]);
  });

  test("is told in words", () => {
    expect(pauseInWords("dev", { since })).toBe(`dev is paused since ${since}`);
    expect(pauseInWords("dev", { since, until })).toBe(`dev is paused since ${since}, until ${until}`);
  });
});

describe("the hours of a warehouse", () => {
  const office = { from: 8, to: 18, days: "weekdays", timeZone: "Europe/Berlin" } as const;

  test("are those of weekdays in UTC, unless they say it", () => {
    expect(dev({ warehouse: { hours: { from: 7, to: 19 } } }).warehouse.hours).toEqual({
      from: 7,
      to: 19,
      days: "weekdays",
      timeZone: "UTC",
      roleName: "poc-dev-WarehouseHoursRole",
    });
    expect(dev().warehouse.hours).toBeUndefined();
  });

  test.each([
    [{ from: 18, to: 8 }, "hours.to", "got 8; allowed: an hour after from (18), on the same day"],
    [{ from: 8, to: 25 }, "hours.to", "got 25; allowed: 1 to 24 o'clock"],
    [{ ...office, days: "sundays" }, "hours.days", 'got "sundays"; allowed: "weekdays", "every day"'],
    [{ ...office, timeZone: "Berlin" }, "hours.timeZone", 'got "Berlin"; allowed: the name of a time zone, such as'],
    [{ ...office, timeZone: "+02:00" }, "hours.timeZone", 'got "+02:00"; allowed: the name of a time zone, such as'],
  ])("are refused where they are %j", (hours, field, fault) => {
    expect(faultsWith("warehouse.hours", hours)).toEqual([
      expect.stringContaining(`environments.dev.warehouse.${field}: ${fault}`),
    ]);
  });

  test("say for how long it is there, and away", () => {
    expect([hoursOfWeek(office), longestBreak(office)]).toEqual([50, 62.5 * 3_600]);
    const daily = { ...office, days: "every day" } as const;
    expect([hoursOfWeek(daily), longestBreak(daily)]).toEqual([70, 14.5 * 3_600]);
  });
});

describe("what an environment costs at rest", () => {
  const partsOf = (environment: ReturnType<typeof dev> | undefined) => {
    if (environment === undefined) throw new Error("no environment dev");
    const sums = new Map<string, number>();
    for (const { part, usd = 0 } of costOf(atRest(environment)).lines) sums.set(part, (sums.get(part) ?? 0) + usd);
    return Object.fromEntries(sums);
  };

  test("is nothing for endpoint and nodes while it is paused, and the rest stays", () => {
    const { endpoint: _, warehouse: __, alarms: ___, ...others } = partsOf(dev());
    expect(partsOf(pausedDev())).toMatchObject({ ...others, warehouse: 0.4 });
    expect(partsOf(pausedDev()).endpoint).toBeUndefined();
  });

  test("is that of the hours in which the cluster is there", () => {
    const nodes = (environment: ReturnType<typeof dev>) => Number(partsOf(environment).warehouse) - 0.4;
    const share = nodes(dev({ warehouse: { hours: { from: 8, to: 18 } } })) / nodes(dev());
    expect(share).toBeCloseTo(50 / 168, 6);
  });
});
