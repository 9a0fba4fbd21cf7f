import { Option } from "commander";
import type { OutputFormat } from "./output";

/** The formats that names of files end in. */
const endings: Readonly<Record<string, OutputFormat>> = {
  csv: "csv",
  json: "json",
  ndjson: "ndjson",
  jsonl: "ndjson",
  parquet: "parquet",
};

export const formatOption = (choices: readonly OutputFormat[], usual: OutputFormat) =>
  new Option("--format <format>", `how they are written (default: as the file's name ends, else ${usual})`).choices(
    choices,
  );

export const safeOption = () =>
  new Option(
    "--safe",
    "for a spreadsheet: in CSV, an apostrophe goes before each text that one would take for a formula",
  );

/** What a command line says of its output. */
export interface OutputChoice {
  readonly format?: OutputFormat;
  readonly output?: string;
  readonly safe?: boolean;
}

/**
 * How output is written: as its file's name ends, or as is said.
 * @param usual the format where neither says one
 * @throws where name and format contradict each other, and where another format than CSV is to be safe
 */
export function outputPlan({ format, output, safe = false }: OutputChoice, usual: OutputFormat) {
  const [, ending = ""] = /\.([^./\\]+)$/.exec(output ?? "") ?? [];
  const named = endings[ending.toLowerCase()];
  if (named !== undefined && format !== undefined && named !== format) {
    throw new Error(
      `${output} is ${named} by its name, and ${format} by --format: change one of them, or leave out --format.`,
    );
  }
  const chosen = format ?? named ?? usual;
  if (safe && chosen !== "csv")
    throw new Error(`--safe is for CSV, and this is ${chosen}: a spreadsheet reads no formulas from it.`);
  return { format: chosen, output, safe };
}
