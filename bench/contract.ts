import type { Settings } from "../config";
import type { ModelContract } from "../contract/model-contract";

/** What the pipeline of the benchmarks and its model agree on. */
export const contract: ModelContract = {
  features: ["first", "second"].map((name) => ({ name, type: "String", optional: false })),
  request: "json",
  answer: "text",
  outputs: [],
};

type EnvironmentSettings = Settings["environments"][string];

/** Settings of the benchmarks' pipeline, with one environment. */
export const settingsOf = (
  request: "json" | "instances",
  { model, ...environment }: EnvironmentSettings = {},
): Settings => ({
  project: "offline-inference",
  owner: "bench@example.com",
  prefix: "bench",
  region: "us-east-1",
  stateBucket: "offline-inference-bench",
  environments: {
    bench: {
      ...environment,
      model: {
        contract: {
          features: Object.fromEntries(contract.features.map(({ name, type }) => [name, type])),
          request,
          answer: contract.answer,
          outputs: {},
        },
        ...model,
      },
    },
  },
});
