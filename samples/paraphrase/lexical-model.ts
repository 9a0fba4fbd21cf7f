import { z } from "zod";
import { jsonModel, ModelError } from "../../local/sagemaker-runtime";

/** The two answers there are, in the wording of the model that this one stands in for. */
export type Answer = "It's a paraphrase" | "Not a paraphrase";

const smallWords = new Set(
  "a an the and or but of to in on at by for from with that which it its is are was were be been am do does did has have had will would can could may i you he she we they me him her us them my your his our their this".split(
    " ",
  ),
);
const negations = new Set("not no never nobody none nothing nowhere neither nor cannot without hardly".split(" "));
const numbers = new Set(
  "zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million".split(
    " ",
  ),
);

const isNumber = (word: string) => /^\p{N}/u.test(word) || numbers.has(word);
const stem = (word: string) => (word.length > 4 ? word.replace(/(ing|ed|es|s|e)$/, "") : word);

const wordsOf = (sentence: string) =>
  sentence
    .toLowerCase()
    .replaceAll("’", "'")
    .replaceAll("can't", "cannot")
    .replaceAll("n't", " not")
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

const read = (sentence: string) => {
  const words = wordsOf(sentence);
  return {
    content: new Set(words.filter((word) => !smallWords.has(word) && !negations.has(word)).map(stem)),
    numbers: words.filter(isNumber).sort().join(" "),
    negated: words.filter((word) => negations.has(word)).length % 2 === 1,
  };
};

/**
 * Says whether two sentences mean the same by counting the words they share. It is a stand-in for a trained model,
 * good enough to see the pipeline at work: it knows no synonyms, and does not see who did what to whom.
 */
export function paraphrases(pair: { seq_0: string; seq_1: string }): Answer {
  const first = read(pair.seq_0);
  const second = read(pair.seq_1);
  const shared = [...first.content].filter((word) => second.content.has(word)).length;
  const alike = 2 * shared >= 0.7 * (first.content.size + second.content.size) && shared > 0;
  return alike && first.numbers === second.numbers && first.negated === second.negated
    ? "It's a paraphrase"
    : "Not a paraphrase";
}

const sentencePair = z.object({ seq_0: z.string(), seq_1: z.string() });
const severalInstances = z.object({ instances: z.array(z.unknown()) });

/** The stand-in for the model, behind both contracts of the model's own. */
export const lexicalModel = jsonModel((body) => {
  const several = severalInstances.safeParse(body);
  if (several.success) {
    const answers = several.data.instances.map((instance) => sentencePair.safeParse(instance));
    return {
      predictions: answers.map(({ data, error }) => (data ? paraphrases(data) : { error: z.prettifyError(error) })),
    };
  }
  const pair = sentencePair.safeParse(body);
  if (!pair.success) throw new ModelError(400, z.prettifyError(pair.error));
  return paraphrases(pair.data);
});
