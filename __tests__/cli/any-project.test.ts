import { settings as tabular } from "../../examples/tabular/config";
import { settings as textGeneration } from "../../examples/text-generation/config";
import { textGenerator } from "../../examples/text-generation/stand-in";
import type { Model } from "../../local/sagemaker-runtime";
import { lexicalModel } from "../../samples/paraphrase/lexical-model";
import { behavesAsAnyProject } from "../setup/any-project";

/** Answers lines of CSV as the model of examples/tabular does, by visits alone. */
const byVisits: Model = ({ body }) => {
  const answers = body
    .toString()
    .split("\n")
    .map((line) => {
      const visits = Number(line.split(",")[2]);
      return `${visits > 7 ? "renews" : "leaves"},${(visits / 20).toFixed(4)}`;
    });
  return { body: `${answers.join("\n")}\n`, contentType: "text/csv" };
};

describe("the default: a pair of texts in JSON, a text back", () => {
  behavesAsAnyProject({
    rows: "samples/paraphrase/requests.csv",
    start: async () => ({ model: lexicalModel }),
    makes: { aws_sagemaker_feature_group: 1, aws_sagemaker_endpoint: 1, aws_sagemaker_model: 1 },
    expected: { id: "3", columns: { output: "Not a paraphrase" } },
  });
});

describe("examples/tabular: lines of CSV, label and score back", () => {
  behavesAsAnyProject({
    settings: tabular,
    rows: "examples/tabular/rows.csv",
    start: async () => ({ model: byVisits }),
    makes: { aws_sagemaker_feature_group: 1, aws_sagemaker_endpoint: 1, aws_sagemaker_model: 1 },
    expected: { id: "c-001", columns: { output: "renews,0.5500", label: "renews", score: 0.55 } },
  });
});

describe("examples/text-generation: prompts that requests carry, to an endpoint that exists, JSON back", () => {
  behavesAsAnyProject({
    settings: textGeneration,
    rows: "examples/text-generation/rows.csv",
    start: async () => ({ model: textGenerator }),
    makes: { aws_sagemaker_feature_group: 0, aws_sagemaker_endpoint: 0, aws_sagemaker_model: 0 },
    expected: { id: "note-6", columns: { output: '[{"generated_text":"newspaper. old an of uses three List"}]' } },
  });
});
