/** What the functions measure of themselves, and alarms and dashboards show. */

/** Where all of it stands in CloudWatch. */
export const metricsNamespace = "SageMaker/CustomModelMetrics";

interface Measured {
  /** The function whose metric it is. Its name is the metric's dimension `service`. */
  readonly of: "worker" | "loader" | "starter" | "writer";
  readonly unit: "Bytes" | "Count" | "Milliseconds" | "Seconds";
}

/** The metrics, by their names. */
export const measured = {
  /** Requests that were answered. */
  Predictions: { of: "worker", unit: "Count" },
  /** How long the model took, of each answered request. */
  ModelLatency: { of: "worker", unit: "Milliseconds" },
  /** How long the features of a request are that the model answered or refused for good. */
  InputBytes: { of: "worker", unit: "Bytes" },
  /** Of each answer 1 where it is the one that is watched, else 0: the average is its share, the sample count that of all. */
  WatchedAnswer: { of: "worker", unit: "Count" },
  /** From the sending of an answered request to its answer. */
  RequestAge: { of: "worker", unit: "Milliseconds" },
  /** From the sending of a request to its return to the queue. */
  ReturnedAge: { of: "worker", unit: "Seconds" },
  LoadedRows: { of: "loader", unit: "Count" },
  RejectedObjects: { of: "loader", unit: "Count" },
  NewerObjects: { of: "loader", unit: "Count" },
  /** The longest that a staged object has waited. */
  StagedAge: { of: "loader", unit: "Seconds" },
  /** Rows of jobs that were put on the queue. */
  SentRows: { of: "starter", unit: "Count" },
  /** Rows of jobs that are yet to be put on the queue. */
  UnsentRows: { of: "starter", unit: "Count" },
  EndedJobs: { of: "writer", unit: "Count" },
} as const satisfies Readonly<Record<string, Measured>>;

export type MetricName = keyof typeof measured;

/** How often requests of the worker's failed, those that come again too. It has one dimension more: the code of the failure. */
export const failuresMetric = { name: "Failures", of: "worker", unit: "Count", dimension: "reason" } as const;
