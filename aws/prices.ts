/** A price in us-east-1, on demand. */
export interface Price {
  /** US dollars an hour. */
  readonly hourly: number;
  /** Where AWS says what holds now. */
  readonly source: string;
}

const sageMaker = "https://aws.amazon.com/sagemaker/ai/pricing/";
const redshift = "https://aws.amazon.com/redshift/pricing/";

/**
 * What an instance or a node costs, by its type, as public price lists had it in November 2026. None is from AWS's own
 * list: they say what to expect, and AWS's pages what holds. A type that is missing has no price that could be found.
 */
export const prices: Readonly<Record<string, Price>> = {
  "ml.inf1.xlarge": { hourly: 0.297, source: sageMaker },
  "ml.inf2.xlarge": { hourly: 0.99, source: sageMaker },
  "ml.c5.large": { hourly: 0.102, source: sageMaker },
  "ml.m5.large": { hourly: 0.115, source: sageMaker },
  "ml.m5.xlarge": { hourly: 0.23, source: sageMaker },
  "ra3.large": { hourly: 0.543, source: redshift },
  "ra3.xlplus": { hourly: 1.086, source: redshift },
};
