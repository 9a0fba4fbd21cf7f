import type { JobRequest } from "../contract/job";
import type { Until } from "./clients";
import type { InputFiles } from "./input-file";
import { type InputPlace, type InputRow, type InputRules, isFault, sentenceOf } from "./job-input";

/** An input that never can be read: it has changed, it is gone, or it does not fit the contract. */
export class UnusableInput extends Error {
  override readonly name = "UnusableInput";
}

/** The rows of a job that are asked, in their order, from one on. @throws UnusableInput */
export async function* askedRows(
  files: Pick<InputFiles, "rows">,
  rules: Omit<InputRules, "format" | "columns">,
  { input, settings }: JobRequest,
  from: InputPlace,
  until: Until,
): AsyncGenerator<InputRow, void, undefined> {
  const { format, columns, limit = Number.POSITIVE_INFINITY } = settings;
  for await (const read of files.rows(input, { ...rules, format, columns }, from, until)) {
    if (isFault(read)) throw new UnusableInput(sentenceOf(read));
    if (read.row > limit) return;
    yield read;
  }
}
