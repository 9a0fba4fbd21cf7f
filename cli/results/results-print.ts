import type { Output } from "../../contract/model-contract";
import { type ReadPrediction, shownColumns } from "../../contract/prediction-table";
import { InvalidCsv } from "../../pipeline/csv";
import type { FailureGroup, Results, Selection } from "../../pipeline/results";
import { awsError } from "../shared/aws-error";
import type { Pipeline } from "../shared/connection";
import { counted, whole } from "../shared/numbers";
import { type OutputOptions, writeRows } from "../shared/output";
import { cellOf } from "../shared/text-table";
import { resultsOf } from "../shared/warehouse";

/** How results are written. */
export type ResultsOutput = Omit<OutputOptions, "columns">;

const widths: Record<string, number> = { id: 16, output: 28, predicted_at: 26, job_id: 24 };

/** Columns with their widths in a table, which has the first outputs of the contract, as many as it has room for. */
export const inTable = <Column extends { readonly name: string }>(
  columns: readonly Column[],
  outputs: readonly Output[],
  widths: Readonly<Record<string, number>>,
) => {
  const first = outputs.slice(0, 3).map(({ name }) => name);
  return columns.map((column) => {
    return { ...column, width: widths[column.name] ?? (first.includes(column.name) ? 16 : undefined) };
  });
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
  const columns = inTable(shownColumns(contract.outputs), contract.outputs, widths);
  let count = 0;
  async function* rows() {
    for await (const page of pages) {
      count += page.length;
      yield page.map((prediction) => Object.fromEntries(columns.map(({ name, of }) => [name, of(prediction)])));
    }
  }
  await writeRows(rows(), { format, safe, columns, output }).catch(cannot("write the results", signal));
  const where = output === undefined ? "" : ` in ${output}`;
  console.error(count === 0 ? `There is no result${where}.` : `${counted(count, "result")}${where}.`);
  return count;
}

/** The most groups of failures that are read, and that are shown. */
const groupsRead = 1_000;
const groupsShown = 20;
/** The most characters of a reason's rule, and of an id in it. */
const [ruleCharacters, idCharacters] = [300, 60];

/** Says why requests failed, the most frequent reason first. */
function sayWhy(reasons: readonly FailureGroup[]) {
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

export const failedHint = ({ commandFor }: Pipeline) =>
  `What can go back to the queue lies among the dead letters: ${commandFor("failed")}`;

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
  console.error(failedHint(pipeline));
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
