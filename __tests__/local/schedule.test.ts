import { startSchedule } from "../../local/schedule";

const invoke = jest.fn(async (_event: unknown): Promise<unknown> => undefined);
const target = { name: "loader", invoke, kill: () => {}, stop: async () => {} };
beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  invoke.mockReset();
});

test("a schedule invokes its function at each rate, whatever came of the last run, until it is stopped", async () => {
  invoke.mockRejectedValueOnce(new Error("failed"));
  const schedule = startSchedule("rate(2 minutes)", target);
  jest.advanceTimersByTime(119_999);
  expect(invoke).not.toHaveBeenCalled();
  jest.advanceTimersByTime(120_001);
  expect(invoke).toHaveBeenCalledTimes(2);
  await schedule.stop();
  jest.advanceTimersByTime(600_000);
  expect(invoke).toHaveBeenCalledTimes(2);
});

test.each(["cron(0 * * * ? *)", "rate(30 seconds)", "rate(0 minutes)"])("%s is not known here", (expression) => {
  expect(() => startSchedule(expression, target)).toThrow(expression);
});
