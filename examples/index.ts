import type { Settings } from "../config";
import type { Model } from "../local/sagemaker-runtime";
import { settings as tabular } from "./tabular/config";
import { trainedModel } from "./tabular/train";
import { settings as textGeneration } from "./text-generation/config";
import { textGenerator } from "./text-generation/stand-in";

/** A project of this folder, as `npm start -- --example` runs it. */
export interface Example {
  readonly settings: Settings;
  /** The CSV file of what is asked. */
  readonly rows: string;
  /** Says which model answers. */
  readonly about: string;
  /** What answers: the folder of an unpacked archive once it is made, or a stand-in in this process. */
  readonly model: { readonly archive: () => Promise<string> } | { readonly standIn: Model };
}

const examples: ReadonlyMap<string, Example> = new Map([
  [
    "tabular",
    {
      settings: tabular,
      rows: "examples/tabular/rows.csv",
      about: "The model is of scikit-learn, trained on rows that its script makes up.",
      model: { archive: trainedModel },
    },
  ],
  [
    "text-generation",
    {
      settings: textGeneration,
      rows: "examples/text-generation/rows.csv",
      about: "The endpoint exists on AWS alone: a stand-in answers, which only repeats the prompt's words.",
      model: { standIn: textGenerator },
    },
  ],
]);

export const exampleNames = [...examples.keys()];

/** @throws when there is no example of that name */
export function exampleOf(name: string): Example {
  const example = examples.get(name);
  if (example === undefined) throw new Error(`There is no example ${name}, only ${exampleNames.join(", ")}.`);
  return example;
}
