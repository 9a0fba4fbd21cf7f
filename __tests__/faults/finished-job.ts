import { gzipSync } from "node:zlib";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { type Ended, factsOf, type JobRequest, jobMerge, openMark, requestIdOf, runOf } from "../../contract/job";
import { within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import type { Desk } from "../setup/desk";
import { answered, failed } from "../setup/outcomes";

let made = 0;

export interface Made {
  readonly csv?: string;
  readonly isCompressed?: boolean;
  readonly rows?: number;
  readonly result?: JobRequest["settings"]["result"];
  readonly createdAt?: Date;
  readonly deadline?: Date;
  readonly counts?: Partial<Ended>;
  readonly cancelledAt?: Date;
  readonly sent?: number;
}

const header = "id,age,income,city\n";
const line = (row: number) => `${row + 6},36,${row === 2 ? "" : "1.50"},"city ""${row}"""\n`;
const csvOf = (rows: number) => header + Array.from({ length: rows }, (_, place) => line(place + 1)).join("");

/** Makes a job as the API, the starter and the loader leave it. */
export const makeJob = async (
  desk: Desk,
  {
    rows = 3,
    csv = csvOf(rows),
    isCompressed = false,
    result = "ndjson",
    createdAt = new Date(Date.now() - 3_600_000),
    deadline = new Date(Date.now() + 86_400_000),
    counts,
    cancelledAt,
    sent = rows,
  }: Made = {},
) => {
  const id = `job-${++made}`;
  const until = within(3_600_000);
  const jobs = new Jobs(desk.answersBucket, desk.s3);
  const key = `inputs/${id}.csv${isCompressed ? ".gz" : ""}`;
  const input = isCompressed ? gzipSync(csv) : Buffer.from(csv);
  const { ETag: etag = "" } = await desk.s3.send(
    new PutObjectCommand({ Bucket: desk.answersBucket, Key: key, Body: input }),
  );
  const settings = { format: "csv", columns: {}, deadlineSeconds: 86_400, result } as const;
  const request: JobRequest = {
    v: 1,
    id,
    fingerprint: "f",
    createdAt,
    deadline,
    input: { key, etag, bytes: input.length },
    settings,
  };
  const facts = factsOf(id);
  await jobs.mark(openMark(id), until);
  await jobs.create(facts.request, request, until);
  await jobs.create(facts.checked, { v: 1, rows, carriesFeatures: true, checkedAt: createdAt }, until);
  await jobs.create(facts.cursor, { v: 1, next: sent + 1, line: 1 }, until);
  if (counts) {
    const none = { answered: 0, failed: 0, expired: 0, cancelled: 0 };
    const rest = { commits: 1, firstAt: new Date(), lastAt: new Date(), open: [] };
    await jobs.create(facts.counts, { v: 1, ...none, ...counts, ...rest }, until);
  }
  if (cancelledAt) await jobs.create(facts.cancel, { v: 1, cancelledAt }, until);
  const requestId = (row: number) => requestIdOf(runOf(request), row);
  return {
    id,
    request,
    facts,
    requestId,
    answer: (row: number, more = {}) =>
      answered({
        requestId: requestId(row),
        inputId: String(row + 6),
        jobId: id,
        output: `{"label":"say \\"${row}\\"","score":0.${row}}`,
        ...more,
      }),
    failure: (row: number, more = {}) =>
      failed({ requestId: requestId(row), inputId: String(row + 6), jobId: id, ...more }),
  };
};

/** Has what a killed writer has claimed be anyone's, as after the time of its run. */
export const lapse = async (desk: Desk, id: string) => {
  const until = within(3_600_000);
  const jobs = new Jobs(desk.answersBucket, desk.s3);
  const { merge } = factsOf(id);
  const found = await jobs.read(merge, jobMerge, until);
  if (found) await jobs.replace(merge, { ...found.value, claimedUntil: new Date(0) }, found.etag, until);
};
