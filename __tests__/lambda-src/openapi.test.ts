import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { Ajv2020 } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { z } from "zod";
import { failureCodes } from "../../contract/failure-table";
import { factsOf, inputFormats, jobName, jobSettings, jobStates, resultFormats } from "../../contract/job";
import type { LocalFunction } from "../../local/lambda";
import { s3Error } from "../../local/s3";
import { jsonModel } from "../../local/sagemaker-runtime";
import { AwsError } from "../../local/stand-in";
import { type Desk, startDesk } from "../setup/desk";
import { synthesizedStacks } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";

const examples = z.record(z.string(), z.object({ value: z.unknown() })).default({});
const content = z.object({ "application/json": z.object({ examples }) });
const responses = z.record(z.string(), z.object({ $ref: z.string().optional(), content: content.optional() }));
const documentSchema = z.looseObject({
  openapi: z.literal("3.1.0"),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        responses,
        parameters: z.array(z.object({ name: z.string(), in: z.enum(["path", "query"]) })).default([]),
        requestBody: z.object({ content }).optional(),
      }),
    ),
  ),
});
const source = readFileSync(join(__dirname, "../../lambda-src/api/openapi.json"), "utf8");
const document = documentSchema.parse(JSON.parse(source));

const ajv = new Ajv2020({ strict: true, allErrors: true });
addFormats(ajv);
ajv.addVocabulary(["openapi", "info", "servers", "security", "paths", "components"]);
ajv.addSchema(JSON.parse(source), "openapi.json");

const pointerOf = (...keys: string[]) =>
  `#/${keys.map((key) => encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")}`;

/** What is wrong with a value by the schema of a JSON body at this place in the document. */
const faultsOf = (place: string, value: unknown) => {
  const validate = ajv.compile({ $ref: `openapi.json${place}/content/application~1json/schema` });
  return validate(value) ? [] : validate.errors;
};

let desk: Desk;
let api: LocalFunction;
beforeAll(async () => {
  desk = await startDesk({ model: jsonModel(() => "") });
  api = desk.api();
  await desk.rows(
    "INSERT INTO prediction_results SELECT 'r' || n, '7', CASE n WHEN 1 THEN 'job' END, 'yes', 'e', 'v', '1', now(), now() FROM generate_series(1, 3) AS n",
  );
  await desk.rows(
    "INSERT INTO prediction_failures VALUES ('f1', '7', 'job', 'unknown_input', 'no such input', now(), now()), ('f2', '7', NULL, 'unknown_input', 'no such input', now(), now())",
  );
  await put("inputs/rows.csv", "id\n7\n");
  await startJob();
  await startJob("ended");
  const counts = { answered: 1, failed: 0, expired: 0, cancelled: 0 };
  const at = new Date();
  const manifest = { v: 1, id: "ended", outcome: "completed", format: "ndjson", rows: 1, ...counts, lost: 0 };
  const parts = [{ key: "results/ended/1/part-1.ndjson", rows: 1, bytes: 1, sha256: "ab" }];
  const more = { parts, releases: ["1"], contract: "cd", asOf: at, endedAt: at };
  await put(factsOf("ended").checked, JSON.stringify({ v: 1, rows: 1, carriesFeatures: false, checkedAt: at }));
  await put(factsOf("ended").manifest, JSON.stringify({ ...manifest, ...more }));
  await startJob("faulty");
  const failed = { v: 1, failedAt: at, errors: ["line 2: no id"], more: 1 };
  await put(factsOf("faulty").failed, JSON.stringify(failed));
});
afterAll(() => desk.stop());
afterEach(() => desk.unhinder());

const put = (Key: string, Body: string) =>
  desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key, Body }));

/** A call, as a REST API hands it to the function. */
interface Call {
  readonly httpMethod: string;
  readonly resource: string;
  readonly path: string;
  readonly body?: string;
  readonly pathParameters?: Record<string, string>;
  readonly queryStringParameters?: Record<string, string>;
}

const posting =
  (resource: string) =>
  (body: unknown): Call => ({ httpMethod: "POST", resource, path: resource, body: JSON.stringify(body) });
const asking = posting("/predict");
const starting = posting("/jobs");
const startJob = (id?: string) => answerTo(starting({ id: id ?? "nightly", input: { key: "inputs/rows.csv" } }));
const job = (id: string, queryStringParameters?: Record<string, string>): Call => ({
  httpMethod: "GET",
  resource: "/jobs/{id}",
  path: `/jobs/${id}`,
  pathParameters: { id },
  queryStringParameters,
});
const cancelling = (id: string): Call => ({
  httpMethod: "POST",
  resource: "/jobs/{id}/cancel",
  path: `/jobs/${id}/cancel`,
  pathParameters: { id },
});
const listing = (queryStringParameters?: Record<string, string>): Call => ({
  httpMethod: "GET",
  resource: "/jobs",
  path: "/jobs",
  queryStringParameters,
});
const getting = (id: string, queryStringParameters?: Record<string, string>): Call => ({
  httpMethod: "GET",
  resource: "/predict/{id}",
  path: `/predict/${id}`,
  pathParameters: { id },
  queryStringParameters,
});

const resultSchema = z.object({
  statusCode: z.number().transform(String),
  headers: z.record(z.string(), z.string()),
  body: z.string().transform((text): unknown => JSON.parse(text)),
});
const answerTo = async (event: unknown, by = api) => resultSchema.parse(await by.invoke(event));

test("the document has the routes that the REST API has, and no other", () => {
  const resources = resourcesOf(synthesizedStacks()["inference-dev"] ?? "");
  const one = z.object({ path_part: z.string(), parent_id: z.string() });
  const pathOf = (reference: string): string => {
    const found = resources.find(({ address }) => reference === `\${${address}.id}`);
    if (!found) return "";
    const { parent_id: parent, path_part: part } = one.parse(found.attributes);
    return `${pathOf(parent)}/${part}`;
  };
  const method = z.object({ http_method: z.string(), resource_id: z.string() });
  const deployed = resources
    .filter(({ type }) => type === "aws_api_gateway_method")
    .map(({ attributes }) => method.parse(attributes))
    .filter(({ http_method }) => http_method !== "ANY")
    .map(({ http_method, resource_id }) => `${http_method} ${pathOf(resource_id)}`);
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((name) => `${name.toUpperCase()} ${path}`),
  );
  expect(deployed.sort()).toEqual(documented.sort());
  expect(deployed).not.toEqual([]);
});

const queueIsAway = () => {
  desk.hindrances.SQS = () => {
    throw new AwsError("ServiceUnavailable", 503, "later");
  };
};
const bucketIsAway = () => {
  desk.hindrances.S3 = () => s3Error(503, "SlowDown", "Please reduce your request rate.");
};
const warehouseIsPaused = () => {
  desk.hindrances.REDSHIFT_DATA = () => {
    throw new AwsError("ValidationException", 400, "The cluster warehouse is paused.");
  };
};
const warehouseIsBusy = () => {
  desk.hindrances.REDSHIFT_DATA = () => {
    throw new AwsError("ActiveStatementsExceededException", 400, "500 statements are active");
  };
};
const broken = () => desk.api({ environment: {} });

interface Answer {
  readonly to: string;
  readonly event: Call;
  readonly status: string;
  readonly hinder?: () => void;
  readonly by?: () => LocalFunction;
}

const file = { key: "inputs/rows.csv" };
const jobAnswers: readonly Answer[] = [
  { to: "a job of rows", event: starting({ input: { rows: [{ id: "7" }] } }), status: "201" },
  { to: "a job that is there", event: starting({ id: "nightly", input: file }), status: "200" },
  { to: "a wrong job", event: starting({ input: file, limit: 0 }), status: "400" },
  { to: "another job of that name", event: starting({ id: "nightly", input: file, limit: 1 }), status: "409" },
  { to: "too large a job", event: { ...starting({}), body: " ".repeat(5_000_001) }, status: "413" },
  { to: "a job of a broken function", event: starting({ input: file }), status: "500", by: broken },
  { to: "a job while S3 is away", event: starting({ input: file }), status: "503", hinder: bucketIsAway },
  { to: "a listing", event: listing(), status: "200" },
  { to: "a listing by pages", event: listing({ limit: "1" }), status: "200" },
  { to: "a listing with a wrong limit", event: listing({ limit: "0" }), status: "400" },
  { to: "a listing of a broken function", event: listing(), status: "500", by: broken },
  { to: "a listing while S3 is away", event: listing(), status: "503", hinder: bucketIsAway },
  { to: "an open job", event: job("nightly"), status: "200" },
  { to: "a job that has ended", event: job("ended"), status: "200" },
  { to: "a job that failed", event: job("faulty"), status: "200" },
  { to: "an unknown job", event: job("nobody"), status: "404" },
  { to: "a job with a parameter", event: job("nightly", { wait: "1" }), status: "400" },
  { to: "a job that a broken function looks for", event: job("nightly"), status: "500", by: broken },
  { to: "a job that is looked for while S3 is away", event: job("nightly"), status: "503", hinder: bucketIsAway },
  { to: "a cancellation", event: cancelling("nightly"), status: "200" },
  { to: "a cancellation of what is no name", event: cancelling("-"), status: "400" },
  { to: "a cancellation of an unknown job", event: cancelling("nobody"), status: "404" },
  { to: "a cancellation that comes late", event: cancelling("ended"), status: "409" },
  { to: "a cancellation by a broken function", event: cancelling("nightly"), status: "500", by: broken },
  { to: "a cancellation while S3 is away", event: cancelling("nightly"), status: "503", hinder: bucketIsAway },
];

/** Answers of every kind that the function gives. */
const answers: readonly Answer[] = [
  { to: "one request", event: asking({ id: "7" }), status: "202" },
  { to: "an array", event: asking([{ id: "7" }, { id: "8", requestId: "mine" }]), status: "202" },
  { to: "an array that is partly wrong", event: asking([{ id: "7" }, { id: "" }]), status: "207" },
  { to: "the rest of it not queued", event: asking([{ id: "7" }, { id: "" }]), status: "207", hinder: queueIsAway },
  { to: "a wrong request", event: asking({ id: 7 }), status: "400" },
  { to: "an array of wrong requests", event: asking([{}, []]), status: "400" },
  { to: "an empty array", event: asking([]), status: "400" },
  { to: "too large a body", event: { ...asking({}), body: " ".repeat(5_000_001) }, status: "413" },
  { to: "a request of a broken function", event: asking({ id: "7" }), status: "500", by: broken },
  { to: "a request that is not queued", event: asking({ id: "7" }), status: "503", hinder: queueIsAway },
  { to: "an array that is not queued", event: asking([{ id: "7" }, { id: "8" }]), status: "503", hinder: queueIsAway },
  { to: "an input", event: getting("7"), status: "200" },
  { to: "an input, by pages", event: getting("7", { limit: "1" }), status: "200" },
  { to: "a request that is answered", event: getting("7", { requestId: "r1" }), status: "200" },
  { to: "a request that failed", event: getting("7", { requestId: "f1" }), status: "200" },
  { to: "a request of no job that failed", event: getting("7", { requestId: "f2" }), status: "200" },
  { to: "an unknown request", event: getting("7", { requestId: "r" }), status: "404" },
  { to: "a wrong limit", event: getting("7", { limit: "0" }), status: "400" },
  { to: "an unknown input", event: getting("nobody"), status: "404" },
  { to: "an input of a broken function", event: getting("7"), status: "500", by: broken },
  { to: "an input while the warehouse is paused", event: getting("7"), status: "409", hinder: warehouseIsPaused },
  { to: "an input while the warehouse is busy", event: getting("7"), status: "503", hinder: warehouseIsBusy },
  ...jobAnswers,
];

const operationOf = ({ httpMethod, resource }: Call) => {
  const keys = ["paths", resource, httpMethod.toLowerCase()];
  const operation = document.paths[resource]?.[httpMethod.toLowerCase()];
  if (!operation) throw new Error(`the document has no ${httpMethod} ${resource}`);
  return { keys, operation };
};

test.each(answers)("the answer $status is as documented: $to", async ({ event, status, hinder, by = () => api }) => {
  hinder?.();
  const { statusCode, headers, body } = await answerTo(event, by());
  expect(statusCode).toBe(status);
  const { keys, operation } = operationOf(event);
  const place = operation.responses[status]?.$ref ?? pointerOf(...keys, "responses", status);
  expect(faultsOf(place, body)).toEqual([]);
  expect(headers["content-type"]).toBe("application/json");
  if (status === "503") expect(headers["retry-after"]).toMatch(/^[1-9]\d*$/);
});

test("every documented answer is checked, but for those that API Gateway gives itself", () => {
  const gateways = ["403", "429"];
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) =>
      Object.keys(responses).flatMap((status) =>
        gateways.includes(status) ? [] : [`${method.toUpperCase()} ${path} ${status}`],
      ),
    ),
  );
  const checked = answers.map(({ event, status }) => `${event.httpMethod} ${event.resource} ${status}`);
  expect([...new Set(checked)].sort()).toEqual(documented.sort());
});

const post = operationOf(asking({}));

test.each([
  ...Object.values(post.operation.requestBody?.content["application/json"].examples ?? {}).map(({ value }) => value),
  { id: "a".repeat(1_024), requestId: "b".repeat(128), jobId: "c".repeat(128) },
  { id: " 7" },
  { id: "7", features: { age: "9223372036854775807", income: null, city: "Lyon" } },
  Array.from({ length: 1_000 }, () => ({ id: "7" })),
])("a body that the document allows is accepted: %#", async (body) => {
  expect(faultsOf(pointerOf(...post.keys, "requestBody"), body)).toEqual([]);
  expect((await answerTo(asking(body))).statusCode).toBe("202");
});

test.each([
  null,
  "7",
  {},
  { id: 7 },
  { id: "" },
  { id: "7 " },
  { id: "\u0000" },
  { id: "a".repeat(1_025) },
  { id: "7", requestId: "b".repeat(129) },
  { id: "7", jobId: "c".repeat(129) },
  { id: "7", requestID: "b" },
  { id: "7", features: [] },
  { id: "7", features: { age: 36, city: ["Lyon"] } },
  [],
  [{}],
  Array.from({ length: 1_001 }, () => ({ id: "7" })),
])("a body that the document does not allow is refused: %#", async (body) => {
  expect(faultsOf(pointerOf(...post.keys, "requestBody"), body)).not.toEqual([]);
  expect((await answerTo(asking(body))).statusCode).toBe("400");
});

const newJob = operationOf(starting({}));
const jobBody = pointerOf(...newJob.keys, "requestBody");
const rows = [{ id: "7" }];

test.each([
  ...Object.values(newJob.operation.requestBody?.content["application/json"].examples ?? {}).map(({ value }) => value),
  { input: { rows: Array.from({ length: 1_000 }, (_, n) => ({ id: `${n}` })) } },
  { id: "a".repeat(100), input: { rows } },
])("a job that the document allows is made: %#", async (body) => {
  expect(faultsOf(jobBody, body)).toEqual([]);
  expect((await answerTo(starting(body))).statusCode).toBe("201");
});

test.each([
  null,
  [],
  {},
  { input: {} },
  { input: { rows: [] } },
  { input: { rows: ["7"] } },
  { input: { rows: Array.from({ length: 1_001 }, () => ({ id: "7" })) } },
  { input: { rows, ...file } },
  { input: { key: "rows.csv" } },
  { input: file, id: "a/b" },
  { input: file, format: "tsv" },
  { input: file, columns: { age: 7 } },
  { input: file, limit: 0 },
  { input: file, tenant: "" },
  { input: file, deadline: 59 },
  { input: file, result: "xlsx" },
  { input: file, jobId: "x" },
])("a job that the document does not allow is refused: %#", async (body) => {
  expect(faultsOf(jobBody, body)).not.toEqual([]);
  expect((await answerTo(starting(body))).statusCode).toBe("400");
});

const jobSchema = z.object({ required: z.array(z.string()), properties: z.record(z.string(), z.unknown()) });
const schemaNamed = (name: string): unknown => {
  const { components } = z
    .object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) })
    .parse(JSON.parse(source));
  return components.schemas[name];
};

test("the example of a job is one, of which no field is missing but those of a failure", async () => {
  const { content } = operationOf(job("nightly")).operation.responses["200"] ?? {};
  const [{ value } = { value: undefined }, ...others] = Object.values(content?.["application/json"].examples ?? {});
  expect(others).toEqual([]);
  const validate = ajv.compile({ $ref: "openapi.json#/components/schemas/Job" });
  expect(validate(value) ? [] : validate.errors).toEqual([]);
  const { properties } = jobSchema.parse(schemaNamed("Job"));
  expect(Object.keys(properties).length).toBeLessThanOrEqual(15);
  const given = z.record(z.string(), z.unknown()).parse(value);
  expect(Object.keys(properties).filter((name) => !(name in given))).toEqual(["errors"]);
});

test("the states, formats and names of jobs are those of the contract", () => {
  expect(schemaNamed("JobState")).toEqual({ enum: jobStates });
  expect(schemaNamed("JobName")).toMatchObject({ pattern: jobName.source });
  const { properties } = jobSchema.parse(schemaNamed("NewJob"));
  expect(properties).toMatchObject({ format: { enum: inputFormats }, result: { enum: resultFormats } });
  const { properties: ofJob } = jobSchema.parse(schemaNamed("Job"));
  const settings = jobSchema.parse(ofJob.settings);
  expect(Object.keys(settings.properties)).toEqual(Object.keys(jobSettings.shape));
});

test("the codes of failures are named", () => {
  expect(source).toContain(`Now there are: ${failureCodes.join(", ")}.`);
});

test.each([
  ["predictions", (query: Record<string, string>) => getting("7", query)],
  ["jobs", listing],
])("every documented parameter of a query for %s is known, and no other", async (_, asked) => {
  const { parameters } = operationOf(asked({})).operation;
  const names = parameters.flatMap((parameter) => (parameter.in === "query" ? [parameter.name] : []));
  const { body } = await answerTo(asked({ other: "" }));
  const { error } = z.object({ error: z.object({ message: z.string() }) }).parse(body);
  expect(error.message).toBe(
    `there is no parameter "other", only ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
  );
});
