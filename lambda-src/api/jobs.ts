import { createHash } from "node:crypto";
import type { Logger } from "@aws-lambda-powertools/logger";
import type { APIGatewayProxyResult } from "aws-lambda";
import * as z from "zod";
import {
  factsOf,
  fingerprintOf,
  hashOf,
  inlineInputKey,
  type JobCost,
  type JobFacts,
  type JobRequest,
  type JobSettings,
  jobName,
  jobNameRule,
  jobOf,
  openMark,
  rowCountsOf,
  stateOf,
  stopMark,
  unnamed,
} from "../../contract/job";
import { isTransient, reasonOf, type Until, within } from "../../pipeline/clients";
import type { FoundInput, Jobs } from "../../pipeline/jobs";
import type { LambdaFunction } from "../../pipeline/lambda";
import { InvalidRequest, quotedId } from "../../pipeline/request-reader";
import { Fault, json, type Request, retryLater, textOf } from "./http";
import { type AskedJob, parseNewJob } from "./new-job";
import { limitOf, nextOf, parametersOf, pathParameter, placeOf } from "./query";

/** What the routes of jobs work with. */
export interface JobParts {
  readonly jobs: Jobs;
  /** The function that sends the rows. */
  readonly starter: LambdaFunction;
  readonly retentionSeconds: number;
  readonly visibilitySeconds: number;
  /** What a million rows cost. */
  readonly millionRows: JobCost;
  readonly logger: Logger;
}

const busy = () => new Fault(503, "busy", "the jobs cannot be reached now; try again", retryLater);

const isEnded = ({ failed, manifest }: JobFacts) => failed !== undefined || manifest !== undefined;

const shown = (facts: JobFacts, { visibilitySeconds, millionRows }: JobParts) =>
  jobOf(facts, visibilitySeconds, millionRows, new Date());

const idOf = (request: Request): string => {
  const id = pathParameter(request, "id");
  if (!jobName.test(id)) throw new InvalidRequest(`id must be ${jobNameRule}, got ${quotedId(id)}`);
  return id;
};

/** @throws Fault where there is no such job */
const factsFor = async (id: string, { jobs }: JobParts, until: Until): Promise<JobFacts> => {
  const facts = await jobs.facts(id, until);
  if (facts === undefined) throw new Fault(404, "no_job", `there is no job ${JSON.stringify(id)}`);
  return facts;
};

/** The input of a job, which is written first where it came with the call. @throws InvalidRequest where it is not there */
const inputOf = async (asked: AskedJob["input"], jobs: Jobs, until: Until): Promise<FoundInput> => {
  if ("rows" in asked) {
    const key = inlineInputKey(createHash("sha256").update(asked.rows).digest("hex"));
    return jobs.writeInput(key, asked.rows, until);
  }
  const input = await jobs.input(asked.key, until);
  if (input !== undefined) return input;
  throw new InvalidRequest(
    `input.key must be the key of an object that is there, below inputs/ of the bucket for answers, got ${quotedId(asked.key)}`,
  );
};

/** How long after its deadline a job still reads its input, for its result; assumed. In milliseconds. */
const resultTime = 86_400_000;

/** @throws InvalidRequest where an input is deleted while its job may read it */
const mustLast = (key: string, lapses: Date | undefined, deadline: Date): void => {
  if (lapses === undefined || lapses.getTime() >= deadline.getTime() + resultTime) return;
  const [end, day] = [deadline, lapses].map((date) => date.toISOString());
  throw new InvalidRequest(
    `input.key must be an object that is there until a day after the job's deadline (${end}), got ${quotedId(key)}, which is deleted on ${day}: put it there again, or set a shorter deadline`,
  );
};

/** Has a job's rows sent now. Where that fails the starter's schedule does it, within a minute. */
const startSending = async (job: string, { starter, logger }: JobParts): Promise<void> => {
  await starter.start({ job }, within(3_000)).catch((error: unknown) => {
    logger.warn("starter not invoked", { reason: reasonOf(error) });
  });
};

/** What the caller calls each setting, and how its value is told. */
const told: readonly (readonly [name: string, of: (settings: JobSettings) => string])[] = [
  ["format", ({ format }) => format],
  ["columns", ({ columns }) => hashOf(Object.entries(columns).sort()).slice(0, 8)],
  ["limit", ({ limit }) => (limit === undefined ? "none" : String(limit))],
  ["tenant", ({ tenant }) => (tenant === undefined ? "none" : quotedId(tenant))],
  ["deadline", ({ deadlineSeconds }) => String(deadlineSeconds)],
  ["result", ({ result }) => result],
];

/** What tells a job from another that was to have its name. */
const differencesOf = (there: JobRequest, input: JobRequest["input"], settings: JobSettings): string[] => {
  const inputs = [there.input, input].map(
    ({ key, bytes }) => `${quotedId(key)} with ${bytes.toLocaleString("en")} bytes`,
  );
  const isSame = there.input.etag === input.etag && there.input.bytes === input.bytes;
  return [
    ...(isSame ? [] : [`its input had another content (${inputs[0]}; here ${inputs[1]})`]),
    ...told.flatMap(([name, of]) => {
      const [before, now] = [of(there.settings), of(settings)];
      if (before === now) return [];
      return [name === "columns" ? "its columns are others" : `its ${name} is ${before}, here ${now}`];
    }),
  ];
};

const longestName = 100;

/** A name for a job whose own is taken: with the date. */
const dated = (id: string, now: Date): string => {
  const date = now.toISOString().slice(0, 10);
  const name = id.replace(/-\d{4}-\d\d-\d\d$/, "").slice(0, longestName - "-2026-11-28-2".length);
  return id === `${name}-${date}` ? `${id}-2` : `${name}-${date}`;
};

/** Makes a job: twice the same is one, and what a kill left undone the second does. */
const postJob = async (request: Request, parts: JobParts, until: Until): Promise<APIGatewayProxyResult> => {
  const { jobs, retentionSeconds } = parts;
  const asked = parseNewJob(textOf(request), retentionSeconds);
  const { settings } = asked;
  const { lapses, ...input } = await inputOf(asked.input, jobs, until);
  const fingerprint = fingerprintOf(input, settings);
  const id = asked.id ?? unnamed(fingerprint);

  const before = await jobs.facts(id, until);
  if (before === undefined) {
    if (await jobs.hasRest(id, until)) {
      throw new Fault(
        409,
        "other_job",
        `what is known of a job ${JSON.stringify(id)} of before is about to be deleted. Give this one another name, such as ${dated(id, new Date())}`,
      );
    }
    const createdAt = new Date();
    const deadline = new Date(createdAt.getTime() + 1_000 * settings.deadlineSeconds);
    mustLast(input.key, lapses, deadline);
    const made: JobRequest = { v: 1, id, fingerprint, createdAt, deadline, input, settings };
    await jobs.mark(openMark(id), until); // before: a mark without a job is harmless, a job without a mark is not seen
    if (await jobs.create(factsOf(id).request, made, until)) {
      parts.logger.info("a job is made", { job: id });
      await startSending(id, parts);
      return json(201, shown({ request: made }, parts), { location: `jobs/${id}` });
    }
  }
  const facts = before ?? (await jobs.facts(id, until));
  if (facts === undefined) throw busy(); // it lapsed in between
  if (facts.request.fingerprint !== fingerprint) {
    const differences = differencesOf(facts.request, input, settings).join("; ");
    const other = dated(id, new Date());
    throw new Fault(
      409,
      "other_job",
      `there is another job ${JSON.stringify(id)}: ${differences}. Give this one another name, such as ${other}`,
    );
  }
  if (!isEnded(facts)) {
    await jobs.mark(openMark(id), until);
    await startSending(id, parts);
  }
  return json(200, shown(facts, parts), { location: `jobs/${id}` });
};

const getJob = async (request: Request, parts: JobParts, until: Until): Promise<APIGatewayProxyResult> => {
  parametersOf(request, []);
  return json(200, shown(await factsFor(idOf(request), parts, until), parts));
};

const placeSchema = z.tuple([z.int().min(0).max(Date.parse("9999-12-31T23:59:59.999Z")), z.string().regex(jobName)]);

/** A page of the jobs, newest first. One whose facts cannot be read is told of in the log, and is no page's end. */
const listJobs = async (request: Request, parts: JobParts, until: Until): Promise<APIGatewayProxyResult> => {
  const { jobs, visibilitySeconds, logger } = parts;
  const query = parametersOf(request, ["limit", "next"]);
  const limit = limitOf(query.get("limit"));
  const given = query.get("next");
  const [at, after] = given === undefined ? [] : placeOf(given, placeSchema);
  const place = at === undefined || after === undefined ? undefined : { at: new Date(at), id: after };
  const found = await jobs.newest(limit + 1, place, until); // one more tells whether there are more
  const page = found.slice(0, limit);
  const now = new Date();
  const facts = await jobs.factsOfAll(
    page.map(({ id }) => id),
    until,
  );
  const listed = facts.flatMap((one) => {
    if (one instanceof Error) logger.error("a job cannot be read", { error: one });
    if (one === undefined || one instanceof Error) return [];
    const { id, createdAt } = one.request;
    return [
      { id, state: stateOf(one, visibilitySeconds, now), createdAt, counts: rowCountsOf(one, visibilitySeconds, now) },
    ];
  });
  const last = page.at(-1);
  const next = last && page.length < found.length ? nextOf([last.at.getTime(), last.id]) : undefined;
  return json(200, { jobs: listed, next });
};

/** Lets nothing more of a job be asked. */
const cancelJob = async (request: Request, parts: JobParts, until: Until): Promise<APIGatewayProxyResult> => {
  const { jobs } = parts;
  const id = idOf(request);
  const before = await factsFor(id, parts, until);
  if (before.manifest?.outcome === "cancelled") return json(200, shown(before, parts));
  if (isEnded(before)) {
    const { state } = shown(before, parts);
    throw new Fault(409, "job_ended", `the job ${JSON.stringify(id)} has ended already: ${state}`);
  }
  await jobs.create(factsOf(id).cancel, { v: 1, cancelledAt: new Date() }, until);
  await jobs.mark(stopMark(id), until);
  return json(200, shown(await factsFor(id, parts, until), parts));
};

const routes: Readonly<
  Record<string, (request: Request, parts: JobParts, until: Until) => Promise<APIGatewayProxyResult>>
> = {
  "GET /jobs": listJobs,
  "POST /jobs": postJob,
  "GET /jobs/{id}": getJob,
  "POST /jobs/{id}/cancel": cancelJob,
};

/** The routes of jobs. None asks a database. */
export const jobRoutes = (parts: () => JobParts, logger: () => Logger) =>
  Object.fromEntries(
    Object.entries(routes).map(([route, answer]) => [
      route,
      async (request: Request, until: Until) => {
        try {
          return await answer(request, parts(), until);
        } catch (error) {
          if (!isTransient(error) && !until.signal.aborted) throw error;
          logger().error("jobs cannot be reached", { error });
          throw busy();
        }
      },
    ]),
  );
