import { SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { operator } from "../../local/credentials";
import { ModelError, startSageMakerRuntime } from "../../local/sagemaker-runtime";
import type { StandIn } from "../../local/stand-in";
import { ModelEndpoint } from "../../pipeline/predictions";

const pair = { seq_0: "It's a dog.", seq_1: "Das ist ein Hund: 🐕" };
const started: StandIn[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

const endpointWith = async (model: (body: unknown) => unknown, concurrency = 4) => {
  const standIn = await startSageMakerRuntime({ endpointName: "paraphrases", variantName: "blue", model });
  started.push(standIn);
  const client = new SageMakerRuntimeClient({ ...operator, endpoint: standIn.url });
  return new ModelEndpoint({ endpointName: "paraphrases", concurrency }, client);
};

test("asks about both sentences, and says which variant answered", async () => {
  const asked: unknown[] = [];
  const endpoint = await endpointWith((body) => {
    asked.push(body);
    return "It's a paraphrase";
  });
  expect(await endpoint.predict(pair)).toEqual({
    output: "It's a paraphrase",
    variant: "blue",
    latency: expect.any(Number),
  });
  expect(asked).toEqual([pair]);
});

test("keeps as many requests in flight as it is told, and no more", async () => {
  let [inFlight, most] = [0, 0];
  const waiting: (() => void)[] = [];
  const endpoint = await endpointWith(async () => {
    most = Math.max(most, ++inFlight);
    // All that may be in flight have come before the first is answered.
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 3) for (const answer of waiting.splice(0)) answer();
    });
    inFlight--;
    return "x";
  }, 3);
  await Promise.all(Array.from({ length: 12 }, () => endpoint.predict(pair)));
  expect(most).toBe(3);
});

test("answers on after one has failed", async () => {
  let calls = 0;
  const endpoint = await endpointWith(() => {
    if (++calls === 1) throw new ModelError(500, "no");
    return "x";
  }, 1);
  const [first, second] = await Promise.allSettled([endpoint.predict(pair), endpoint.predict(pair)]);
  expect([first.status, second.status]).toEqual(["rejected", "fulfilled"]);
});

test.each([400, 413, 422])("knows by a model's %i that it will never have this input", async (status) => {
  const endpoint = await endpointWith(() => {
    throw new ModelError(status, `cannot read ${pair.seq_0}`);
  });
  await expect(endpoint.predict(pair)).rejects.toMatchObject({
    name: "InputRefused",
    message: `the model refused the input (${status})`,
  });
});

test.each([403, 404, 429, 500, 503])("does not blame the input for a model's %i", async (status) => {
  const endpoint = await endpointWith(() => {
    throw new ModelError(status, "no");
  });
  await expect(endpoint.predict(pair)).rejects.toMatchObject({
    name: "ModelFailed",
    message: `the model failed (${status})`,
  });
});

test.each([[{ label: 1 }], [["It's a paraphrase"]], [null], [1]])("does not take %j for an answer", async (answer) => {
  const endpoint = await endpointWith(() => answer);
  await expect(endpoint.predict(pair)).rejects.toMatchObject({
    name: "UnexpectedAnswer",
    message: "the model must answer with a JSON string",
  });
});

test("stops waiting when it is told to", async () => {
  const stop = new AbortController();
  const endpoint = await endpointWith(() => {
    stop.abort();
    return new Promise(() => {});
  }, 1);
  const asked = [1, 2].map(() => endpoint.predict(pair, { signal: stop.signal }));
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes).toMatchObject([{ reason: { name: "AbortError" } }, { reason: { name: "AbortError" } }]);
});
