/** How far a price is to be trusted. */
export type Trust = "good" | "medium" | "low" | "from memory";

/** A price on demand, in US dollars. */
export interface Price {
  readonly usd: number;
  /** What is paid for with it. */
  readonly per: "hour" | "month" | "GB" | "GB-second" | "million";
  /** Where it was found. */
  readonly found: string;
  readonly trust: Trust;
  /** Where AWS says what holds now. */
  readonly page: string;
}

/** When the prices were collected, and for which region. */
export const pricesOf = { when: "November 2026", region: "us-east-1" } as const;

/** Hours of a month, a twelfth of a year. */
export const hoursOfMonth = 730;

const pages = {
  sageMaker: "https://aws.amazon.com/sagemaker/ai/pricing/",
  redshift: "https://aws.amazon.com/redshift/pricing/",
  ec2: "https://aws.amazon.com/ec2/pricing/on-demand/",
  lambda: "https://aws.amazon.com/lambda/pricing/",
  sqs: "https://aws.amazon.com/sqs/pricing/",
  s3: "https://aws.amazon.com/s3/pricing/",
  secrets: "https://aws.amazon.com/secrets-manager/pricing/",
  cloudWatch: "https://aws.amazon.com/cloudwatch/pricing/",
} as const;

const priced = (service: keyof typeof pages, per: Price["per"], usd: number, found: string, trust: Trust): Price => ({
  usd,
  per,
  found,
  trust,
  page: pages[service],
});

const memory = "no source was found";

/** The prices that are known, by what they are of: an instance type, a node type, or a thing that is counted. */
export const prices: Readonly<Record<string, Price>> = {
  "ml.inf1.xlarge": priced("sageMaker", "hour", 0.297, "public code files; others say 0.228 to 0.368", "low"),
  "ml.inf2.xlarge": priced("sageMaker", "hour", 0.99, "a benchmark's price file; another says 0.758", "low"),
  "ml.c5.large": priced("sageMaker", "hour", 0.102, "public code files; zircon.tech says 0.119", "low"),
  "ml.m5.large": priced("sageMaker", "hour", 0.115, "public code files; zircon.tech says 0.134", "low"),
  "ml.m5.xlarge": priced("sageMaker", "hour", 0.23, "public code files; zircon.tech says 0.269", "low"),
  "dc2.large": priced("redshift", "hour", 0.25, "AWS's page, before the type was retired", "good"),
  "ra3.large": priced("redshift", "hour", 0.543, "three public code files, one after AWS's page of 2026-03", "medium"),
  "ra3.xlplus": priced("redshift", "hour", 1.086, "a public code file", "medium"),
  "t4g.nano": priced("ec2", "hour", 0.0042, memory, "from memory"),
  "serverless time": priced("sageMaker", "GB-second", 0.00002, "two public code files", "low"),
  "RPU hours": priced("redshift", "hour", 0.375, "AWS's Big Data blog on 4 RPUs; awsnegotiations.com", "good"),
  "endpoint data": priced("sageMaker", "GB", 0.016, "a bill of December 2023", "good"),
  "feature reads": priced("sageMaker", "million", 0.25, memory, "from memory"),
  "function time": priced("lambda", "GB-second", 0.0000133334, "a list after AWS's own, of 2026-09", "good"),
  "function runs": priced("lambda", "million", 0.2, "a list after AWS's own, of 2026-09", "good"),
  "queue requests": priced("sqs", "million", 0.4, "cloudburn.io of 2026-03, factualminds.com", "good"),
  "fair queue requests": priced("sqs", "million", 0.1, "cloudburn.io of 2026-03, on top of the others", "medium"),
  "S3 writes and lists": priced("s3", "million", 5, "cloudkaramchari.com", "medium"),
  "S3 reads": priced("s3", "million", 0.4, memory, "from memory"),
  secret: priced("secrets", "month", 0.4, "hivebook.wiki", "medium"),
  metric: priced("cloudWatch", "month", 0.3, "signoz.io of 2026-02, c3x.dev", "good"),
  alarm: priced("cloudWatch", "month", 0.1, "a public list, c3x.dev; ten of an account are free", "medium"),
  "alarm over others": priced("cloudWatch", "month", 0.5, "a public list, c3x.dev", "medium"),
};
