import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { loadConfig } from "../config";

const folder = join(".github", "workflows");
const step = z.object({
  if: z.string().optional(),
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
  env: z.record(z.string(), z.unknown()).default({}),
});
const matrix = z
  .strictObject({
    environment: z.union([z.string(), z.array(z.string())]),
    language: z.array(z.string()),
    script: z.array(z.string()),
    node: z.array(z.string()),
    include: z.array(z.record(z.string(), z.string())),
  })
  .partial();
const workflow = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions: z.unknown(),
  concurrency: z.object({ group: z.string() }),
  jobs: z.record(
    z.string(),
    z.object({
      if: z.string().optional(),
      needs: z.unknown().optional(),
      environment: z.string().optional(),
      permissions: z.record(z.string(), z.string()),
      "timeout-minutes": z.number(),
      strategy: z.object({ matrix }).optional(),
      steps: z.array(step),
    }),
  ),
});

const workflows = readdirSync(folder).map((name) => {
  const text = readFileSync(join(folder, name), "utf8");
  return { name, text, ...workflow.parse(parse(text)) };
});
const named = (name: string) => {
  const found = workflows.find((workflow) => workflow.name === name);
  if (!found) throw new Error(`no workflow ${name}`);
  return found;
};
const jobs = workflows.flatMap(({ name, jobs }) =>
  Object.entries(jobs).map(([id, job]) => ({ job: `${name} ${id}`, ...job })),
);
const steps = jobs.flatMap(({ job, steps }) => steps.map((step) => ({ job, ...step })));
const environments = Object.keys(loadConfig().environments);

test("there are workflows that check, plan, deploy, and look for known and unknown faults", () => {
  expect(workflows.map(({ name }) => name)).toEqual(["ci.yml", "deploy.yml", "plan.yml", "security.yml"]);
});

describe("every workflow", () => {
  test.each(workflows)("$name may do nothing but what its jobs ask for", ({ permissions, text }) => {
    expect(permissions).toEqual({});
    expect(text).toMatch(/^permissions: \{\}$/m);
  });

  test.each(workflows)("$name never runs with a repository's secrets what a stranger wrote", ({ on }) => {
    expect(Object.keys(on)).not.toContain("pull_request_target");
    expect(Object.keys(on)).not.toContain("workflow_run");
  });

  test.each(workflows)("$name pins each action by a commit, and says its version", ({ text }) => {
    const uses = text.split("\n").filter((line) => /\buses:/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    expect(
      uses.filter((line) => !/^ +- uses: [\w-]+(\/[\w-]+){1,2}@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
    ).toEqual([]);
  });

  test("pins an action by one commit everywhere", () => {
    const uses = new Set(
      workflows.flatMap(({ text }) => [...text.matchAll(/uses: (.+)$/gm)].map(([, action]) => action)),
    );
    const actions = [...uses].map((action) => action?.split("@")[0]);
    expect(actions).toEqual([...new Set(actions)]);
  });

  test("runs no script that a text from outside is pasted into", () => {
    const scripts = steps.filter(({ run }) => run !== undefined);
    expect(scripts.length).toBeGreaterThan(0);
    expect(scripts.filter(({ run }) => run?.includes("${{"))).toEqual([]);
  });

  test("leaves no token of its own in the checkout", () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.length).toBeGreaterThan(0);
    for (const { with: inputs } of checkouts) expect(inputs).toEqual({ "persist-credentials": false });
  });
});

test("the jobs may do these things, and no others", () => {
  expect(Object.fromEntries(jobs.map(({ job, permissions }) => [job, permissions]))).toEqual({
    "ci.yml npm": { contents: "read" },
    "plan.yml plan": { contents: "read", "id-token": "write", "pull-requests": "write" },
    "deploy.yml plan": { contents: "read", "id-token": "write" },
    "deploy.yml apply": { contents: "read", "id-token": "write" },
    "deploy.yml forget": { actions: "write" },
    "security.yml audit": { contents: "read" },
    "security.yml codeql": { contents: "read", "security-events": "write" },
  });
});

const { scripts, engines } = z
  .object({ scripts: z.record(z.string(), z.string()), engines: z.object({ node: z.string() }) })
  .parse(JSON.parse(readFileSync("package.json", "utf8")));

test("what the workflows run is there", () => {
  const run = steps.flatMap(({ run = "" }) =>
    [...run.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name]) => name),
  );
  const listed = jobs.flatMap(({ strategy }) => strategy?.matrix.script ?? []);
  expect(run).toEqual(expect.arrayContaining(["diff", "deploy"]));
  expect(listed).toEqual(expect.arrayContaining(["check", "test"]));
  expect([...run, ...listed].filter((name) => name === undefined || !(name in scripts))).toEqual([]);
});

test("everything is checked on the Node.js that is asked for, and the tests on the oldest that still runs too", () => {
  const asked = readFileSync(".nvmrc", "utf8").trim();
  const oldest = /\d+/.exec(engines.node)?.[0];
  expect(named("ci.yml").jobs.npm?.strategy?.matrix).toMatchObject({
    node: [asked],
    include: [{ script: "test", node: oldest }],
  });
});

describe("AWS", () => {
  const roles = steps.flatMap(({ job, uses, with: inputs }) =>
    uses?.startsWith("aws-actions/configure-aws-credentials@") ? [{ job, role: inputs["role-to-assume"] }] : [],
  );

  test("gives its roles to the jobs that they are for", () => {
    expect(roles).toEqual([
      { job: "deploy.yml plan", role: "${{ vars.PLAN_ROLE_ARN }}" },
      { job: "deploy.yml apply", role: "${{ vars.DEPLOY_ROLE_ARN }}" },
      { job: "plan.yml plan", role: "${{ vars.PLAN_ROLE_ARN }}" },
    ]);
  });

  test("is changed only after the approval that the environment asks for", () => {
    const { plan, apply } = named("deploy.yml").jobs;
    expect(plan?.environment).toBeUndefined();
    expect(apply).toMatchObject({ environment: "${{ matrix.environment }}", needs: "plan" });
  });

  test("is planned for a pull request of the repository itself only", () => {
    expect(named("plan.yml").jobs.plan?.if).toContain(
      "github.event.pull_request.head.repo.full_name == github.repository",
    );
  });

  test("is changed from main only", () => {
    expect(named("deploy.yml").on.push).toEqual({ branches: ["main"] });
    expect(named("deploy.yml").jobs.plan?.if).toContain("github.ref == 'refs/heads/main'");
  });

  test("lets a job keep the deploy role as long as the role allows, and the job lasts", () => {
    const { apply } = named("deploy.yml").jobs;
    const seconds = apply?.steps.flatMap(({ with: inputs }) => inputs["role-duration-seconds"] ?? []);
    expect(seconds).toEqual([14_400]);
    expect(apply?.["timeout-minutes"]).toBe(14_400 / 60);
  });
});

test("every environment of config.ts is planned and deployed", () => {
  const dispatched = z
    .object({ inputs: z.object({ environment: z.object({ options: z.array(z.string()) }) }) })
    .parse(named("deploy.yml").on.workflow_dispatch).inputs.environment;
  expect(named("plan.yml").jobs.plan?.strategy?.matrix.environment).toEqual(environments);
  expect(dispatched.options).toEqual(environments);
  for (const job of [named("deploy.yml").jobs.plan, named("deploy.yml").jobs.apply]) {
    expect(job?.strategy?.matrix.environment).toContain(`|| '${JSON.stringify(environments)}')`);
  }
});

test("a plan is kept a day at most, and deleted however its application ended", () => {
  const uploads = steps.filter(({ uses }) => uses?.startsWith("actions/upload-artifact@"));
  expect(uploads.map(({ with: inputs }) => [inputs.path, inputs["retention-days"]])).toEqual([["plan.bin", 1]]);
  expect(named("deploy.yml").jobs.forget).toMatchObject({ needs: ["plan", "apply"], if: "always()" });
});

describe("npm run check", () => {
  const check = (...files: string[]) =>
    promisify(execFile)(process.execPath, ["scripts/check-workflows.mjs", ...files]).catch((error) => error);

  test("finds nothing wrong with them", async () => {
    expect(await check()).toEqual({ stdout: "", stderr: "" });
  });

  test("says what is wrong with a workflow, and where", async () => {
    const temporary = await mkdtemp(join(tmpdir(), "workflow-"));
    const file = join(temporary, "bad.yml");
    const lines = [
      "on: push",
      "jobs:",
      "  job:",
      "    runs-on: ubuntu-24.04",
      "    if: vars.SET",
      "    steps:",
      "      - run: echo ${{ github.event.issue.title }}",
      "      - run: echo ${{ steps.none.outputs.value }}",
    ];
    await writeFile(file, lines.join("\n"));
    const { code, stderr } = await check(file);
    await rm(temporary, { recursive: true });
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/bad\.yml:7:23: "github\.event\.issue\.title" is potentially untrusted/),
      expect.stringMatching(/bad\.yml:8:\d+: property "none" is not defined/),
    ]);
  });
});
