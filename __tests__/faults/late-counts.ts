import { PutObjectCommand } from "@aws-sdk/client-s3";
import { factsOf, jobCounts, requestIdOf, runOf } from "../../contract/job";
import { within } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import { Jobs } from "../../pipeline/jobs";
import type { Desk } from "../setup/desk";
import { operationOf } from "./faults";

/**
 * Has a loader commit a row of a job and wait there, until another one has loaded a second row and has told of both.
 * @param bundle of both loaders @default the one that is deployed
 * @returns how many rows are told to be answered, once the first loader has gone on
 */
export const tellLate = async (desk: Desk, bundle?: string): Promise<number | undefined> => {
  const job = { id: `late-${newId()}`, createdAt: new Date() };
  const settings = { format: "csv", deadlineSeconds: 60 };
  const input = { key: "inputs/rows.csv", etag: '"1"', bytes: 1 };
  const request = { v: 1, ...job, fingerprint: "1", deadline: job.createdAt, input, settings };
  const put = { Bucket: desk.answersBucket, Key: factsOf(job.id).request, Body: JSON.stringify(request) };
  await desk.s3.send(new PutObjectCommand(put));
  const stage = (row: number) => {
    const said = { output: "yes", endpoint: "classifier", variant: "first", modelRelease: "2026-01" };
    const requestId = requestIdOf(runOf(job), row);
    const at = { requestedAt: job.createdAt, predictedAt: job.createdAt };
    return desk.staged.put([{ requestId, inputId: "7", jobId: job.id, ...said, ...at }], within(60_000));
  };

  const [late, other] = [1, 2].map(() => desk.loader(bundle === undefined ? {} : { bundle }));
  let goOn = () => {};
  const mayGoOn = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const committed = new Promise<void>((resolve) => {
    let isFirst = true;
    desk.hindrances.S3 = async (call, forward) => {
      if (isFirst && operationOf(call) === "GetFact") {
        isFirst = false;
        resolve();
        await mayGoOn;
      }
      return forward();
    };
  });
  await stage(1);
  const first = late?.invoke({});
  await committed;
  await stage(2);
  await other?.invoke({});
  goOn();
  await first;
  desk.unhinder();
  await Promise.all([late?.stop(), other?.stop()]);
  const told = await new Jobs(desk.answersBucket, desk.s3).read(factsOf(job.id).counts, jobCounts, within(60_000));
  return told?.value.answered;
};
