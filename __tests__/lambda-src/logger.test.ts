import { newLogger } from "../../lambda-src/logger";

test("a log holds the beginning of a text, however long an error is", () => {
  const logger = newLogger("any");
  const written: string[] = [];
  Object.assign(logger, { console: { error: (line: string) => written.push(line) } });
  logger.error("it failed", { error: new Error("x".repeat(20_000_000)) });
  expect(written).toHaveLength(1);
  expect(written[0]).toContain("it failed");
  expect(written[0]?.length).toBeLessThan(100_000);
});
