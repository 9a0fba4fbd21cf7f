// Says how good models are: `npm run model:accuracy -- --model ARCHIVE`.
import { parseArgs } from "node:util";
import { z } from "zod";
import { type ServedModel, serveModel } from "../../local/served-model";
import { accuracyTable, type Judgement } from "./accuracy-table";
import { type LabelledPair, readLabelledPairs } from "./labelled-pairs";
import { paraphrases } from "./lexical-model";

const pairsPerCall = 25;

const answer = z.enum(["It's a paraphrase", "Not a paraphrase"]);
const isYes = (given: z.infer<typeof answer>) => given === "It's a paraphrase";

/**
 * Says how good the stand-in for a model is, and a model beside it where one is named, by the labelled pairs that no
 * threshold was chosen by.
 * @returns a table in Markdown
 * @throws when the model cannot be served, or has no answer for a pair
 */
async function measureAccuracy(artifact?: string): Promise<string> {
  const pairs = (await readLabelledPairs()).filter(({ choosing }) => !choosing);
  const standIn = new Map(pairs.map(({ id, features }) => [id, isYes(paraphrases(features))]));
  const judgements: Judgement[] = [{ model: "stand-in", answers: standIn }];
  if (artifact !== undefined) {
    const served = await serveModel(artifact);
    try {
      judgements.push({ model: "model", answers: await answersOf(served, pairs) });
    } finally {
      await served.stop();
    }
  }
  return accuracyTable(pairs, judgements);
}

async function answersOf({ model }: ServedModel, pairs: readonly LabelledPair[]): Promise<Map<string, boolean>> {
  const answers = new Map<string, boolean>();
  for (let start = 0; start < pairs.length; start += pairsPerCall) {
    const asked = pairs.slice(start, start + pairsPerCall);
    const several = z.object({ predictions: z.array(answer).length(asked.length) });
    const instances = asked.map(({ features }) => features);
    const { body } = await model({
      body: Buffer.from(JSON.stringify({ instances })),
      contentType: "application/json",
      accept: "application/json",
    });
    const { predictions } = several.parse(JSON.parse(body.toString()));
    for (const [index, { id }] of asked.entries()) answers.set(id, isYes(answer.parse(predictions[index])));
    console.error(`${answers.size} of ${pairs.length} pairs are answered`);
  }
  return answers;
}

(async () => {
  const { model } = parseArgs({ options: { model: { type: "string" } } }).values;
  console.log(await measureAccuracy(model));
})().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
