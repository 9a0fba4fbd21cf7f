import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { z } from "zod";

/** The project's own. */
export const labelledPairs = "samples/paraphrase/labelled-pairs.csv";

/** Pairs that mean the same: nearly the same words in another order, or other words. */
export const kindsOfParaphrase = ["reordered", "reworded"] as const;

/**
 * Pairs that do not. One denies what the other says, swaps who does it to whom, or has another number, name or time;
 * or it says something else on the same topic, or on another.
 */
export const kindsOfOther = ["negation", "roles", "number", "name", "date", "related", "unrelated"] as const;

const kinds = z.enum([...kindsOfParaphrase, ...kindsOfOther]);

/** Two sentences, and whether they mean the same. */
export interface LabelledPair {
  /** Its kind, and its number within that, as `negation-7`. */
  readonly id: string;
  readonly kind: z.infer<typeof kinds>;
  readonly features: { readonly seq_0: string; readonly seq_1: string };
  readonly paraphrase: boolean;
  /** Whether a model's threshold may be chosen by it, so that it cannot say how good the model is. */
  readonly choosing: boolean;
}

const row = z
  .strictObject({
    id: z.templateLiteral([kinds, "-", z.int().positive()], `must be a kind and a number: ${kinds.options.join(", ")}`),
    seq_0: z.string().trim().min(1),
    seq_1: z.string().trim().min(1),
    label: z.enum(["0", "1"]),
  })
  .transform(({ id, label, ...features }): LabelledPair => {
    const [kind, number] = id.split("-");
    return { id, kind: kinds.parse(kind), features, paraphrase: label === "1", choosing: Number(number) % 2 === 1 };
  })
  .refine(({ kind, paraphrase }) => paraphrase === kindsOfParaphrase.some((one) => one === kind), {
    error: "the label is not that of the kind",
    path: ["label"],
  });

/**
 * Reads the labelled pairs: CSV of `id`, `seq_0`, `seq_1` and `label`, which is 1 for a paraphrase.
 * @param file @default the project's own
 * @throws with everything that is wrong in the file
 */
export async function readLabelledPairs(file = labelledPairs): Promise<LabelledPair[]> {
  const records: unknown = parse(await readFile(file), { columns: true, skip_empty_lines: true });
  const pairs = z.array(row).safeParse(records);
  if (!pairs.success) throw new Error(`${file} cannot be used:\n${z.prettifyError(pairs.error)}`);
  return pairs.data;
}
