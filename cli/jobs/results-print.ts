import type { Output } from "../../contract/model-contract";
import { type ReadPrediction, shownColumns } from "../../contract/prediction-table";
import { InvalidCsv } from "../../pipeline/csv";
import type { FailureGroup, Results, Selection } from "../../pipeline/results";
import { awsError } from "../aws-error";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { ownEscape } from "../printing";
import { progressOf } from "../progress";
import { Following, groupsRead, type Standing } from "./following";
import { cellOf, type OutputFormat, writeRows } from "./output";
import type { RequestSet } from "./request-set";
import { loadingOf, resultsOf } from "./warehouse";

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

const groupsShown = 20;
/** The most characters of a reason's rule, and of an id in it. */
const [ruleCharacters, idCharacters] = [300, 60];

/** Says why requests failed, the most frequent reason first. */
export function sayWhy(reasons: readonly FailureGroup[]) {
  for (const { code, rule, count, inputIds } of reasons.slice(0, groupsShown)) {
    const ids = inputIds.map((id) => cellOf(id, idCharacters)).join(", ");
    const more = count > inputIds.length ? " ..." : "";
    console.error(
      `  ${whole(count)} × ${code}: ${cellOf(rule, ruleCharacters)}${ids === "" ? "" : ` (${ids}${more})`}`,
    );
  }
  const others = reasons.length - groupsShown;
  if (others > 0) console.error(`  and ${others === 1 ? "one more reason" : `${whole(others)} more reasons`}`);
}

export const failedHint = "What can go back to the queue lies among the dead letters: offline-inference failed";

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

  const failed: Selection = jobId === undefined ? { ...selection, inputIds: [...without] } : selection;
  const cannotRead = cannot("read why requests failed", signal);
  const groups = await results.groups(failed, groupsRead, { signal }).catch(cannotRead);
  if (jobId === undefined) await sayWithout(without, groups, results, { signal }).catch(cannotRead);
  if (groups.length === 0) return without.size === 0;
  console.error(`Failed: ${whole(groups.reduce((sum, { count }) => sum + count, 0))}`);
  sayWhy(groups);
  console.error(failedHint);
  return false;
}

/** Says which inputs have neither a prediction nor a failure. */
async function sayWithout(
  inputIds: ReadonlySet<string>,
  groups: readonly FailureGroup[],
  results: Results,
  until: { readonly signal: AbortSignal },
) {
  const unknown = new Set(inputIds);
  const failed = results.requests("failed", { inputIds: groups.length === 0 ? [] : [...inputIds] }, until);
  for await (const requests of failed) for (const { inputId = "" } of requests) unknown.delete(inputId);
  if (unknown.size === 0) return;
  const some = [...unknown].slice(0, 20).map((id) => JSON.stringify(id));
  console.error(`No result: ${some.join(", ")}${unknown.size > 20 ? ` and ${unknown.size - 20} more` : ""}`);
  console.error("Their requests wait, or there are none.");
}

/** The predictions of requests. */
async function* resultsAmong(asked: RequestSet, results: Results, since: Date | undefined, signal: AbortSignal) {
  const selections: Selection[] = [
    ...[...asked.prefixes.keys()].map((requestPrefix) => ({ requestPrefix, since })),
    { requestIds: asked.otherIds("answered"), since },
  ];
  for (const selection of selections) {
    for await (const page of results.select(selection, { signal })) {
      yield page.filter(({ requestId, inputId }) => asked.has(requestId, inputId));
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
export const inWords = ({ total, answered, waiting, failed, cancelled }: Standing) =>
  [
    `${whole(answered)} of ${whole(total)} answered`,
    ...(waiting > 0 ? [`${whole(waiting)} waiting`] : []),
    ...(failed > 0 ? [`${whole(failed)} failed`] : []),
    ...(cancelled > 0 ? [`${whole(cancelled)} cancelled`] : []),
  ].join(", ");

/**
 * Follows requests until none waits, and says how far they are. What is staged is loaded meanwhile.
 * @param goOn how to go on after an interruption
 */
export async function follow(
  pipeline: Pipeline,
  following: Following,
  goOn: string,
  signal: AbortSignal,
): Promise<Standing> {
  const progress = progressOf("outcomes", following.asked.size);
  const ended = new AbortController();
  let last: Standing | undefined;
  let told = "";
  const onLook = (standing: Standing) => {
    last = standing;
    progress.update(standing.total - standing.waiting);
    const failures = standing.failed === 0 ? "" : `${whole(standing.failed)} failed`;
    if (failures !== told && standing.waiting > 0) {
      say(failures === "" ? "None of them has failed any more." : `${failures} so far:`);
      sayWhy(standing.reasons);
    }
    told = failures;
  };
  const say = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`${ownEscape()}[G${ownEscape()}[2K`); // the bar is drawn anew below
    console.error(text);
  };
  try {
    const load = loadingOf(pipeline, say, AbortSignal.any([signal, ended.signal]));
    return await following.untilEnded(load, onLook);
  } catch (error) {
    progress.stop();
    if (last !== undefined) console.error(`${inWords(last)}.`);
    console.error(`The requests go on. To follow them again: ${goOn}`);
    throw error;
  } finally {
    ended.abort();
    progress.stop();
  }
}

/**
 * Prints the results of a receipt's requests.
 * @returns whether all of them are answered
 */
export async function printReceipt(
  pipeline: Pipeline,
  { receipt, since, watch, ...how }: ReceiptOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const results = resultsOf(pipeline);
  const following = new Following({ results, signal });
  await following.add(receipt);
  const doing = "follow the requests of the receipt";
  const goOn = `offline-inference results --receipt ${receipt} --watch`;
  const looking = watch ? follow(pipeline, following, goOn, signal) : following.look(true);
  const standing = await looking.catch(cannot(doing, signal));
  await print(resultsAmong(following.asked, results, since, signal), pipeline, how, signal);
  console.error(`${inWords(standing)}.`);
  if (standing.failed > 0) {
    sayWhy(standing.reasons);
    console.error(failedHint);
  }
  return standing.answered === standing.total;
}
