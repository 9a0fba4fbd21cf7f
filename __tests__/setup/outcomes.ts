import type { Client } from "pg";
import { pipelineOf } from "../../cli/shared/connection";
import { timestamp } from "../../contract/columns";
import { failureColumns } from "../../contract/failure-table";
import type { Outcome } from "../../contract/outcome";
import { predictionColumns } from "../../contract/prediction-table";
import { within } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import { LambdaFunction } from "../../pipeline/lambda";
import { Outcomes } from "../../pipeline/outcomes";
import type { Prediction, StoredFailure } from "../../pipeline/results";
import { dev } from "./dev";

/** An answer, of which all that is not said is usual. */
export const answered = (more: Partial<Prediction> = {}): Prediction => ({
  requestId: newId(),
  inputId: "7",
  jobId: "job-1",
  output: "a city",
  endpoint: "cities",
  variant: "first",
  modelRelease: "2026-01",
  requestedAt: new Date("2026-01-31T12:00:00.120Z"),
  predictedAt: new Date("2026-01-31T12:00:01.003Z"),
  ...more,
});

/** A failure, of which all that is not said is usual. */
export const failed = (more: Partial<StoredFailure> = {}): StoredFailure => ({
  requestId: newId(),
  inputId: "8",
  jobId: "job-1",
  code: "unknown_input",
  reason: "the feature group has no such input",
  requestedAt: new Date("2026-01-31T12:00:00.120Z"),
  failedAt: new Date("2026-01-31T12:00:02.004Z"),
  ...more,
});

/** Puts outcomes into the tables as they are, where only rows matter. */
export async function insertOutcomes(database: Client, outcomes: readonly Outcome[]): Promise<void> {
  for (const outcome of outcomes) {
    const [table, columns] =
      "code" in outcome ? ["prediction_failures", failureColumns] : ["prediction_results", predictionColumns];
    const names = new Map(Object.entries(columns).map(([property, { name }]) => [property, name]));
    const given = Object.entries(outcome).filter(([, value]) => value !== undefined);
    const places = given.map((_, place) => `$${place + 1}`).join(", ");
    await database.query(
      `INSERT INTO ${table} (${given.map(([property]) => names.get(property)).join(", ")}) VALUES (${places})`,
      given.map(([, value]) => (value instanceof Date ? timestamp(value) : value)),
    );
  }
}

/** Stages outcomes as the worker of the pipeline here does, and lets its loader load them. */
export async function loadOutcomes(outcomes: readonly Outcome[]): Promise<void> {
  const { answers, loaderFunctionName } = await pipelineOf(dev);
  const until = within(3_600_000);
  if (outcomes.length > 0) await new Outcomes(answers.bucket).put(outcomes, until);
  await new LambdaFunction(loaderFunctionName).invoke({}, until);
}
