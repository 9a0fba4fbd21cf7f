import Table from "cli-table3";
import type { RequestRow } from "./requests-file";

/** A row of the request file, and what came of it. */
export interface Outcome {
  readonly row: RequestRow;
  /** The model's answer, where there is one. */
  readonly output?: string;
  /** Why there is none. */
  readonly failure?: string;
}

/** The outcomes as a table, about 100 columns wide: what is longer is cut, what does not print becomes a space. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const table = new Table({
    head: ["id", "seq_0", "seq_1", "prediction"],
    colWidths: [8, 36, 36, 20],
    style: { head: [], border: [], compact: true },
  });
  const cell = (text: string) => text.replace(/[\p{C}\s]+/gu, " ");
  for (const { row, output = "-" } of outcomes) table.push([row.id, row.seq_0, row.seq_1, output].map(cell));
  return table.toString();
}

/** How many of each answer there are, how long it took, and why the others have none. */
export function summaryOf(outcomes: readonly Outcome[], seconds: number): string {
  const answers = new Map<string, number>();
  for (const { output } of outcomes) if (output !== undefined) answers.set(output, (answers.get(output) ?? 0) + 1);
  const failures = outcomes.filter(({ failure }) => failure !== undefined);
  const predictions = outcomes.length - failures.length;
  const each = [...answers].sort().map(([answer, count]) => `${answer}: ${count}`);
  return [
    `${predictions} of ${outcomes.length} requests have a prediction${each.length > 0 ? ` (${each.join(", ")})` : ""}`,
    ...failures.map(({ row, failure }) => `id ${JSON.stringify(row.id)} has none: ${failure}`),
    `${seconds.toFixed(2)} s from the first request sent to the last one answered: ${(predictions / seconds).toFixed(0)} predictions/s`,
  ].join("\n");
}
