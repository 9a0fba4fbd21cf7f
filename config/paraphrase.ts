import type { ModelContract } from "../contract/model-contract";

/** The default instance of the contract: a classifier of sentence pairs. */
export const paraphraseContract: ModelContract = {
  features: [
    { name: "seq_0", type: "String", optional: false },
    { name: "seq_1", type: "String", optional: false },
  ],
  request: "json",
  answer: "text",
  outputs: [],
};
