import { InvokeEndpointCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { operator } from "../../local/credentials";
import { jsonModel, type ModelCall, ModelError, startSageMakerRuntime } from "../../local/sagemaker-runtime";
import type { StandIn } from "../../local/stand-in";

let service: StandIn;
let client: SageMakerRuntimeClient;
const model = jest.fn();

beforeAll(async () => {
  service = await startSageMakerRuntime({ endpointName: "classifier", variantName: "first", model: jsonModel(model) });
  client = new SageMakerRuntimeClient({ ...operator, endpoint: service.url, maxAttempts: 1 });
});
afterAll(async () => {
  client.destroy();
  await service.stop();
});
beforeEach(() => model.mockReset());

const invoke = (Body: string, { EndpointName = "classifier", ContentType = "application/json" } = {}) =>
  client.send(new InvokeEndpointCommand({ EndpointName, ContentType, Body }));

test("gives the model the body, and answers with its JSON and the variant that answered", async () => {
  model.mockResolvedValue("good");
  const { Body, ContentType, InvokedProductionVariant } = await invoke('{"title":"a","text":"b"}');
  expect(model).toHaveBeenCalledWith({ title: "a", text: "b" });
  expect(Body?.transformToString()).toBe('"good"');
  expect({ ContentType, InvokedProductionVariant }).toEqual({
    ContentType: "application/json",
    InvokedProductionVariant: "first",
  });
});

test("bytes and content types pass through unchanged, both ways", async () => {
  const asked: ModelCall[] = [];
  const image = Buffer.from([0, 255, 10, 13, 128]);
  const echo = await startSageMakerRuntime({
    endpointName: "images",
    variantName: "first",
    model: (call) => {
      asked.push(call);
      return { body: Buffer.concat([call.body, call.body]), contentType: "image/x-twice" };
    },
  });
  const other = new SageMakerRuntimeClient({ ...operator, endpoint: echo.url, maxAttempts: 1 });
  const to = { EndpointName: "images", ContentType: "image/png", Accept: "image/*", Body: image };
  const { Body, ContentType } = await other.send(new InvokeEndpointCommand({ ...to, TargetVariant: "first" }));
  const second = other.send(new InvokeEndpointCommand({ ...to, TargetVariant: "second" }));
  await expect(second).rejects.toThrow("Variant second of endpoint images not found.");
  other.destroy();
  await echo.stop();
  expect(asked).toEqual([{ body: image, contentType: "image/png", accept: "image/*" }]);
  expect([Buffer.from(Body ?? []), ContentType]).toEqual([Buffer.concat([image, image]), "image/x-twice"]);
});

test("refuses an endpoint that does not exist", async () => {
  await expect(invoke("{}", { EndpointName: "other" })).rejects.toMatchObject({
    name: "ValidationError",
    message: expect.stringContaining("other"),
  });
  expect(model).not.toHaveBeenCalled();
});

test("takes a body of 6,291,456 bytes and no byte more", async () => {
  model.mockReturnValue("good");
  const body = (bytes: number) => JSON.stringify("x".repeat(bytes - 2));
  await expect(invoke(body(6_291_456))).resolves.toBeDefined();
  await expect(invoke(body(6_291_457))).rejects.toMatchObject({ name: "ValidationError" });
});

test.each([
  ["refuses an input", new ModelError(400, "text is missing"), 400, "text is missing"],
  ["is overloaded", new ModelError(503, "busy"), 503, "busy"],
  ["breaks", new Error("out of memory"), 500, "Error: out of memory"],
])("tells what the model said when it %s", async (_, error, OriginalStatusCode, OriginalMessage) => {
  model.mockRejectedValue(error);
  await expect(invoke("{}")).rejects.toMatchObject({
    name: "ModelError",
    $metadata: { httpStatusCode: 424 },
    OriginalStatusCode,
    OriginalMessage,
  });
});

test.each([
  ["text that is no JSON", "not JSON", "application/json", 400],
  ["another content type", "{}", "text/csv", 415],
])("a container of JSON refuses %s", async (_, body, ContentType, OriginalStatusCode) => {
  await expect(invoke(body, { ContentType })).rejects.toMatchObject({ name: "ModelError", OriginalStatusCode });
});
