import type { ModelContract } from "../contract/model-contract";

/** What the pipeline of the benchmarks and its model agree on. */
export const contract: ModelContract = {
  features: ["first", "second"].map((name) => ({ name, type: "String", optional: false })),
  request: "json",
  answer: "text",
  outputs: [],
};
