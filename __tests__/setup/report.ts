import { type ReportFacts, reportPage } from "../../cli/results/report-page";
import { Counted, JobSummary, type Labels } from "../../cli/results/report-summary";
import type { ResultRow } from "../../contract/job-result";
import { typedContract } from "./contract";

const createdAt = new Date("2026-11-28T12:00:00Z");

const answers = ["yes", "no", "perhaps"];

/** A row of a result: of seven one has failed, and labels are wrong now and then. */
export const rowOf = (row: number): ResultRow => ({
  row,
  id: `input-${row}`,
  features: JSON.stringify({ age: row % 90, income: row / 4, city: "Ulm" }),
  fate:
    row % 7 === 0
      ? row % 2 === 0
        ? { code: "unknown_input", reason: `there is no record, got "input-${row}"` }
        : { code: "endpoint_failed", reason: "the endpoint answered 500" }
      : {
          output: "{}",
          values: [answers[row % 3], row / 100],
          modelRelease: "2026-11",
          predictedAt: new Date(createdAt.getTime() + 1_000 * (4 + Math.sqrt(row) * 3)),
        },
});

/** Says what a row of {@link rowOf} should have been answered. */
export const labels: Labels = {
  column: "label",
  of: async (row) => (row % 11 === 0 ? "no" : answers[row % 3]),
};

export interface SampleReport {
  readonly rows: AsyncIterable<ResultRow[]> | Iterable<ResultRow[]>;
  readonly total: number;
  readonly labels?: Labels;
  readonly facts?: Partial<ReportFacts>;
}

/** The page of a job with these rows. */
export async function reportOf({ rows, total, labels: given, facts }: SampleReport): Promise<string> {
  const summary = new JobSummary({ contract: typedContract, rows: total, spanSeconds: 1, labels: given });
  let failed = 0;
  for await (const page of rows) {
    await summary.add(page);
    for (const { fate } of page) if ("code" in fate) failed++;
  }
  const last = new Counted();
  for (let row = 0; row < 100; row++) last.add(answers[row % 2]);
  return reportPage({
    job: {
      id: "nightly",
      state: "completed",
      createdAt,
      endedAt: new Date(createdAt.getTime() + 240_000),
      counts: { total, waiting: 0, answered: total - failed, failed, expired: 0, cancelled: 0 },
      cost: { usd: 1.25, isAtLeast: false },
      result: {
        manifest: "jobs/nightly/manifest.json",
        format: "ndjson",
        parts: [{ key: "results/nightly/part", rows: total }],
        changedSince: 0,
      },
    },
    summary,
    spanSeconds: 1,
    ages: new Map([...summary.spans.keys()].map((span, place) => [span, 3 + (place % 9)])),
    last: { id: "nightly-before", createdAt, answers: last },
    labelColumn: given?.column,
    made: [["Release", "2026-11"]],
    notes: [],
    commandFor: (command) => `npx offline-inference ${command} --env prod`,
    ...facts,
  });
}
