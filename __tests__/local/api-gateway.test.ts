import { type Route, startApiGateway } from "../../local/api-gateway";
import { signatureHeaders } from "../../local/signature";
import type { StandIn } from "../../local/stand-in";

let api: StandIn;
const invoke = jest.fn();

beforeAll(async () => {
  const route = (httpMethod: string, resourcePath: string): Route => ({
    httpMethod,
    resourcePath,
    function: { invoke },
  });
  api = await startApiGateway({
    stageName: "dev",
    routes: [
      route("ANY", "/{proxy+}"),
      route("GET", "/predict/{id}"),
      route("ANY", "/predict/{id}"),
      route("POST", "/predict"),
      { ...route("GET", "/signed"), authorization: "AWS_IAM" },
    ],
  });
});
afterAll(() => api.stop());
beforeEach(() => invoke.mockReset().mockResolvedValue({ statusCode: 200, body: "{}" }));

test("gives the function a REST API's proxy event", async () => {
  await fetch(`${api.url}/predict/a%20b?limit=1&limit=2`, { headers: { "x-who": "me" } });
  expect(invoke).toHaveBeenCalledWith(
    expect.objectContaining({
      resource: "/predict/{id}",
      path: "/predict/a%20b",
      httpMethod: "GET",
      headers: expect.objectContaining({ "x-who": "me" }),
      multiValueHeaders: expect.objectContaining({ "x-who": ["me"] }),
      pathParameters: { id: "a%20b" },
      queryStringParameters: { limit: "2" },
      multiValueQueryStringParameters: { limit: ["1", "2"] },
      body: null,
      isBase64Encoded: false,
      requestContext: expect.objectContaining({
        stage: "dev",
        path: "/dev/predict/a%20b",
        resourcePath: "/predict/{id}",
      }),
    }),
  );
});

test("asks who calls where the method does", async () => {
  const url = new URL(`${api.url}/signed`);
  const headers = signatureHeaders({ method: "GET", url }, "caller");
  expect((await fetch(url)).status).toBe(403);
  expect((await fetch(url, { headers: { ...headers, "x-amz-date": "20260101T000000Z" } })).status).toBe(403);
  expect(invoke).not.toHaveBeenCalled();
  expect((await fetch(url, { headers })).status).toBe(200);
});

test("hands over a body, and null where there is no parameter", async () => {
  await fetch(`${api.url}/predict`, { method: "POST", body: '{"id":"1"}' });
  expect(invoke).toHaveBeenCalledWith(
    expect.objectContaining({
      resource: "/predict",
      body: '{"id":"1"}',
      pathParameters: null,
      queryStringParameters: null,
    }),
  );
});

test("answers with the function's status, headers and body", async () => {
  invoke.mockResolvedValue({
    statusCode: 202,
    headers: { "content-type": "text/plain", "retry-after": 5 },
    multiValueHeaders: { "set-cookie": ["a=1", "b=2"] },
    body: "accepted",
  });
  const response = await fetch(`${api.url}/predict`, { method: "POST" });
  expect([response.status, await response.text()]).toEqual([202, "accepted"]);
  expect(response.headers.get("content-type")).toBe("text/plain");
  expect(response.headers.get("retry-after")).toBe("5");
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
});

test("decodes a body that the function has encoded", async () => {
  invoke.mockResolvedValue({ statusCode: 200, body: "aGVsbG8=", isBase64Encoded: true });
  expect(await (await fetch(`${api.url}/x`)).text()).toBe("hello");
});

test.each([
  ["GET", "/predict/1", "/predict/{id}"],
  ["DELETE", "/predict/1", "/predict/{id}"],
  ["POST", "/predict/", "/predict"],
  ["GET", "/something/else", "/{proxy+}"],
])("%s %s is answered by %s", async (method, path, resource) => {
  await fetch(`${api.url}${path}`, { method });
  expect(invoke).toHaveBeenCalledWith(expect.objectContaining({ resource }));
});

test.each([
  ["a method that the best fitting resource has not", "GET", "/predict"],
  ["a path that no resource fits", "GET", "/"],
])("refuses %s as AWS does", async (_, method, path) => {
  const response = await fetch(`${api.url}${path}`, { method });
  expect([response.status, await response.json()]).toEqual([403, { message: "Missing Authentication Token" }]);
  expect(invoke).not.toHaveBeenCalled();
});

test("refuses a stage that does not exist", async () => {
  const response = await fetch(`${api.url.replace(/dev$/, "prod")}/predict/1`);
  expect([response.status, await response.json()]).toEqual([403, { message: "Forbidden" }]);
});

test.each([
  ["fails", () => invoke.mockRejectedValue(new Error("secret"))],
  ["answers what is no proxy response", () => invoke.mockResolvedValue({ status: 200 })],
  ["answers nothing", () => invoke.mockResolvedValue(null)],
])("answers 502 and no detail when the function %s", async (_, prepare) => {
  prepare();
  const response = await fetch(`${api.url}/predict/1`);
  expect([response.status, await response.json()]).toEqual([502, { message: "Internal server error" }]);
});
