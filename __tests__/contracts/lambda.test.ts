import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { operator } from "../../local/credentials";
import { FunctionError } from "../../local/lambda";
import { startLambda } from "../../local/lambda-configuration";
import type { StandIn } from "../../local/stand-in";

const invoke = jest.fn(async (event: unknown): Promise<unknown> => ({ event }));
const begin = Date.now();
let lambda: StandIn;
let client: LambdaClient;

beforeAll(async () => {
  lambda = await startLambda("us-east-1", [
    { name: "worker", timeoutSeconds: 20, memoryMegabytes: 512, variables: { MODEL_RELEASE: "7f3a" }, invoke },
  ]);
  client = new LambdaClient({ ...operator, endpoint: lambda.url });
});
afterAll(async () => {
  client.destroy();
  await lambda.stop();
});

test("GetFunctionConfiguration says how the function is, and since when", async () => {
  const found = await client.send(new GetFunctionConfigurationCommand({ FunctionName: "worker" }));
  expect(found).toMatchObject({
    FunctionName: "worker",
    Timeout: 20,
    MemorySize: 512,
    State: "Active",
    LastUpdateStatus: "Successful",
    Environment: { Variables: { MODEL_RELEASE: "7f3a" } },
  });
  expect(found.LastModified).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  expect(Date.parse(found.LastModified ?? "")).toBeGreaterThanOrEqual(begin);
});

test("GetFunctionConfiguration of another name is ResourceNotFoundException", async () => {
  await expect(client.send(new GetFunctionConfigurationCommand({ FunctionName: "api" }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
  });
});

describe("Invoke", () => {
  beforeEach(() => invoke.mockClear());
  const ask = (Payload?: string, more = {}) =>
    client.send(new InvokeCommand({ FunctionName: "worker", Payload: Payload && Buffer.from(Payload), ...more }));

  test("answers what the function does", async () => {
    const { StatusCode, FunctionError: error, ExecutedVersion, Payload } = await ask('{"canary":true}');
    expect({ StatusCode, error, ExecutedVersion }).toEqual({ StatusCode: 200, ExecutedVersion: "$LATEST" });
    expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toEqual({ event: { canary: true } });
    await ask();
    expect(invoke).toHaveBeenLastCalledWith({});
  });

  test("is no failed call where the function fails, and says how it did", async () => {
    invoke.mockRejectedValueOnce(new FunctionError("StatementFailed", "permission denied"));
    const { StatusCode, FunctionError: error, Payload } = await ask("{}");
    expect({ StatusCode, error }).toEqual({ StatusCode: 200, error: "Unhandled" });
    const said = { errorType: "StatementFailed", errorMessage: "permission denied" };
    expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toEqual(said);
  });

  test("as an event it does not wait for the function, which runs once though it fails", async () => {
    let fail = (_: Error) => {};
    const running = new Promise((_, reject) => {
      fail = reject;
    });
    invoke.mockReturnValueOnce(running);
    const { StatusCode, Payload } = await ask('{"n":1}', { InvocationType: "Event" });
    expect({ StatusCode, size: Payload?.length ?? 0 }).toEqual({ StatusCode: 202, size: 0 });
    fail(new FunctionError("Error", "failed"));
    await expect(running).rejects.toThrow("failed");
    await ask('{"n":2}');
    expect(invoke.mock.calls).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  });

  test.each([
    ["what is no JSON", "{", {}, "InvalidRequestContentException"],
    ["an event above 6 MB", `"${"x".repeat(6_291_455)}"`, {}, "RequestTooLargeException"],
    [
      "an asynchronous event above 1 MB",
      `"${"x".repeat(1_048_575)}"`,
      { InvocationType: "Event" },
      "RequestTooLargeException",
    ],
    ["a type that is not known here", "{}", { InvocationType: "DryRun" }, "InvalidParameterValueException"],
    ["another function", "{}", { FunctionName: "api" }, "ResourceNotFoundException"],
  ])("refuses %s", async (_, payload, more, name) => {
    await expect(ask(payload, more)).rejects.toMatchObject({ name });
    expect(invoke).not.toHaveBeenCalled();
  });
});
