import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { targetOf } from "../../cli/shared/connection";
import { startPipeline } from "../../local/pipeline";
import { json, type StandIn, serve } from "../../local/stand-in";
import { lexicalModel } from "../../samples";
import { paraphrases } from "../../samples/paraphrase/lexical-model";
import { smokeSettings } from "../../scripts/smoke/settings";
import { claims } from "../../scripts/smoke/unproven";
import { Checkout } from "../setup/checkout";
import { type Moto, startMoto } from "../setup/moto";

const account = "123456789012"; // moto's
const pair = z.object({ seq_0: z.string(), seq_1: z.string() });
const names = { whole: "smoke-whole", failing: "smoke-failing", killed: "smoke-killed" };

let moto: Moto;
let folder: string;
/** The checkout while AWS is moto, which makes all there is and answers no request. */
let checkout: Checkout;
/** What answers at the endpoint that is deployed: moto runs no container. */
let answering: StandIn;
/** The pipeline of the run that passes whole: it answers on this machine, and what is deployed in moto stands still. */
let pipeline: Awaited<ReturnType<typeof startPipeline>>;
let loading: Promise<void>;
let isOver = false;
beforeAll(async () => {
  moto = await startMoto();
  folder = await mkdtemp(join(tmpdir(), "smoke-"));
  answering = await serve(({ body }) => json(paraphrases(pair.parse(JSON.parse(body.toString())))));
  checkout = (await Checkout.on(moto)).with({
    SMOKE_PIPELINE: join(folder, "pipeline.json"),
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: answering.url,
  });
  const file = join(checkout.folder, "config.ts");
  const config = await readFile(file, "utf8");
  const onCpu = config.replace("    dev: {\n", '    dev: {\n      model: { instanceType: "ml.c7i.xlarge" },\n');
  expect(onCpu).not.toBe(config); // moto compiles no model for Inferentia
  await writeFile(file, onCpu);

  const { shared, environment } = targetOf({ env: "dev" });
  const settings = smokeSettings(shared, environment, { name: names.whole, account, apiGatewayRole: true });
  pipeline = await startPipeline({ dataDir: join(folder, "data"), model: lexicalModel, settings });
  await writeFile(join(folder, "pipeline.json"), JSON.stringify(pipeline.environment));
  loading = (async () => {
    while (!isOver) await pipeline.loader(); // as its schedule does, each minute
  })();
});
afterAll(async () => {
  isOver = true;
  await loading;
  await pipeline?.stop();
  await moto?.stop();
  await answering?.stop();
  await checkout?.remove();
  await rm(folder, { recursive: true, force: true });
});

const program = ["--import", "tsx", "scripts/smoke/main.ts"];
const smoke = (...args: string[]) => checkout.run(process.execPath, [...program, ...args]);

const recordOf = async (name: string) =>
  JSON.parse(await readFile(join(checkout.folder, ".local", name, "record.json"), "utf8"));

test("nothing is made before somebody was asked, nor where something of the name is there", async () => {
  const before = await moto.holdings();
  const unasked = await smoke("--name", names.whole);
  expect(unasked).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/It costs:\n {2}endpoint {3}1 × ml\.c7i\.xlarge[\s\S]*Nobody can be asked here/),
  });
  await moto.aws("sqs", "create-queue", "--queue-name", "staken-smoke-taken-inference_queue");
  const taken = await smoke("--name", "smoke-taken", "--auto-approve");
  expect(taken).toMatchObject({ status: 1, stderr: expect.stringContaining("staken-smoke-taken-inference_queue") });
  expect(await moto.holdings()).toEqual({ ...before, aws_sqs_queue: 1 });
});

test("a run passes whole, and one that fails and one that is killed in the middle leave nothing either", async () => {
  const before = await moto.holdings();
  const runs = [runWhole(), failInTheMiddle(), killInTheMiddle()];
  for (const run of await Promise.allSettled(runs)) if (run.status === "rejected") throw run.reason;
  expect(await moto.holdings()).toEqual(before);
});

async function runWhole() {
  const long = ["--long", "--rows", "500", "--apart", "1"];
  const ran = await smoke("--name", names.whole, "--auto-approve", ...long);
  const log = await readFile(join(checkout.folder, ".local", names.whole, "log.txt"), "utf8");
  if (ran.status !== 0) throw new Error(`it ended with ${ran.status}:\n${ran.stderr}\n${log.slice(-10_000)}`);
  console.log(`${ran.stderr}(${ran.seconds} s)`);
  const { steps, removedAt, on, made, left } = await recordOf(names.whole);
  expect({ on, made, left, removedAt }).toEqual({ on: "stand-ins", made: [], left: [], removedAt: expect.any(String) });
  const proved = new Set(steps.flatMap(({ proves }: { proves: string[] }) => proves));
  const shownHere = Object.keys(claims).slice(0, 12);
  // moto compiles nothing, and which of two jobs ends first is no verdict here
  expect(shownHere.filter((claim) => !proved.has(claim) && claim !== "compile" && claim !== "fairness")).toEqual([]);
  const record = await stat(join(checkout.folder, ".local", names.whole, "record.json"));
  expect(record.mode & 0o777).toBe(0o600);
  const page = await readFile(join(checkout.folder, "docs", "unproven.md"), "utf8");
  expect(page).toBe(await readFile(join("docs", "unproven.md"), "utf8"));
}

/** Its bucket is made when its state cannot be moved there. */
async function failInTheMiddle() {
  const terraform = join(folder, "terraform");
  await writeFile(
    terraform,
    '#!/bin/sh\ncase "$*" in *-migrate-state*) echo "no way there" >&2; exit 1;; esac\nexec terraform "$@"\n',
  );
  await chmod(terraform, 0o755);
  const failing = checkout.with({ TERRAFORM_BINARY_NAME: terraform });
  const ran = await failing.run(process.execPath, [...program, "--name", names.failing, "--auto-approve"]);
  expect(ran).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/✖ bootstrap[\s\S]*no way there[\s\S]*Nothing is left of smoke-failing/),
  });
}

/** Whoever runs it goes away: a machine that went down, say. */
async function killInTheMiddle() {
  const child = spawn(process.execPath, [...program, "--name", names.killed, "--auto-approve"], {
    cwd: checkout.folder,
    env: { ...moto.environment },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // with all that it starts
  });
  let [said, isKilled] = ["", false];
  const ended = once(child, "close");
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
    if (isKilled || child.pid === undefined || !said.includes("✔ bootstrap")) return;
    isKilled = true;
    process.kill(-child.pid, "SIGKILL");
  });
  await ended;
  expect({ said, isKilled }).toEqual({ said, isKilled: true });
  expect(await recordOf(names.killed)).toMatchObject({ made: ["state"] });
  const clean = await smoke("--clean", names.killed);
  expect(clean).toMatchObject({ status: 0, stderr: expect.stringContaining("Nothing is left of smoke-killed") });
  expect(await recordOf(names.killed)).toMatchObject({ made: [], left: [], removedAt: expect.any(String) });
}
