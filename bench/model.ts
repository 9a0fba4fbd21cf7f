import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import Table from "cli-table3";
import { Command } from "commander";
import { z } from "zod";
import { unpackArchive } from "../local/model-server";
import { demoArchive, labelledPairs, readLabelledPairs } from "../samples";
import { talk, whole } from "./printing";
import { type Input, measureServing, type Serving, unlikeAnswers, type Way } from "./serving";
import { hasToolkit } from "./toolkit";

/** What pads to 512 tokens is slow: a fifth of the pairs says how slow. */
const oneOf = 5;
/** How often what does not is asked about all. */
const passes = 3;

interface Asked extends Way {
  readonly name: string;
}

const original: Asked = {
  name: "the original's",
  code: "original",
  request: "json",
  inputsPerCall: 1,
  batch: 1,
  padsAll: true,
};
const ours = { name: "inference.py", code: "archive" } as const;
const pair = { request: "json", inputsPerCall: 1 } as const;
const instances = { request: "instances" } as const;
const ways: Asked[] = [
  { ...original, name: "the same, a tokenizer made a call", code: "original, tokenizer a call" },
  { ...ours, ...pair, batch: 1, padsAll: true },
  { ...ours, ...instances, inputsPerCall: 8, batch: 8, padsAll: true },
  { ...ours, ...pair, batch: 1, padsAll: false },
  { ...ours, ...instances, inputsPerCall: 8, batch: 1, padsAll: false },
  { ...ours, ...instances, inputsPerCall: 8, batch: 8, padsAll: false },
  { ...ours, ...instances, inputsPerCall: 32, batch: 8, padsAll: false },
  { ...ours, ...instances, inputsPerCall: 32, batch: 32, padsAll: false },
];

/** How AWS's own stack is asked, where it is installed. */
const ofToolkit: Asked[] = [
  { ...ours, name: "inference.py by AWS's stack", ...pair, batch: 1, padsAll: false },
  { ...ours, name: "inference.py by AWS's stack", ...instances, inputsPerCall: 8, batch: 8, padsAll: false },
];

interface Measured extends Asked {
  readonly serving: Serving;
}

const optionsSchema = z.object({ model: z.string().optional(), toolkit: z.string() });
type Options = z.infer<typeof optionsSchema>;

/** Measures every way, and gives whether all had the same answers. */
async function main({ model: named, toolkit }: Options): Promise<boolean> {
  if (named === undefined && !existsSync(demoArchive)) {
    execFileSync(process.execPath, ["--import", "tsx", "samples/paraphrase/demo.ts"], { stdio: ["ignore", 2, 2] });
  }
  const archive = named ?? demoArchive;
  const workers = availableParallelism();
  const pairs: Input[] = await readLabelledPairs();
  const some = pairs.filter((_, place) => place % oneOf === 0);
  const modelDir = await unpackArchive(archive);
  try {
    const measure = async (way: Asked, asked: readonly Input[], times: number, by?: string): Promise<Measured> => {
      talk(`measuring ${way.name}, ${wordsOf(way)}, over ${times === 1 ? "" : `${times} times `}${asked.length} pairs`);
      return { ...way, serving: await measureServing(modelDir, way, asked, { workers, passes: times, toolkit: by }) };
    };
    talk("it takes some minutes: at 512 tokens each pair needs seconds of a core");
    const reference = await measure(original, some, 1);
    const measured = [reference];
    for (const way of ways) measured.push(await (way.padsAll ? measure(way, some, 1) : measure(way, pairs, passes)));
    if (await hasToolkit(toolkit)) {
      for (const way of ofToolkit) measured.push(await measure(way, pairs, passes, toolkit));
    } else talk(`${toolkit} has no TorchServe with SageMaker's toolkits: AWS's own stack is not measured.`);

    console.log(speedTable(reference, measured));
    console.log(
      `The model of ${archive}, by model/serve.py with ${workers} workers on ${workers} cores, and as many calls under ` +
        `way. What pads to 512 tokens is asked about ${some.length} of ${pairs.length} pairs, once; what does not about ` +
        `all, ${passes} times, of which the median counts.`,
    );
    const unlike = unlikeAnswers(measured.map((one) => ({ way: `${one.name}, ${wordsOf(one)}`, ...one.serving })));
    if (unlike.length === 0) console.log("All gave the same answers.");
    else talk(["The answers are not the same:", ...unlike].join("\n  "));
    return unlike.length === 0;
  } finally {
    await rm(modelDir, { recursive: true, force: true });
  }
}

const wordsOf = ({ request, inputsPerCall, batch, padsAll }: Way) =>
  `${request === "json" ? "one pair a call" : `${inputsPerCall} instances a call`}, ` +
  (padsAll ? `always [${batch}, 512]` : `at most [${batch}, 512]`);

function speedTable({ serving: { inputsPerSecond } }: Measured, measured: readonly Measured[]): string {
  const table = new Table({
    head: [
      "code",
      "pairs a call",
      "the model is given",
      "pairs/s",
      "× original",
      "a call, p50",
      "a call, p99",
      "calls",
    ],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "right", "left", "right", "right", "right", "right", "right"],
  });
  const milliseconds = (time: number) => `${whole(time)} ms`;
  for (const { name, request, inputsPerCall, batch, padsAll, serving } of measured) {
    table.push([
      name,
      request === "json" ? "a pair" : inputsPerCall,
      padsAll ? `[${batch}, 512]` : `up to ${batch}, as long as the longest`,
      serving.inputsPerSecond.toFixed(2),
      (serving.inputsPerSecond / inputsPerSecond).toFixed(1),
      milliseconds(serving.latency.p50),
      milliseconds(serving.latency.p99),
      serving.calls,
    ]);
  }
  return table.toString();
}

const program = new Command("npm run bench:model --")
  .description("Measures how fast a model is served on this machine, beside the way of the pipeline that it replaces.")
  .option("--model <archive>", `the archive of a model (default: ${demoArchive}, which is made where there is none)`)
  .option("--toolkit <python>", "a Python that has TorchServe and SageMaker's toolkits, which serve too", "python3")
  .addHelpText(
    "after",
    `\nExits with 0 when all ways gave the same answers to the pairs of ${labelledPairs}, else with 1.`,
  )
  .parse();
main(optionsSchema.parse(program.opts())).then(
  (same) => {
    if (!same) process.exitCode = 1;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
