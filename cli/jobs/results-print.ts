import type { Output } from "../../contract/model-contract";
import { type ReadPrediction, shownColumns } from "../../contract/prediction-table";
import { DeadLetters, type LyingLetter } from "../../pipeline/dead-letters";
import type { Results, Selection } from "../../pipeline/results";
import { awsError } from "../aws-error";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { progressOf } from "../progress";
import { InvalidCsv } from "./csv";
import { type FailureGroup, FailureGroups, Following, type Standing } from "./following";
import { cellOf, type OutputFormat, writeRows } from "./output";
import type { RequestSet } from "./request-set";
import { resultsOf } from "./warehouse";

/** How results are written. */
export interface ResultsOutput {
  readonly format: OutputFormat;
  /** Whether CSV is written without live formulas. @default false */
  readonly safe?: boolean;
  /** The file. @default standard output */
  readonly output?: string;
}

const widths: Record<string, number> = { id: 16, output: 28, predicted_at: 26, job_id: 24 };

/** The columns of results. A table has the first outputs of the contract, as many as it has room for. */
const columnsOf = (outputs: readonly Output[]) => {
  const inTable = outputs.slice(0, 3).map(({ name }) => name);
  return shownColumns(outputs).map((column) => ({
    ...column,
    width: widths[column.name] ?? (inTable.includes(column.name) ? 16 : undefined),
  }));
};

/** What AWS refuses, for people; an interruption and what our own files have wrong stay as they are. */
export const cannot = (doing: string, signal: AbortSignal) => (error: unknown) => {
  throw signal.aborted || error instanceof InvalidCsv ? error : awsError(doing, error);
};

type Pages = AsyncIterable<readonly ReadPrediction[]>;

/** Writes predictions as they come, and says how many. */
async function print(
  pages: Pages,
  { contract }: Pipeline,
  { format, safe, output }: ResultsOutput,
  signal: AbortSignal,
): Promise<number> {
  const columns = columnsOf(contract.outputs);
  let count = 0;
  async function* rows() {
    for await (const page of pages) {
      count += page.length;
      yield page.map((prediction) => Object.fromEntries(columns.map(({ name, of }) => [name, of(prediction)])));
    }
  }
  await writeRows(rows(), { format, safe, columns, output }).catch(cannot("write the results", signal));
  const where = output === undefined ? "" : ` in ${output}`;
  console.error(
    count === 0 ? `There is no result${where}.` : `${whole(count)} result${count === 1 ? "" : "s"}${where}.`,
  );
  return count;
}

/** Says why requests failed, the most frequent reason first. */
export function sayWhy(reasons: readonly FailureGroup[]) {
  for (const { code, reason, requests, some } of reasons) {
    const ids = [...some.values()].map(cellOf).join(", ");
    const more = requests.size > some.size ? " ..." : "";
    console.error(`  ${whole(requests.size)} × ${code}: ${cellOf(reason)} (${ids}${more})`);
  }
}

export const failedHint = "In the dead-letter queue, from where they can go back: offline-inference failed redrive";

/**
 * Prints the results of inputs, of a job or of a time.
 * @returns whether each input has one, and no request of the job has failed
 */
export async function printResults(
  pipeline: Pipeline,
  selection: Pick<Selection, "inputIds" | "jobId" | "since">,
  how: ResultsOutput,
  signal: AbortSignal,
): Promise<boolean> {
  const results = resultsOf(pipeline);
  const without = new Set(selection.inputIds);
  async function* pages() {
    for await (const page of results.select(selection, { signal })) {
      for (const { inputId } of page) without.delete(inputId);
      yield page;
    }
  }
  await print(pages(), pipeline, how, signal);
  const { jobId } = selection;
  if (without.size === 0 && jobId === undefined) return true;

  const groups = new FailureGroups();
  const unfound = new Set(without);
  const visit = (letters: readonly LyingLetter[]) => {
    for (const letter of letters) {
      const { id = "", requestId } = letter;
      const isOurs = jobId === undefined ? without.has(id) : letter.jobId === jobId;
      if (!isOurs || requestId === undefined) continue;
      unfound.delete(id);
      groups.add(letter);
    }
  };
  await new DeadLetters(pipeline.deadLetterQueueUrl)
    .look(visit, { signal })
    .catch(cannot("look through the dead-letter queue", signal));
  const failed = await withoutAnswered(groups, results, signal);
  if (unfound.size > 0 && jobId === undefined) {
    const some = [...unfound].slice(0, 20).map((id) => JSON.stringify(id));
    console.error(`No result: ${some.join(", ")}${unfound.size > 20 ? ` and ${unfound.size - 20} more` : ""}`);
    console.error("Their requests wait, or there are none.");
  }
  if (failed.length === 0) return unfound.size === 0 || jobId !== undefined;
  console.error(`Failed: ${whole(failed.reduce((sum, { requests }) => sum + requests.size, 0))}`);
  sayWhy(failed);
  console.error(failedHint);
  return false;
}

/** What has failed and has no prediction all the same. */
export async function withoutAnswered(
  groups: FailureGroups,
  results: Results,
  signal: AbortSignal,
): Promise<FailureGroup[]> {
  const requestIds = [...groups.requestIds()];
  for await (const ids of results.requestIds({ requestIds }, { signal })) for (const id of ids) groups.delete(id);
  return groups.sorted;
}

/** The predictions of requests. */
async function* resultsAmong(asked: RequestSet, results: Results, since: Date | undefined, signal: AbortSignal) {
  const selections: Selection[] = [
    ...[...asked.prefixes.keys()].map((requestPrefix) => ({ requestPrefix, since })),
    { requestIds: [...asked.otherIds], since },
  ];
  for (const selection of selections) {
    for await (const page of results.select(selection, { signal })) {
      yield page.filter(({ requestId }) => asked.has(requestId));
    }
  }
}

export interface ReceiptOptions extends ResultsOutput {
  readonly receipt: string;
  readonly since?: Date;
  /** Whether to wait until every request has ended. */
  readonly watch: boolean;
}

/** How far requests are, in words. */
export const inWords = ({ total, done, waiting, failed, cancelled }: Standing) =>
  [
    `${whole(done)} of ${whole(total)} done`,
    ...(waiting > 0 ? [`${whole(waiting)} waiting`] : []),
    ...(failed > 0 ? [`${whole(failed)} failed`] : []),
    ...(cancelled > 0 ? [`${whole(cancelled)} cancelled`] : []),
  ].join(", ");

/**
 * Follows requests until none waits, and says how far they are.
 * @param goOn how to go on after an interruption
 */
export async function follow(following: Following, goOn: string): Promise<Standing> {
  const progress = progressOf("requests", following.asked.size);
  let last: Standing | undefined;
  let told = "";
  const onLook = (standing: Standing) => {
    last = standing;
    progress.update(standing.total - standing.waiting);
    const failures = standing.failed === 0 ? "" : `${whole(standing.failed)} failed`;
    if (failures !== told && standing.waiting > 0) say(failures, standing.reasons);
    told = failures;
  };
  const say = (what: string, reasons: readonly FailureGroup[]) => {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K"); // the bar is drawn anew below
    console.error(what === "" ? "None of them has failed any more." : `${what} so far:`);
    sayWhy(reasons);
  };
  try {
    return await following.untilEnded(onLook);
  } catch (error) {
    progress.stop();
    if (last !== undefined) console.error(`${inWords(last)}.`);
    console.error(`The requests go on. To follow them again: ${goOn}`);
    throw error;
  } finally {
    progress.stop();
  }
}

/**
 * Prints the results of a receipt's requests.
 * @returns whether all of them are done
 */
export async function printReceipt(
  pipeline: Pipeline,
  { receipt, since, watch, ...how }: ReceiptOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const results = resultsOf(pipeline);
  const deadLetters = new DeadLetters(pipeline.deadLetterQueueUrl);
  const following = new Following({ results, deadLetters, signal });
  await following.add(receipt);
  const doing = "follow the requests of the receipt";
  const looking = watch
    ? follow(following, `offline-inference results --receipt ${receipt} --watch`)
    : following.look(true);
  const standing = await looking.catch(cannot(doing, signal));
  await print(resultsAmong(following.asked, results, since, signal), pipeline, how, signal);
  console.error(`${inWords(standing)}.`);
  if (standing.failed > 0) {
    sayWhy(standing.reasons);
    console.error(failedHint);
  }
  return standing.done === standing.total;
}
