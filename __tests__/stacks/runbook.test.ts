import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { z } from "zod";
import { program } from "../../cli/program";
import { anchorsOf, scriptIn } from "../setup/markdown";
import { fullStacks, synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf } from "../setup/synth";

const page = readFileSync("docs/runbook.md", "utf8");
const { state: _, ...stacks } = synthesizedStacks();
const { "inference-dev": dev = "" } = stacks;

/** The alarms of environments, of one whose endpoint takes updates back too. */
const alarms = [dev, ...Object.values(fullStacks())].flatMap((json) =>
  resourcesOf(json).filter(({ type }) => /^aws_cloudwatch_(metric|composite)_alarm$/.test(type)),
);

test("each alarm says what to do, and names a section that the runbook has", () => {
  expect(alarms.length).toBeGreaterThan(30);
  const sections = alarms.map(({ attributes }) => {
    const text = String(attributes.alarm_description);
    expect(text.length).toBeLessThanOrEqual(1_024); // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    const [, section = text] = /^[A-Z].+\. .+\. See docs\/runbook\.md#([a-z-]+)$/.exec(text) ?? [];
    expect(String(attributes.alarm_name)).toMatch(new RegExp(`-${section}$`));
    return section;
  });
  const [, ...ofPage] = anchorsOf(page); // the first is the page's own
  expect(new Set([...sections, "follow-a-request"])).toEqual(new Set(ofPage));
});

describe("the commands of the runbook", () => {
  /** The words of each command, in the order of the page. */
  let commands: string[][];
  beforeAll(async () => {
    const programs = ["aws", "npx", "npm", "gunzip", "gzip"];
    const recorded = [
      "exec 3>&1 1>/dev/null",
      "said() { printf '%s\\x1f' \"$@\" >&3; printf '\\x1e' >&3; }",
      ...programs.map((name) => `${name}() { said ${name} "$@"; }`),
      scriptIn(page),
    ];
    const { stdout, stderr } = await promisify(execFile)("bash", ["--norc", "-euc", recorded.join("\n")]);
    expect(stderr).toBe("");
    commands = stdout
      .split("\x1e")
      .slice(0, -1)
      .map((words) => words.split("\x1f").slice(0, -1));
    expect(commands.length).toBeGreaterThan(25);
  });
  const of = (program: string) => commands.filter(([name]) => name === program).map(([, ...words]) => words);

  test("are such that offline-inference knows", () => {
    const unknown = of("npx").flatMap(([name, ...words]) => {
      let command = program();
      let rest = words;
      for (;;) {
        const next = command.commands.find((one) => one.name() === rest[0]);
        if (next === undefined) break;
        [command, rest] = [next, rest.slice(1)];
      }
      const { operands, unknown } = command.parseOptions(rest);
      const { registeredArguments } = command;
      const least = registeredArguments.filter(({ required }) => required).length;
      const isKnown =
        name === "offline-inference" &&
        command.parent !== null &&
        unknown.length === 0 &&
        operands.length >= least &&
        operands.length <= registeredArguments.length;
      return isKnown ? [] : [words.join(" ")];
    });
    expect(unknown).toEqual([]);
  });

  test("are scripts of the project's, for stacks that it has", () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync("package.json", "utf8")));
    for (const [run, script = "", separator, stack = ""] of of("npm")) {
      expect([run, separator]).toEqual(["run", "--"]);
      expect(Object.keys(scripts)).toContain(script);
      expect(Object.keys(stacks)).toContain(stack);
    }
  });

  test("read logs and the bucket that dev has", () => {
    const logs = resourcesOf(dev).filter(({ type }) => type === "aws_cloudwatch_log_group");
    const words = of("aws").flat();
    const groups = words.filter((word) => word.startsWith("/aws/"));
    expect(logs.map(({ attributes }) => attributes.name)).toEqual(expect.arrayContaining(groups));
    expect(new Set(groups).size).toBe(6);
    const { bucket } = onlyResource(dev, "aws_s3_bucket").attributes;
    const urls = words.filter((word) => word.startsWith("s3://"));
    expect(urls.length).toBeGreaterThan(3);
    expect(urls.filter((url) => !new RegExp(`^s3://${bucket}/(rejected|staged)/`).test(url))).toEqual([]);
  });

  test("need no service of AWS's but those that the test of a whole life cycle runs them on", () => {
    const called = of("aws").map(([service, operation]) => `${service} ${operation}`);
    const known = ["logs filter-log-events", "logs get-query-results", "logs start-query", "s3 cp", "s3 ls", "s3 rm"];
    expect([...new Set(called)].sort()).toEqual(known);
  });
});
