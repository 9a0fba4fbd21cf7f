import type { FeatureValues } from "../contract/feature-values";
import type { ModelContract } from "../contract/model-contract";
import { columnsOf } from "../pipeline/csv";
import { type CsvFile, withCsv } from "./shared/csv";
import { whole } from "./shared/numbers";
import { inPlaces, terminalWidth, textTable } from "./shared/text-table";

/** A row of the file that was asked about. */
export interface FirstRow {
  readonly id: string;
  readonly values: FeatureValues;
}

/** What a run says beside the first rows, npm before it and the prompt after it, in lines. */
const otherLines = 27;
const countsShown = 5;
/** Of more different answers than these none is counted: they are numbers, say. */
const mostAnswers = 1_000;

/** How many rows are shown, so that what was said before does not scroll away. */
export function rowsShown(): number {
  const lines = process.stdout.rows || Number(process.env.LINES) || 40;
  return Math.max(3, Math.min(10, lines - otherLines));
}

/**
 * What came of a file: its first rows with their answers, and how many there are of each answer.
 * @param resultsFile the results as CSV
 */
export const firstLook = (resultsFile: string, contract: ModelContract, rows: readonly FirstRow[]): Promise<string> =>
  withCsv(resultsFile, { delimiter: "," }, (results) => look(results, contract, rows));

async function look(results: CsvFile, contract: ModelContract, rows: readonly FirstRow[]): Promise<string> {
  const { outputs, features } = contract;
  const ids = new Set(rows.map(({ id }) => id));
  const found = new Map<string, readonly string[]>();
  const counts = new Map<string, number>();
  const { header } = results;
  const typed = outputs.map(({ name }) => name).filter((name) => header?.values.includes(name));
  const shown = typed.length === 0 ? ["output"] : typed;
  const label = outputs.find(({ name, type }) => type === "text" && typed.includes(name))?.name ?? "output";
  const { valueIn } = columnsOf(results.name, header, { required: ["id", label, ...shown] });
  let answers = 0;
  for await (const line of results.rows()) {
    answers++;
    const id = valueIn(line, "id") ?? "";
    const answer = valueIn(line, label) ?? "";
    if (ids.has(id))
      found.set(
        id,
        shown.map((column) => valueIn(line, column) ?? ""),
      );
    if (counts.size <= mostAnswers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  const head = ["id", ...features.map(({ name }) => name), ...(typed.length === 0 ? ["prediction"] : shown)];
  const cells = rows.map(({ id, values }) => [
    id,
    ...values.map((value) => value ?? ""),
    ...(found.get(id) ?? shown.map(() => "-")),
  ]);
  const width = terminalWidth();
  const said = countLines(counts, answers).map((line) => inPlaces(line, width).trimEnd());
  return [textTable(head, cells, width, shown.length), ...said].join("\n");
}

function countLines(counts: ReadonlyMap<string, number>, answers: number): string[] {
  if (answers === 0) return [];
  if (counts.size > mostAnswers || (counts.size === answers && answers > countsShown)) {
    return [`${whole(answers)} answers, most of them different`];
  }
  const most = [...counts].sort(([, one], [, other]) => other - one);
  const shown = most.slice(0, countsShown).map(([answer, count]) => `${answer.slice(0, 40)}: ${whole(count)}`);
  const others = most.length - shown.length;
  return [`${shown.join(", ")}${others > 0 ? `, and ${whole(others)} other answers` : ""}`];
}
