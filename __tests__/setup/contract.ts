import type { ModelContract } from "../../contract/model-contract";

/** A contract that no default knows: a model of three features that answers with a label and a score. */
export const contract: ModelContract = {
  features: [
    { name: "age", type: "Integral", optional: false },
    { name: "income", type: "Fractional", optional: true },
    { name: "city", type: "String", optional: true },
  ],
  request: "csv",
  answer: "json",
  outputs: [
    { name: "label", type: "text" },
    { name: "score", type: "number" },
  ],
};
