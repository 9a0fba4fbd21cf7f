import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { Settings } from "../../config";
import { contractFile } from "../../contract/model-contract";
import type { Model } from "../../local/sagemaker-runtime";
import { csvLine } from "../../pipeline/csv";
import { type LocalPipeline, startLocalPipeline } from "./local-pipeline";
import { resourcesOf } from "./synth";

/** A project: what a team would have in config.ts, its file of rows, and a model. */
export interface Project {
  /** @default config.ts's */
  readonly settings?: Settings;
  readonly rows: string;
  /** The model, and how it ends. */
  start(): Promise<{ readonly model: Model; stop?(): Promise<void> }>;
  /** How many resources of some types its stack has. */
  readonly makes: Readonly<Record<string, number>>;
  /** A row of its file, and what its result has in some columns, as JSON has it. */
  readonly expected: { readonly id: string; readonly columns: Readonly<Record<string, unknown>> };
}

const rowsOfJson = z.array(z.record(z.string(), z.unknown()));

/** What any project must do, whatever its contract: tests of stack, worker and commands over the deployed bundles. */
export function behavesAsAnyProject({ settings, rows, start, makes, expected }: Project) {
  let served: Awaited<ReturnType<Project["start"]>>;
  let pipeline: LocalPipeline;
  /** A name of its own: a job of the same name would be gone on with. */
  const job = randomUUID();
  beforeAll(async () => {
    served = await start();
    // The program looks for the pipeline of config.ts, where that calls it.
    pipeline = await startLocalPipeline(served.model, settings && { ...settings, prefix: "poc" });
  });
  afterAll(async () => {
    await pipeline?.stop();
    await served?.stop?.();
  });

  const file = (name: string) => join(pipeline.folder, name);
  const asked = () => readFileSync(rows, "utf8").trim().split("\n").length - 1;

  test("its stack has what its contract needs, and each function has the contract", async () => {
    const folder = settings === undefined ? "cdktf.out" : file(join("data", "cdktf.out"));
    const stack = join(folder, "stacks", "inference-dev");
    const resources = resourcesOf(await readFile(join(stack, "cdk.tf.json"), "utf8"));
    const counts = Object.keys(makes).map((type) => [type, resources.filter((one) => one.type === type).length]);
    expect(Object.fromEntries(counts)).toEqual(makes);
    const contracts = (await readdir(stack, { recursive: true })).filter((path) => basename(path) === contractFile);
    expect(contracts).toHaveLength(4);
    for (const path of contracts) {
      expect(JSON.parse(await readFile(join(stack, path), "utf8"))).toEqual(pipeline.aws.contract);
    }
  });

  test("run asks about every row of its file, and saves each answer as CSV", async () => {
    const output = file("all.csv");
    const args = ["run", "--csv", rows, "--job", job, "--output", output];
    const ran = await pipeline.run(...args);
    expect(ran).toMatchObject({ status: 0, stdout: `${output}\n` });
    const lines = (await readFile(output, "utf8")).trim().split("\n");
    expect(lines).toHaveLength(asked() + 1);
    const { outputs } = pipeline.aws.contract;
    expect(lines[0]?.split(",")).toEqual(expect.arrayContaining(["id", "output", ...outputs.map(({ name }) => name)]));
    const values = outputs.map(({ name }) => String(expected.columns[name]));
    const row = lines.find((line) => line.split(",")[1] === expected.id);
    for (const value of values) expect(row).toContain(csvLine([value]).trim());
  });

  test("results have the types of its outputs as NDJSON and as Parquet", async () => {
    const [lines, parquet] = [file("all.ndjson"), file("all.parquet")];
    for (const output of [lines, parquet]) {
      expect(await pipeline.run("results", "--job", job, "--output", output)).toMatchObject({
        status: 0,
        stdout: "",
        stderr: expect.stringContaining("rows in"),
      });
    }
    const { stdout } = await promisify(execFile)(process.execPath, ["__tests__/setup/parquet.mjs", parquet]);
    const ndjson = (await readFile(lines, "utf8")).trim().split("\n").join(",");
    for (const json of [`[${ndjson}]`, stdout]) {
      const found = rowsOfJson.parse(JSON.parse(json));
      expect(found).toHaveLength(asked());
      expect(found.find(({ id }) => id === expected.id)).toMatchObject(expected.columns);
    }
  });

  test("a second run of the same file is another job", async () => {
    const output = file("again.csv");
    const args = ["run", "--csv", rows, "--job", randomUUID(), "--output", output];
    expect(await pipeline.run(...args)).toMatchObject({ status: 0 });
    expect((await readFile(output, "utf8")).trim().split("\n")).toHaveLength(asked() + 1);
  });
}
