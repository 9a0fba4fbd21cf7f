import type { Settings } from "../../config";

/** What stands in config.ts for an endpoint that a team has already, behind one of Hugging Face's images. */
export const settings: Settings = {
  project: "summaries",
  owner: "text-team@example.com",
  prefix: "summaries",
  region: "us-east-1",
  stateBucket: "summaries-terraform-state", // S3 names are the whole world's: take one of your own
  defaultEnvironment: "dev",
  environments: {
    dev: {
      preventDestroy: false,
      warehouse: { finalSnapshot: false },
      features: false, // every request carries its prompt
      model: {
        name: "summaries",
        contract: {
          features: { prompt: "String" },
          request: "inputs",
          answer: "json",
          parameters: { max_new_tokens: 40, do_sample: false, return_full_text: false },
        },
        endpoint: { existing: "text-generation" },
        instancesPerCall: 4,
      },
    },
  },
};
