import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Command } from "commander";
import { z } from "zod";
import type { LocalAws } from "../local/aws";
import { removeLocalEnvironment, writeLocalEnvironment } from "../local/environment-file";
import { startPipeline } from "../local/pipeline";
import type { Model } from "../local/sagemaker-runtime";
import { serveModel } from "../local/served-model";
import { DeadLetters } from "../pipeline/dead-letters";
import { FeatureStore } from "../pipeline/features";
import { RequestQueue } from "../pipeline/requests";
import { Results } from "../pipeline/results";
import { lexicalModel } from "../samples/paraphrase/lexical-model";
import { localDataDir as dataDir } from "./connection";
import { follow } from "./follow";
import { untilInterrupted } from "./interruption";
import { progressOf } from "./progress";
import { type Outcome, summaryOf, tableOf } from "./report";
import { type RequestRow, readRequestsFile } from "./requests-file";

/** The environment whose stack is run. */
const environment = "dev";

/** What the command prints for its caller goes to stdout, what it says meanwhile to stderr. */
const talk = (line: string) => console.error(line);

/** Asks for one prediction a row, and waits until each request has ended. */
async function predict(rows: RequestRow[], aws: LocalAws, signal: AbortSignal) {
  const until = { signal };
  const { clusterId, databaseName, deadLetterQueueUrl } = aws;
  await new FeatureStore(aws.featureGroup).write(
    rows.map(({ id, seq_0, seq_1 }) => ({ id, values: [seq_0, seq_1] })),
    until,
  );

  const progress = progressOf("requests", rows.length);
  const started = performance.now();
  try {
    const jobId = randomUUID();
    const { accepted, refused } = await new RequestQueue(aws.queueUrl).send(
      rows.map(({ id }) => ({ id, jobId })),
      until,
    );
    const { predictions, deadLetters } = await follow({
      jobId,
      requestIds: accepted.map(({ requestId }) => requestId),
      results: new Results({ clusterId, databaseName }),
      deadLetters: new DeadLetters(deadLetterQueueUrl),
      onProgress: (ended) => progress.update(ended + refused.length),
      signal,
    });
    const seconds = (performance.now() - started) / 1000;

    const requestIds = new Map(accepted.map(({ id, requestId }) => [id, requestId]));
    const refusals = new Map(refused.map(({ id, reason }) => [id, reason]));
    const outcomes = rows.map((row): Outcome => {
      const requestId = requestIds.get(row.id) ?? "";
      const output = predictions.get(requestId)?.output;
      return output === undefined
        ? { row, failure: deadLetters.get(requestId) ?? refusals.get(row.id) }
        : { row, output };
    });
    return { outcomes, seconds };
  } finally {
    progress.stop();
  }
}

/** What to type in another terminal, with the id of an input that exists and needs no quoting. */
const usageOf = ({ environment, queueUrl, apiUrl }: LocalAws, rows: RequestRow[]) => {
  const variables = Object.entries({ ...environment, QUEUE_URL: queueUrl, API_URL: apiUrl });
  const id = rows.find((row) => /^[\w-]+$/.test(row.id))?.id ?? "1";
  return `
${variables.map(([name, value]) => `export ${name}=${value}`).join("\n")}

aws sqs send-message --endpoint-url "$AWS_ENDPOINT_URL_SQS" --queue-url "$QUEUE_URL" --message-body '{"id":"${id}"}'
curl -X POST -H 'content-type: application/json' -d '{"id":"${id}"}' "$API_URL/predict"
curl "$API_URL/predict/${id}"

npx offline-inference results ${id} --local
`;
};

interface StartOptions {
  readonly file: string;
  readonly keep: boolean;
  /** The model's archive, or the folder of an unpacked one. @default the stand-in answers */
  readonly artifact?: string;
  readonly signal: AbortSignal;
}

/** Runs the whole pipeline on this machine over the rows of a file, and says whether each got its prediction. */
async function start({ artifact, ...options }: StartOptions): Promise<boolean> {
  const rows = await readRequestsFile(options.file);
  if (artifact === undefined) {
    return run(rows, lexicalModel, "The model is a stand-in: it compares words, and was never trained.", options);
  }
  talk(`Starting the model of ${artifact} ...`);
  const served = await serveModel(artifact);
  try {
    return await run(rows, served.model, `The model is that of ${artifact}.`, options);
  } finally {
    await served.stop();
  }
}

async function run(rows: RequestRow[], model: Model, which: string, { keep, signal }: StartOptions): Promise<boolean> {
  signal.throwIfAborted();
  talk("Starting the stand-ins for AWS ...");
  const aws = await startPipeline({ dataDir, model, environment });
  try {
    signal.throwIfAborted();
    Object.assign(process.env, aws.environment);
    talk(`Asking for ${rows.length} predictions. ${which}`);
    const { outcomes, seconds } = await predict(rows, aws, signal);
    console.log(tableOf(outcomes));
    console.log(summaryOf(outcomes, seconds));
    console.log(`The data lies in ${dataDir}/`);
    if (keep) {
      console.log(usageOf(aws, rows));
      writeLocalEnvironment(dataDir, { environment, variables: aws.environment });
      talk("Running until Ctrl-C.");
      if (!signal.aborted) await once(signal, "abort");
      signal.throwIfAborted();
    }
    return outcomes.every(({ failure }) => failure === undefined);
  } finally {
    removeLocalEnvironment(dataDir);
    await aws.stop();
  }
}

const options = z.object({ keep: z.boolean().optional(), model: z.string().optional() });

async function main() {
  const program = new Command("npm start --")
    .description("Runs the pipeline on this machine, without AWS: one prediction for each row of a CSV file.")
    .argument("[file]", "CSV file with the columns id, seq_0, seq_1", "samples/paraphrase/requests.csv")
    .option("--model <artifact>", "the archive of a model that answers, or the folder of an unpacked one")
    .option("--keep", "go on running until Ctrl-C, and print what other programs need to use it")
    .addHelpText("after", "\nExits with 0 when every row has its prediction, else with 1, and with 130 after Ctrl-C.")
    .parse();
  const [file = ""] = program.processedArgs.map(String);
  const { keep = false, model: artifact } = options.parse(program.opts());
  const complete = await untilInterrupted((signal) => start({ file, keep, artifact, signal }));
  if (complete === false) process.exitCode = 1;
}

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
main().catch((error: unknown) => {
  talk(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
