import { featureText } from "../../contract/feature-values";
import type { FeatureType } from "../../contract/model-contract";
import { isBlank, trimmed } from "../../pipeline/csv";
import type { CsvFile } from "./csv";

const rowsLookedAt = 1_000;

/** What a contract could say of a column. */
interface Guess {
  readonly name: string;
  readonly type: FeatureType;
  readonly optional: boolean;
}

/**
 * The contract that would fit a file's columns, for people: their types as the first thousand rows have them.
 * @param others columns that are no features: the id, the event time @default id
 * @returns undefined where the file has no other column, or no row
 */
export async function guessContract(file: CsvFile, others: readonly string[] = ["id"]): Promise<string | undefined> {
  const names = (file.header?.values ?? []).map(trimmed);
  const places = names.flatMap((name, place) => (name === "" || others.includes(name) ? [] : [place]));
  const values = places.map((): string[] => []);
  let rows = 0;
  for await (const row of file.rows()) {
    for (const [column, place] of places.entries()) values[column]?.push(row.values[place] ?? "");
    if (++rows === rowsLookedAt) break;
  }
  if (rows === 0 || places.length === 0) return undefined;
  const guesses = places.map((place, column): Guess => {
    const given = values[column] ?? [];
    const there = given.filter((value) => !isBlank(value)).map(trimmed);
    return { name: names[place] ?? "", type: typeOf(there), optional: there.length < given.length };
  });
  const features = guesses.map(({ name, type, optional }) => {
    const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
    return `${key}: ${optional ? `{ type: "${type}", optional: true }` : `"${type}"`}`;
  });
  return [
    `your columns: ${guesses.map(({ name }) => name).join(", ")}; put this into config.ts, with request and answer as your model has them:`,
    `  contract: { features: { ${features.join(", ")} }, request: "json", answer: "text", outputs: {} }`,
  ].join("\n");
}

function typeOf(values: readonly string[]): FeatureType {
  const are = (type: FeatureType) => values.every((value) => featureText(type, value) !== undefined);
  const isText = values.length === 0 || values.some((value) => /^[+-]?0\d/.test(value)); // 007 is no number
  if (isText || !are("Fractional")) return "String";
  return are("Integral") ? "Integral" : "Fractional";
}
