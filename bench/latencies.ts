/** How long AWS takes, in milliseconds, as a benchmark has it. Each time is varied by up to a fifth either way. */
export interface Latencies {
  /** What InvokeEndpoint takes beside the model. */
  readonly endpointCall: number;
  readonly batchGetRecord: number;
  /** Only the original makes these two calls. */
  readonly getRecord: number;
  readonly putMetricData: number;
  /** Any call of S3. */
  readonly s3: number;
  /** Any call of the worker's to SQS. */
  readonly sqs: number;
  /** Any call of the Data API, before it waits for a statement. */
  readonly dataApiCall: number;
  /** A transaction in the warehouse, its commit included, beside what PostgreSQL takes for it here. */
  readonly commit: number;
}

export const profileNames = ["hopeful", "as others measured", "bad"] as const;
export type ProfileName = (typeof profileNames)[number];

/** An assumption: no source that could be read says how long it takes. */
const assumed = "assumed";

/** The latencies of each profile, in the order of {@link profileNames}, and what they stand on. */
export const latencies: Readonly<
  Record<keyof Latencies, { readonly milliseconds: readonly [number, number, number]; readonly source: string }>
> = {
  endpointCall: { milliseconds: [5, 10, 30], source: assumed },
  batchGetRecord: { milliseconds: [10, 20, 100], source: assumed },
  getRecord: { milliseconds: [5, 10, 50], source: assumed },
  putMetricData: { milliseconds: [10, 20, 100], source: assumed },
  s3: {
    milliseconds: [20, 60, 200],
    source:
      "small requests have a median of tens of milliseconds: https://docs.aws.amazon.com/whitepapers/latest/s3-optimizing-performance-best-practices/timeouts-and-retries-for-latency-sensitive-applications.html; " +
      "100 to 200 ms is what may be reckoned with: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
  },
  sqs: { milliseconds: [10, 20, 100], source: assumed },
  dataApiCall: {
    milliseconds: [30, 1_000, 3_000],
    source:
      "a trivial statement is through after 3 to 5 s, which is two or three calls: https://github.com/awslabs/mcp/issues/4560; the hopeful time is assumed",
  },
  commit: {
    milliseconds: [150, 2_000, 5_000],
    source:
      "a commit of 617 ms is AWS's example: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_COMMIT_STATS.html; commits wait for each other, and a load has statements too: the three times are assumed around it",
  },
};

/** The latencies of a profile, some of them replaced. */
export function latenciesOf(profile: ProfileName, others: Partial<Latencies> = {}): Latencies {
  const of = (name: keyof Latencies) => latencies[name].milliseconds[profileNames.indexOf(profile)] ?? 0;
  return {
    endpointCall: of("endpointCall"),
    batchGetRecord: of("batchGetRecord"),
    getRecord: of("getRecord"),
    putMetricData: of("putMetricData"),
    s3: of("s3"),
    sqs: of("sqs"),
    dataApiCall: of("dataApiCall"),
    commit: of("commit"),
    ...others,
  };
}

/** A time as it comes out once. */
export const jittered = (milliseconds: number) => milliseconds * (0.8 + 0.4 * Math.random());
