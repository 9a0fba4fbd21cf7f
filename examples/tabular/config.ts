import type { Settings } from "../../config";

/** What stands in config.ts for this model: five lines of contract, and the image of scikit-learn that serves it. */
export const settings: Settings = {
  project: "renewals",
  owner: "data-team@example.com",
  prefix: "renewals",
  region: "us-east-1",
  stateBucket: "renewals-terraform-state", // S3 names are the whole world's: take one of your own
  defaultEnvironment: "dev",
  environments: {
    dev: {
      preventDestroy: false,
      warehouse: { finalSnapshot: false },
      model: {
        name: "renewals",
        contract: {
          features: { age: "Integral", monthly_spend: "Fractional", visits: "Integral", plan: "String" },
          request: "csv",
          answer: "text",
          outputs: { label: "text", score: "number" },
        },
        instanceType: "ml.c7i.large",
        // https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/ecr-us-east-1.html
        image: "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3",
        artifact: { key: "renewals/model.tar.gz" },
      },
    },
  },
};
