import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { JobsApi, RefusedByApi } from "../../../cli/jobs/jobs-api";
import { startPassage } from "../../../local/passage";
import { AwsError, ConnectionCut, type StandIn } from "../../../local/stand-in";
import { lexicalModel } from "../../../samples";
import { gate } from "../../setup/gate";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";

/** Where the endpoint's calls wait, while a test wants them to. */
let held: ReturnType<typeof gate> | undefined;
let pipeline: LocalPipeline;
let api: JobsApi;
beforeAll(async () => {
  pipeline = await startLocalPipeline(async (call) => {
    await held?.pass();
    return lexicalModel(call);
  });
  Object.assign(process.env, pipeline.aws.environment);
  api = new JobsApi(pipeline.aws.apiUrl);
});
afterAll(async () => {
  api.destroy();
  await pipeline.stop();
});
const passages: StandIn[] = [];
afterEach(async () => {
  held?.release();
  held = undefined;
  await Promise.all(passages.splice(0).map((one) => one.stop()));
});

const { signal } = new AbortController();

/** Starts a job of rows that are answered, and leaves it. */
async function start(job: string, count: number) {
  const file = join(pipeline.folder, `${job}.csv`);
  const rows = Array.from({ length: count }, (_, n) => `${job}-${n},It rains.,It rains.`);
  await writeFile(file, ["id,seq_0,seq_1", ...rows, ""].join("\n"));
  const running = pipeline.start(["run", "--csv", file, "--job", job]);
  await running.printed("stderr", `The job is ${job}.`);
  running.child.kill("SIGINT");
  expect((await running.ended).status).toBe(130);
}

test("says how far a job is while it goes on, and where its result is when it has ended", async () => {
  held = gate();
  await start("looked", 20);
  await held.arrived;
  const before = await pipeline.run("job", "looked");
  expect(before).toMatchObject({ status: 0, stderr: "" });
  expect(before.stdout).toMatch(
    /^state {6}in_progress\ntotal {6}20\nwaiting {4}20\nanswered {3}0\ncreated {4}\S+\ndeadline {3}\S+\ncost {7}\$0\.0000\d\d\n$/,
  );
  held.release();
  const after = await pipeline.run("job", "looked", "--wait");
  expect(after.status).toBe(0);
  expect(after.stdout).toMatch(
    /^state {6}completed\ntotal {6}20\nanswered {3}20\ncreated {4}\S+\nended {6}\S+\ncost {7}\$0\.0000\d\d\n$/,
  );
  expect(after.stderr).toContain("Save it: npx offline-inference results --job looked --output FILE --env dev\n");
  const asJson = await pipeline.run("job", "looked", "--json");
  const shown = await api.get("looked", signal);
  expect({ ...asJson, stdout: JSON.parse(asJson.stdout) }).toMatchObject({
    status: 0,
    stdout: shown?.json,
    stderr: "",
  });
  expect(shown?.json).toMatchObject({ id: "looked", state: "completed", counts: { total: 20, answered: 20 } });
  expect(await pipeline.run("job", "cancel", "looked")).toMatchObject({
    status: 1,
    stderr: 'the job "looked" has ended already: completed\n',
  });
});

test("cancels a job: nothing more of it is asked, and each row stands in its result", async () => {
  held = gate();
  await start("off", 1_000);
  await held.arrived;
  const cancelled = await pipeline.run("job", "cancel", "off");
  expect(cancelled).toMatchObject({ status: 0, stdout: "" });
  expect(cancelled.stderr).toContain("Nothing more of the job off is asked: 0 of 1,000 answered, 1,000 waiting.\n");
  const since = Date.now();
  while (Date.now() < since + 10_000) await pipeline.run("job", "off"); // workers look for marks every ten seconds
  held.release();
  const { status, stdout } = await pipeline.run("results", "--job", "off", "--watch", "--format", "ndjson");
  expect(status).toBe(2);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 1_000 }, (_, n) => `off-${n}`));
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(["answered", "cancelled"]));
  expect(await pipeline.run("job", "off")).toMatchObject({ stdout: expect.stringMatching(/^state {6}cancelled\n/) });
  expect(await pipeline.run("job", "off", "--wait")).toMatchObject({ status: 2 });
  expect(await pipeline.run("failed")).toMatchObject({ stderr: expect.stringContaining("There is no dead letter") });
  expect(await pipeline.run("job", "cancel", "off")).toMatchObject({ status: 0 });
});

test("lists the newest jobs first", async () => {
  await start("older", 1);
  await start("newer", 1);
  const { status, stdout } = await pipeline.run("job", "list");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^job +state +rows +created$[\s\S]*^newer +[\s\S]*^older +/m);
  const listed = JSON.parse((await pipeline.run("job", "list", "--json")).stdout);
  expect(listed).toMatchObject({ jobs: expect.arrayContaining([expect.objectContaining({ id: "newer" })]) });
});

test("that nobody has started is an error", async () => {
  for (const args of [["unknown"], ["unknown", "--wait"], ["cancel", "unknown"]]) {
    expect(await pipeline.run("job", ...args)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: 'There is no job "unknown" here. All there are: npx offline-inference job list --env dev\n',
    });
  }
});

test("--wait tells once that it may not run the loader, asks it no more, and goes on without", async () => {
  held = gate();
  await start("unloaded", 3);
  let asked = 0;
  const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_LAMBDA ?? "", (request, forward) => {
    if (!request.url.pathname.includes("load")) return forward();
    asked++;
    throw new AwsError("AccessDeniedException", 403, "no identity-based policy allows it");
  });
  passages.push(passage);
  const environment = { AWS_ENDPOINT_URL_LAMBDA: passage.url };
  const { printed, ended } = pipeline.start(["job", "unloaded", "--wait"], { environment });
  await printed("stderr", "Answers are seen once its schedule has loaded them.");
  held.release();
  expect((await pipeline.run("job", "unloaded", "--wait")).status).toBe(0);
  const { status, stderr } = await ended;
  expect({ status, asked }).toEqual({ status: 0, asked: 1 });
  expect(stderr.split("Answers are seen once").length).toBe(2);
});

test.each([
  [["job"], "Which job? Name it. All there are: npx offline-inference job list --env dev"],
  [["job", "nightly", "--cancel"], "--cancel is gone. Now it is: npx offline-inference job cancel NAME"],
  [["job", "nightly", "--receipt", "r.csv"], "--receipt is gone. Now it is: npx offline-inference job NAME"],
  [["results", "--receipt", "r.csv", "--watch"], "offline-inference results --job NAME --watch"],
  [["requests", "publish", "7", "--csv", "rows.csv"], "--csv is gone. Now it is: npx offline-inference run --csv FILE"],
  [["requests", "publish", "--all"], "--all is gone. Now it is: npx offline-inference run --all"],
  [["requests", "publish", "--resume", "r.csv"], "--resume is gone. Now it is: npx offline-inference run --csv FILE"],
  [["requests", "publish", "-"], "`requests publish -` is now: run --csv -"],
])("%j is refused, with what takes its place", async (args, why) => {
  expect(await pipeline.run(...args)).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining(why),
  });
});

describe("the API", () => {
  /** The API, with something on the way to it. */
  async function through(onTheWay: Parameters<typeof startPassage>[1]) {
    const { origin, pathname } = new URL(pipeline.aws.apiUrl);
    const passage = await startPassage(origin, onTheWay);
    passages.push(passage);
    return new JobsApi(passage.url + pathname);
  }
  const rows = [{ id: "a", features: { seq_0: "It rains.", seq_1: "It rains." } }];
  const job = (id: string) => ({ id, input: { rows } });

  test("that does not answer, or is busy, is asked again, and makes one job", async () => {
    const answers = [503, 429, "cut", "cut after", 500] as const;
    let calls = 0;
    const patient = await through(async (_, forward) => {
      const answer = answers[calls++];
      if (answer === "cut") throw new ConnectionCut();
      if (typeof answer === "number") return { status: answer, headers: {}, body: "no JSON" };
      const passed = await forward();
      if (answer === "cut after") throw new ConnectionCut();
      return passed;
    });
    const { isNew } = await patient.start(job("patient"), signal);
    expect({ calls, isNew }).toEqual({ calls: 6, isNew: false });
    expect((await api.list(100, signal)).jobs.filter(({ id }) => id === "patient")).toHaveLength(1);
    patient.destroy();
  });

  test.each([
    [403, JSON.stringify({ message: "User is not authorized" }), "User is not authorized"],
    [403, "<html>", "the API answered 403"],
    [400, JSON.stringify({ error: { code: "no", message: "this is none" } }), "this is none"],
  ])("that refuses with %i and %s is asked once, and believed", async (status, body, message) => {
    let calls = 0;
    const refusing = await through(() => {
      calls++;
      return { status, headers: {}, body };
    });
    await expect(refusing.get("any", signal)).rejects.toEqual(new RefusedByApi(status, message));
    expect(calls).toBe(1);
    refusing.destroy();
  });
});
