import type { Pipeline } from "../shared/connection";
import { counted } from "../shared/numbers";
import { type OutputColumn, writeRows } from "../shared/output";
import { resultsOf } from "../shared/warehouse";
import { cannot, type ResultsOutput } from "./results-print";

const columns: readonly OutputColumn[] = [
  { name: "day", type: "text", width: 12 },
  { name: "model_release", type: "text", width: 28 },
  { name: "answer", type: "text", width: 32 },
  { name: "predictions", type: "integer", width: 14 },
  { name: "share", type: "number", width: 10 },
];

/** Prints how often each answer was given, by day and release. */
export async function printShares(
  pipeline: Pipeline,
  since: Date | undefined,
  { format, safe, output }: ResultsOutput,
  signal: AbortSignal,
): Promise<void> {
  const isTable = format === "table";
  let count = 0;
  async function* rows() {
    for await (const page of resultsOf(pipeline).shares(since, { signal })) {
      count += page.length;
      yield page.map(({ day, modelRelease, answer, predictions, share }) => ({
        day,
        model_release: modelRelease,
        answer: answer ?? (isTable ? "(all others)" : undefined),
        predictions,
        share: isTable ? share.toFixed(4) : share,
      }));
    }
  }
  await writeRows(rows(), { format, safe, columns, output }).catch(cannot("write the shares of answers", signal));
  const where = output === undefined ? "" : ` in ${output}`;
  console.error(count === 0 ? `There is no answer${where}.` : `${counted(count, "row")}${where}.`);
}
