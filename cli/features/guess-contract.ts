import { sourceOf } from "../../config/spoken-contract";
import { featureText } from "../../contract/feature-values";
import type { FeatureType } from "../../contract/model-contract";
import { isBlank, trimmed } from "../../pipeline/csv";
import type { CsvFile } from "../shared/csv";

const rowsLookedAt = 1_000;

/** Features by their names, as config.ts has them. */
type GuessedFeatures = Readonly<Record<string, FeatureType | { readonly type: FeatureType; readonly optional: true }>>;

/**
 * The features that would fit a file's columns: their types as the first thousand rows have them.
 * @param others columns that are no features: the id, the event time @default id
 * @returns undefined where the file has no other column, or no row
 */
export async function guessFeatures(
  file: CsvFile,
  others: readonly string[] = ["id"],
): Promise<GuessedFeatures | undefined> {
  const names = (file.header?.values ?? []).map(trimmed);
  const places = names.flatMap((name, place) => (name === "" || others.includes(name) ? [] : [place]));
  const values = places.map((): string[] => []);
  let rows = 0;
  for await (const row of file.rows()) {
    for (const [column, place] of places.entries()) values[column]?.push(row.values[place] ?? "");
    if (++rows === rowsLookedAt) break;
  }
  if (rows === 0 || places.length === 0) return undefined;
  return Object.fromEntries(
    places.map((place, column) => {
      const given = values[column] ?? [];
      const there = given.filter((value) => !isBlank(value)).map(trimmed);
      const type = typeOf(there);
      return [names[place] ?? "", there.length < given.length ? { type, optional: true } : type];
    }),
  );
}

/** The contract that would fit a file's columns, for people. Parameters and what it returns are those of {@link guessFeatures}. */
export async function guessContract(file: CsvFile, others?: readonly string[]): Promise<string | undefined> {
  const features = await guessFeatures(file, others);
  if (features === undefined) return undefined;
  return [
    `your columns: ${Object.keys(features).join(", ")}; put this into config.ts, with request and answer as your model has them:`,
    `  contract: { features: ${sourceOf(features)}, request: "json", answer: "text", outputs: {} }`,
  ].join("\n");
}

function typeOf(values: readonly string[]): FeatureType {
  const are = (type: FeatureType) => values.every((value) => featureText(type, value) !== undefined);
  const isText = values.length === 0 || values.some((value) => /^[+-]?0\d/.test(value)); // 007 is no number
  if (isText || !are("Fractional")) return "String";
  return are("Integral") ? "Integral" : "Fractional";
}
