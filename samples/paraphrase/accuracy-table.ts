import { kindsOfOther, kindsOfParaphrase, type LabelledPair } from "./labelled-pairs";

/** A model's name, and by a pair's id whether it says that the two sentences mean the same. */
export interface Judgement {
  readonly model: string;
  readonly answers: ReadonlyMap<string, boolean>;
}

interface Group {
  readonly name: string;
  readonly of: readonly LabelledPair[];
  /** What precision is taken over. @default there is none */
  readonly against?: readonly LabelledPair[];
}

/**
 * How good models are, as a table in Markdown. For each group of pairs: how many get the right answer, which is
 * accuracy for all, recall for paraphrases and its like for a kind of what is none; and precision, how many of those
 * called a paraphrase are one. The precision of a kind is over its pairs and all paraphrases.
 */
export function accuracyTable(pairs: readonly LabelledPair[], judgements: readonly Judgement[]): string {
  const paraphrases = pairs.filter(({ paraphrase }) => paraphrase);
  const others = pairs.filter(({ paraphrase }) => !paraphrase);
  const ofKind = (kind: string) => pairs.filter((pair) => pair.kind === kind);
  const groups: Group[] = [
    { name: "all", of: pairs, against: pairs },
    { name: "paraphrases", of: paraphrases },
    ...kindsOfParaphrase.map((kind) => ({ name: `– ${kind}`, of: ofKind(kind) })),
    { name: "no paraphrases", of: others },
    ...kindsOfOther.map((kind) => ({
      name: `– ${kind}`,
      of: ofKind(kind),
      against: [...paraphrases, ...ofKind(kind)],
    })),
  ];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const heads = judgements.flatMap(({ model }) => [`${model}: right`, "precision"]);
  return [
    line(["", "pairs", ...heads]),
    line(["---", ...["pairs", ...heads].map(() => "---:")]),
    ...groups.map(({ name, of, against = [] }) =>
      line([
        name,
        String(of.length),
        ...judgements.flatMap(({ answers }) => [
          percent(of.filter(({ id, paraphrase }) => answers.get(id) === paraphrase).length, of.length),
          precision(against, answers),
        ]),
      ]),
    ),
  ].join("\n");
}

const percent = (part: number, whole: number) => (whole === 0 ? "" : `${((100 * part) / whole).toFixed(0)} %`);

function precision(pairs: readonly LabelledPair[], answers: ReadonlyMap<string, boolean>): string {
  const called = pairs.filter(({ id }) => answers.get(id) === true);
  return percent(called.filter(({ paraphrase }) => paraphrase).length, called.length);
}
