import { ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { z } from "zod";
import { factsOf, type JobRequest, jobCursor, jobManifest, openMark } from "../../contract/job";
import { startApiGateway } from "../../local/api-gateway";
import { reasonOf, within } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import { Jobs } from "../../pipeline/jobs";
import { typedContract } from "../setup/contract";
import type { Desk } from "../setup/desk";
import { insertOutcomes } from "../setup/outcomes";
import { lapse, makeJob } from "./finished-job";
import type { Mutant } from "./mutants";

/** Something that a function must do well, and the mistake in it that shows there. */
export interface JobScenario {
  readonly name: string;
  readonly function: "api" | "starter" | "writer";
  readonly mutant: Mutant;
  /** @throws where it does not end well */
  readonly play: (desk: Desk, bundle: string) => Promise<void>;
}

const until = within(3_600_000);
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);
const put = (desk: Desk, Key: string, Body: string) =>
  desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key, Body }));
const keysIn = async (desk: Desk, Prefix: string) =>
  (await desk.s3.send(new ListObjectsV2Command({ Bucket: desk.answersBucket, Prefix }))).KeyCount;
const eventsOf = (desk: Desk, id: string) =>
  desk.eventBridge.events.filter(({ detail }) => z.object({ jobId: z.string() }).parse(detail).jobId === id);

/** Of two senders, the first is about to write its job when the second has done so. */
const twoSenders = async (desk: Desk, bundle: string) => {
  const id = `sent-${newId()}`;
  await put(desk, `inputs/${id}.csv`, "id,city\n1,Köln\n");
  const api = desk.api({ bundle });
  const route = { resourcePath: "/jobs", httpMethod: "ANY", function: api };
  const gateway = await startApiGateway({ stageName: "dev", routes: [route] });
  const post = async (limit: number) => {
    const body = JSON.stringify({ id, input: { key: `inputs/${id}.csv` }, limit });
    return (await fetch(`${gateway.url}/jobs`, { method: "POST", body })).status;
  };
  let second: Promise<number> | undefined;
  desk.hindrances.S3 = async (call, forward) => {
    if (second === undefined && call.method === "PUT" && call.url.pathname.endsWith(`/${id}/request.json`)) {
      second = post(2);
      await second;
    }
    return forward();
  };
  const first = await post(1);
  await gateway.stop();
  expect([first, await second]).toEqual([409, 201]);
};

/** Another takes over a job while a range of it is sent. */
const lostJob = async (desk: Desk, bundle: string) => {
  const id = `lost-${newId()}`;
  const key = `inputs/${id}.ndjson`;
  const line = (row: number) => `${JSON.stringify({ id: String(row), features: { age: 36, city: "K" } })}\n`;
  const text = Array.from({ length: 1_500 }, (_, place) => line(place + 1)).join("");
  const { ETag: etag = "" } = await put(desk, key, text);
  const request: JobRequest = {
    v: 1,
    id,
    fingerprint: "f",
    createdAt: new Date(),
    deadline: new Date(Date.now() + 3_600_000),
    input: { key, etag, bytes: text.length },
    settings: { format: "ndjson", columns: {}, deadlineSeconds: 3_600, result: "ndjson" },
  };
  const jobs = new Jobs(desk.answersBucket, desk.s3);
  await jobs.mark(openMark(id), until);
  await jobs.create(factsOf(id).request, request, until);
  const { cursor } = factsOf(id);
  desk.hindrances.S3 = async ({ method, url, body }, forward) => {
    if (method === "PUT" && url.pathname.endsWith(cursor) && body.toString().includes('"next":1001')) {
      const found = await jobs.read(cursor, jobCursor, until);
      await jobs.replace(cursor, { ...found?.value, line: 7 }, found?.etag, until);
    }
    return forward();
  };
  expect(await desk.starter({ bundle }).invoke({ job: id })).toMatchObject({ failed: [], checked: [id], sent: 1_000 });
};

/** The deadline is over, and a worker may have begun a call just before. */
const answerInHand = async (desk: Desk, bundle: string) => {
  const job = await makeJob(desk, { deadline: ago(30_000) });
  const run = await desk.writer({ bundle }, {}, typedContract).invoke({});
  expect(run).toMatchObject({ written: [], ended: [], waiting: 1 });
  expect(await keysIn(desk, `results/${job.id}/`)).toBe(0);
};

/** Rows of which nothing ever came. */
const withoutOutcome = async (desk: Desk, bundle: string) => {
  const job = await makeJob(desk, { createdAt: ago(7_200_000), deadline: ago(3_600_000) });
  await insertOutcomes(desk.database, [job.answer(2)]);
  const run = await desk
    .writer({ bundle }, {}, typedContract)
    .invoke({})
    .catch((error) => ({ failed: reasonOf(error) }));
  expect(run).toMatchObject({ written: [job.id] });
  const manifest = await new Jobs(desk.answersBucket, desk.s3).read(job.facts.manifest, jobManifest, until);
  expect(manifest?.value).toMatchObject({ outcome: "expired", rows: 3, answered: 1, expired: 2 });
};

/** The writer is killed just before its result is one. */
const killedBeforeResult = async (desk: Desk, bundle: string) => {
  const job = await makeJob(desk, { counts: { answered: 3 } });
  await insertOutcomes(
    desk.database,
    [1, 2, 3].map((row) => job.answer(row)),
  );
  const writer = desk.writer({ bundle }, {}, typedContract);
  desk.hindrances.S3 = async (call, forward) => {
    if (call.method !== "PUT" || !call.url.pathname.endsWith(job.facts.manifest)) return forward();
    writer.kill();
    return { status: 500 };
  };
  await expect(writer.invoke({})).rejects.toThrow("ended before it answered");
  expect(eventsOf(desk, job.id)).toEqual([]);
  desk.unhinder();
  await lapse(desk, job.id);
  await writer.invoke({});
  expect(eventsOf(desk, job.id)).toHaveLength(1);
};

export const jobScenarios: readonly JobScenario[] = [
  {
    name: "of two that send a job at once, one makes it",
    function: "api",
    mutant: {
      name: "writes facts over",
      file: "pipeline/jobs.ts",
      original: 'Body: JSON.stringify(value), IfNoneMatch: "*" }',
      replacement: "Body: JSON.stringify(value) }",
    },
    play: twoSenders,
  },
  {
    name: "a starter that has lost a job sends nothing more of it",
    function: "starter",
    mutant: {
      name: "writes its cursor whoever has written it",
      file: "pipeline/jobs.ts",
      original: '{ IfNoneMatch: "*" } : { IfMatch: etag }',
      replacement: "{} : {}",
    },
    play: lostJob,
  },
  {
    name: "no result is written while an answer may be in hand",
    function: "writer",
    mutant: {
      name: "waits for no answer in hand",
      file: "contract/job-turn.ts",
      original: "return now > quiet && isLoaded",
      replacement: "return now > request.deadline && isLoaded",
    },
    play: answerInHand,
  },
  {
    name: "a row without an outcome stands in the result",
    function: "writer",
    mutant: {
      name: "leaves out rows without an outcome",
      file: "pipeline/job-result.ts",
      original: "yield { ...one, fate: fate ?? missing(one.row) };",
      replacement: "if (fate) yield { ...one, fate };",
    },
    play: withoutOutcome,
  },
  {
    name: "the end of a job is told when its result is there",
    function: "writer",
    mutant: {
      name: "tells of the end before the result is there",
      file: "pipeline/job-writer.ts",
      original: "const isMine = await jobs.create(manifest, made, until);",
      replacement: `await this.props.events.tellEnd({ jobId: id, state: made.outcome }, until);
      const isMine = await jobs.create(manifest, made, until);`,
    },
    play: killedBeforeResult,
  },
];
