import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { z } from "zod";
import { failureCodes } from "../../contract/failure-table";
import type { LocalFunction } from "../../local/lambda";
import { jsonModel } from "../../local/sagemaker-runtime";
import { AwsError } from "../../local/stand-in";
import { type Desk, startDesk } from "../setup/desk";
import { synthesizedStacks } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";

const references = z.record(z.string(), z.object({ $ref: z.string().optional() }));
const documentSchema = z.looseObject({
  openapi: z.literal("3.1.0"),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        responses: references,
        parameters: z.array(z.object({ name: z.string(), in: z.enum(["path", "query"]) })).default([]),
        requestBody: z
          .object({
            content: z.object({
              "application/json": z.object({ examples: z.record(z.string(), z.object({ value: z.unknown() })) }),
            }),
          })
          .optional(),
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
});
afterAll(() => desk.stop());
afterEach(() => desk.unhinder());

const asking = (body: unknown) => ({
  httpMethod: "POST",
  resource: "/predict",
  path: "/predict",
  body: JSON.stringify(body),
});
const getting = (id: string, queryStringParameters?: Record<string, string>) => ({
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
const warehouseIsBusy = () => {
  desk.hindrances.REDSHIFT_DATA = () => {
    throw new AwsError("ActiveStatementsExceededException", 400, "500 statements are active");
  };
};
const broken = () => desk.api({ environment: {} });

/** Answers of every kind that the function gives. */
const answers: {
  to: string;
  event: ReturnType<typeof asking | typeof getting>;
  status: string;
  hinder?: () => void;
  by?: () => LocalFunction;
}[] = [
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
  { to: "an input while the warehouse is busy", event: getting("7"), status: "503", hinder: warehouseIsBusy },
];

const operationOf = ({ httpMethod, resource }: { httpMethod: string; resource: string }) => {
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

test("the codes of failures are named", () => {
  expect(source).toContain(`Now there are: ${failureCodes.join(", ")}.`);
});

test("every documented parameter of a query is known, and no other", async () => {
  const { parameters } = operationOf(getting("7")).operation;
  const names = parameters.flatMap((parameter) => (parameter.in === "query" ? [parameter.name] : []));
  const { body } = await answerTo(getting("7", { other: "" }));
  const { error } = z.object({ error: z.object({ message: z.string() }) }).parse(body);
  expect(error.message).toBe(
    `there is no parameter "other", only ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
  );
});
