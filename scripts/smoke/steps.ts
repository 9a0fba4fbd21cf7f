import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { modelFolder } from "./checkout";
import type { Ran } from "./run-commands";
import type { Claim } from "./unproven";

/** A command of the program, run in the run's checkout. */
interface Command {
  readonly args: readonly string[];
  /** How long after the step's begin. @default at once */
  readonly afterSeconds?: number;
}

/** What is done, and how it is known to be right. */
export interface Step {
  readonly name: string;
  /** Run at the same time. */
  readonly commands: readonly Command[];
  /** What it shows where it passes. */
  readonly proves: readonly Claim[];
  /** What else it shows, which is no fault where it does not. @default nothing */
  readonly shows?: (ran: readonly Ran[]) => readonly Claim[];
  /** What it may leave behind, from its begin on. @default nothing */
  readonly makes?: "state" | "environment";
  /** Whether it works with the pipeline, which is deployed by then. @default it deploys */
  readonly asks?: true;
  /** Whether it is tried again for a while: what it looks for takes its time. @default it is tried once */
  readonly waits?: true;
  /** What is wrong; nothing where it is right. It is asked where all commands ended with 0. */
  readonly fault?: (ran: readonly Ran[], folder: string) => string | undefined;
}

export interface StepOptions {
  readonly name: string;
  /** Rows of the job beside which another one must not wait. @default there is none */
  readonly longRows?: number;
  /** How long after it the other one begins. */
  readonly apartSeconds: number;
}

const [few, small, unknownId] = [10, 100, "11"];
const ids = Array.from({ length: few }, (_, index) => String(index + 1));

/** Writes the files that the steps name into the checkout. */
export function writeRows(folder: string, { longRows }: StepOptions): void {
  const write = (file: string, first: number, count: number) => {
    const rows = Array.from({ length: count }, (_, index) => first + index);
    const lines = rows.map((id) => `${id},Sentence ${id} says one thing.,Sentence ${id} says ${id % 7} things.\n`);
    writeFileSync(join(folder, file), ["id,seq_0,seq_1\n", ...lines].join(""));
  };
  write("ten.csv", 1, few);
  write("eleventh.csv", Number(unknownId), 1);
  write("small.csv", 1_000, small);
  if (longRows !== undefined) write("long.csv", 100_000, longRows);
}

const letters = z.object({
  groups: z.array(z.object({ code: z.string(), requests: z.array(z.object({ id: z.string() })) })),
});

function noLetter([ran]: readonly Ran[]): string | undefined {
  const { groups } = letters.parse(JSON.parse(ran?.stdout ?? ""));
  const unknown = groups.flatMap(({ code, requests }) => (code === "unknown_input" ? requests : []));
  if (unknown.some(({ id }) => id === unknownId)) return undefined;
  return `no dead letter of input ${unknownId} has the code unknown_input`;
}

/** What a file of results lacks. */
const rowsIn = (file: string, count: number) => (_: readonly Ran[], folder: string) => {
  const found = readFileSync(join(folder, file), "utf8").trim().split("\n").length - 1;
  return found === count ? undefined : `${file} has ${found} rows and not ${count}`;
};

const says =
  (text: string) =>
  ([ran]: readonly Ran[]) =>
    `${ran?.stdout}${ran?.stderr}`.includes(text) ? undefined : `it does not say "${text}"`;

const one = (...args: string[]) => [{ args }];
const job = (name: string) => ["run", "--csv", `${name}.csv`, "--job", name, "--output", `${name}.results.csv`];
const read = (file: string, asked: readonly string[]) => one("results", ...asked, "--format", "csv", "--output", file);

const asks = true;
const waits = true;

/** Makes an environment. */
const makingSteps = (name: string): readonly Step[] => [
  { name: "bootstrap", commands: one("bootstrap", "--auto-approve"), proves: ["bootstrap"], makes: "state" },
  {
    name: "ship",
    commands: one("model", "ship", modelFolder),
    proves: [],
    shows: (ran) => (says("there is nothing to compile")(ran) === undefined ? [] : ["compile"]),
  },
  {
    name: "deploy",
    commands: one("deploy", `inference-${name}`, "--auto-approve"),
    proves: ["stack", "canary", "endpoint"],
    makes: "environment",
    fault: says("The warehouse does what is asked of it"),
  },
];

/** Asks for what has features, and for what has none. */
const requestSteps: readonly Step[] = [
  { name: "ingest", commands: one("features", "ingest", "ten.csv"), proves: ["features"], asks },
  { name: "ten requests", commands: one("requests", "publish", ...ids), proves: [], asks },
  {
    name: "their answers",
    commands: read("ten.results.csv", ids),
    proves: ["answers"],
    asks,
    waits,
    fault: rowsIn("ten.results.csv", few),
  },
  // Its dead letter comes within half an hour, for its features might: it is looked for at the end.
  { name: "a failure", commands: one("requests", "publish", unknownId), proves: [], asks },
];

const jobStep = ({ longRows, apartSeconds }: StepOptions): Step =>
  longRows === undefined
    ? {
        name: "a job",
        commands: [{ args: job("small") }],
        proves: ["job"],
        asks,
        fault: rowsIn("small.results.csv", small),
      }
    : {
        name: "a long job and a small one",
        commands: [{ args: job("long") }, { args: job("small"), afterSeconds: apartSeconds }],
        proves: ["job"],
        shows: ([first, second]) => (first && second && second.endedAt < first.endedAt ? ["fairness"] : []),
        asks,
        fault: (ran, folder) =>
          rowsIn("long.results.csv", longRows)(ran, folder) ?? rowsIn("small.results.csv", small)(ran, folder),
      };

/** Reads the job's result again, then looks after what has failed. */
const laterSteps: readonly Step[] = [
  {
    name: "its result once more",
    commands: read("again.csv", ["--job", "small"]),
    proves: [],
    asks,
    fault: rowsIn("again.csv", small),
  },
  {
    name: "the failure's dead letter",
    commands: one("failed", "--json"),
    proves: ["failure"],
    asks,
    waits,
    fault: noLetter,
  },
  { name: "its features", commands: one("features", "ingest", "eleventh.csv"), proves: [], asks },
  {
    name: "a redrive",
    commands: one("failed", "redrive"),
    proves: [],
    asks,
    waits,
    fault: says("1 dead letter went back"),
  },
  {
    name: "its answer",
    commands: read("eleventh.results.csv", [unknownId]),
    proves: ["redrive"],
    asks,
    waits,
    fault: rowsIn("eleventh.results.csv", 1),
  },
];

/** All that a run does but its end, in order. */
export const stepsOf = (options: StepOptions): readonly Step[] => [
  ...makingSteps(options.name),
  ...requestSteps,
  jobStep(options),
  ...laterSteps,
];
