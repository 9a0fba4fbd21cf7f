import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A golden request of the default contract. */
export const goldenOfPair = [
  { request: JSON.stringify({ seq_0: "a", seq_1: "b" }), response: JSON.stringify("Not a paraphrase") },
];

/** What model/trace.py says of a model of the default contract. */
export const modelOfPairs = {
  version: 1,
  contract: { features: { seq_0: "String", seq_1: "String" }, request: ["json", "instances"], answer: "text" },
  labels: ["Not a paraphrase", "It's a paraphrase"],
  files: ["config.json", "model.pt", "tokenizer.json", "tokenizer_config.json"],
  image: "pytorch",
  golden: "golden.json",
};

/**
 * Writes what `model package` takes, with weights that are none.
 * @param model in the place of some of what model.json says
 * @param files in the place of some of the files, or beside them
 */
export async function writeModelFolder(
  folder: string,
  { model = {}, files = {} }: { model?: object; files?: Readonly<Record<string, string | Buffer>> } = {},
): Promise<void> {
  const usual = {
    "model.pt": "weights",
    "config.json": "{}",
    "tokenizer.json": "{}",
    "tokenizer_config.json": "{}",
    "golden.json": JSON.stringify(goldenOfPair),
    "model.json": JSON.stringify({ ...modelOfPairs, ...model }),
  };
  for (const [name, content] of Object.entries({ ...usual, ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

/** A model that needs nothing but Python: it says of a pair of texts whether `rule`, in Python over `one` and `other`, holds. */
export const plainModel = (rule: string) => ({
  model: { files: ["code/inference.py"], image: "scikit-learn" },
  files: {
    "code/inference.py": `import json
def model_fn(model_dir):
    return ("Not a paraphrase", "It's a paraphrase")
def input_fn(body, content_type):
    return json.loads(body)
def predict_fn(pair, labels):
    one, other = pair["seq_0"], pair["seq_1"]
    return labels[${rule}]
def output_fn(answer, accept):
    return json.dumps(answer), "application/json"
`,
  },
});
