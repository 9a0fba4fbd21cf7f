import { readFileSync } from "node:fs";
import { loadConfig } from "../../config";
import { configText, placeholders, prefixOf, refusePlaceholders, settingsOf } from "../../config/starter";

test("config.ts is shipped as init knows it", () => {
  expect(readFileSync("config.ts", "utf8")).toBe(configText(placeholders));
  expect(loadConfig(undefined, {}, [], {}, {}, {})).toEqual(loadConfig(settingsOf(placeholders), {}));
});

test("what is shipped is refused by name where it would be deployed, each value by itself", () => {
  const ours = { project: "churn", owner: "ml@team.test", stateBucket: "churn-tf-state" };
  expect(() => refusePlaceholders(ours)).not.toThrow();
  expect(() => refusePlaceholders(placeholders)).toThrow(
    /^config\.ts has 3 problems:\n.*project: .*\n.*owner: .*\n.*stateBucket: /,
  );
  expect(() => refusePlaceholders({ ...ours, owner: placeholders.owner })).toThrow(
    'config.ts has 1 problem:\n  owner: got "you@example.com"; allowed: your own, for this only holds its place (npx offline-inference init)',
  );
});

test.each([
  ["Churn", "churn"],
  ["3rd Churn-Model of 2026", "rd-churn-model"],
  ["Прогноз", "poc"],
])("the names of a project %s start with %s", (project, prefix) => {
  expect(prefixOf(project)).toBe(prefix);
});
