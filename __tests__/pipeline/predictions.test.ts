import { SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import type { RequestFormat } from "../../contract/model-contract";
import { operator } from "../../local/credentials";
import { jsonModel, ModelError, startSageMakerRuntime } from "../../local/sagemaker-runtime";
import { AwsError, type StandIn, serve } from "../../local/stand-in";
import { Busy, Failure } from "../../pipeline/failures";
import { ModelEndpoint, type ModelEndpointProps } from "../../pipeline/predictions";
import { contract, contractIn, modelOf, valuesIn } from "../setup/contract";

const values = valuesIn('"Köln" 🏙');
const alone = false;
const started: StandIn[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

const at = ({ url }: StandIn, props: Partial<ModelEndpointProps> = {}, maxAttempts = 3) => {
  const usual = { endpointName: "classifier", contract, instancesPerCall: 16, concurrency: 4, callSeconds: 10 };
  const client = new SageMakerRuntimeClient({ ...operator, endpoint: url, maxAttempts });
  return new ModelEndpoint({ ...usual, ...props }, client);
};

const endpointWith = async (model: (body: unknown) => unknown, props: Partial<ModelEndpointProps> = {}) => {
  const options = { endpointName: "classifier", variantName: "blue", model: jsonModel(model) };
  const standIn = await startSageMakerRuntime(options);
  started.push(standIn);
  return at(standIn, props);
};

/** Asks about one input. */
const ask = async (endpoint: ModelEndpoint) => (await endpoint.ask([{ values, alone }]))[0];

test("asks about an input, and says which variant answered", async () => {
  const asked: unknown[] = [];
  const endpoint = await endpointWith((body) => {
    asked.push(body);
    return "good";
  });
  const answer = { output: "good", variant: "blue", latency: expect.any(Number) };
  expect(await ask(endpoint)).toEqual(answer);
  expect(asked).toEqual([{ age: 36, income: null, city: '"Köln" 🏙' }]);
});

test("looks right before each call whether its questions are over, and asks those alone that are not", async () => {
  const [over, refused] = ["cancelled", "expired"].map(
    (code) => new Failure(code === "cancelled" ? "cancelled" : "expired", "it is over", "never"),
  );
  let calls = 0;
  const endpoint = await endpointWith(() => String(++calls), { concurrency: 1 });
  const isOver = async () => (calls === 0 ? undefined : over);
  const questions = [isOver, isOver, async () => refused, async () => undefined].map((over) => ({
    values,
    alone,
    over,
  }));
  const said = await endpoint.ask([...questions, { values, alone }]);
  expect(said.map((one) => (one instanceof Failure ? one : one.output))).toEqual(["1", over, refused, "2", "3"]);
  expect(calls).toBe(3);
});

test("keeps as many calls in flight as it is told, and no more", async () => {
  let [inFlight, most] = [0, 0];
  const waiting: (() => void)[] = [];
  const endpoint = await endpointWith(
    async () => {
      most = Math.max(most, ++inFlight);
      // All that may be in flight have come before the first is answered.
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 3) for (const answer of waiting.splice(0)) answer();
      });
      inFlight--;
      return "x";
    },
    { concurrency: 3 },
  );
  await endpoint.ask(Array.from({ length: 12 }, () => ({ values, alone })));
  expect(most).toBe(3);
});

test("answers on after one has failed", async () => {
  let calls = 0;
  const endpoint = await endpointWith(
    () => {
      if (++calls === 1) throw new ModelError(500, "no");
      return "x";
    },
    { concurrency: 1 },
  );
  const answers = await endpoint.ask([1, 2].map(() => ({ values, alone })));
  expect(answers).toMatchObject([{ code: "endpoint_failed" }, { output: "x" }]);
});

test.each([
  [400, "refused_by_model"],
  [413, "too_large"],
  [422, "refused_by_model"],
])("knows by a model's %i that it will never have this input", async (status, code) => {
  const endpoint = await endpointWith(() => {
    throw new ModelError(status, `cannot read ${values[2]}`);
  });
  expect(await ask(endpoint)).toEqual({ code, reason: `the model refused the input (${status})`, retry: "never" });
});

test.each([
  [403, "later"],
  [404, "later"],
  [429, "later"],
  [503, "later"],
  [500, "alone"],
])("does not refuse an input for a model's %i, whose failure is %s", async (status, retry) => {
  const endpoint = await endpointWith(() => {
    throw new ModelError(status, "no");
  });
  expect(await ask(endpoint)).toEqual({ code: "endpoint_failed", reason: `the model failed (${status})`, retry });
});

test.each([
  ["ThrottlingException", 400],
  ["InternalFailure", 500],
  ["ValidationError", 400],
])("does not blame a request for the endpoint's %s", async (name, status) => {
  const standIn = await serve(() => {
    throw new AwsError(name, status, "no");
  });
  started.push(standIn);
  const reason = `the endpoint failed: ${name}: no`;
  expect(await ask(at(standIn, {}, 1))).toEqual({ code: "endpoint_failed", reason, retry: "later" });
});

test("a reason is short, however much was said", async () => {
  const standIn = await serve(() => {
    throw new AwsError("InternalFailure", 400, "x".repeat(20_000_000));
  });
  started.push(standIn);
  expect(await ask(at(standIn, {}, 1))).toMatchObject({
    reason: expect.stringMatching(/^the endpoint failed: InternalFailure: x{900,1024}$/),
  });
});

test.each([
  [
    "an answer that is no JSON, where JSON is agreed on",
    "<html>",
    "the model must answer with JSON, got text that is no JSON",
  ],
  ["nothing", "", "the model must answer each input, got nothing"],
  ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "the model must answer in UTF-8, got other bytes"],
])("does not take %s for an answer", async (_, body, reason) => {
  const standIn = await serve(() => ({
    status: 200,
    headers: { "x-amzn-invoked-production-variant": "blue" },
    body,
  }));
  started.push(standIn);
  const endpoint = at(standIn, { contract: { ...contract, answer: "json" } });
  expect(await ask(endpoint)).toEqual({ code: "unexpected_answer", reason, retry: "alone" });
});

test("asks one variant where it is told which", async () => {
  const endpoint = await endpointWith(() => "good", { variantName: "green" });
  expect(await ask(endpoint)).toMatchObject({ reason: expect.stringContaining("Variant green") });
});

test("gives up calls under way when it is told to, and begins no more", async () => {
  const stop = new AbortController();
  let calls = 0;
  const endpoint = await endpointWith(
    () => {
      calls++;
      stop.abort();
      return new Promise(() => {});
    },
    { concurrency: 1 },
  );
  const until = { signal: stop.signal };
  const answers = await endpoint.ask(
    [1, 2].map(() => ({ values, alone })),
    { beginning: until, asking: until },
  );
  expect(answers).toEqual([
    { code: "endpoint_failed", reason: "the endpoint did not answer in time", retry: "later" },
    { code: "out_of_time", reason: "there was no time left to ask", retry: "later" },
  ]);
  expect(calls).toBe(1);
});

const many: RequestFormat[] = ["instances", "jsonlines", "csv", "inputs"];

describe.each(many)("with several inputs in a call of the format %s", (request) => {
  const calls: string[][] = [];
  beforeEach(() => {
    calls.length = 0;
  });

  /** An endpoint whose model answers each city of a call; the cities are in `calls`. */
  const endpointThat = async (answer: (cities: string[]) => unknown[], props: Partial<ModelEndpointProps> = {}) => {
    const model = modelOf((cities) => {
      calls.push(cities);
      return answer(cities);
    });
    const standIn = await startSageMakerRuntime({ endpointName: "classifier", variantName: "blue", model });
    started.push(standIn);
    return at(standIn, { contract: contractIn(request), instancesPerCall: 4, ...props });
  };
  const answersTo = (cities: string[]) => cities.map((city) => `to ${city}`);
  const questions = (cities: string[]) => cities.map((city) => ({ values: valuesIn(city), alone }));
  const letters = (count: number) => [..."abcdefghijklmnopqrstuvwxyz"].slice(0, count);
  const outputs = (answers: Awaited<ReturnType<ModelEndpoint["ask"]>>) =>
    answers.map((answer) => (answer instanceof Failure ? answer.code : answer.output));

  test("answers each in its place, in as few calls as there may be, of about one size", async () => {
    const endpoint = await endpointThat(answersTo, { concurrency: 1 });
    const answers = await endpoint.ask(questions(letters(10)));
    expect(outputs(answers)).toEqual(letters(10).map((letter) => `to ${letter}`));
    expect(calls.map(({ length }) => length)).toEqual([4, 4, 2]);
    expect(answers[0]).toMatchObject({ variant: "blue", latency: expect.any(Number) });
  });

  test("asks alone what is to be asked alone", async () => {
    const endpoint = await endpointThat(answersTo);
    const asked = questions(letters(3)).map((question, n) => ({ ...question, alone: n === 1 }));
    expect(outputs(await endpoint.ask(asked))).toEqual(["to a", "to b", "to c"]);
    expect(calls.sort()).toEqual([["a", "c"], ["b"]]);
  });

  test("keeps a call within 6 MiB, and gives up what is larger by itself", async () => {
    const endpoint = await endpointThat((cities) => cities.map(({ length }) => `${length}`));
    const lengths = [3_000_000, 3_000_000, 3_000_000, 6_291_456];
    const answers = await endpoint.ask(questions(lengths.map((length) => "x".repeat(length))));
    expect(outputs(answers)).toEqual(["3000000", "3000000", "3000000", "too_large"]);
    expect(calls.map(({ length }) => length).sort()).toEqual([1, 2]);
  });

  test("keeps a call within what it is told, and never asks what is larger by itself", async () => {
    const endpoint = await endpointThat((cities) => cities.map(({ length }) => `${length}`), {
      largestBodyBytes: 4_194_304,
    });
    const lengths = [2_000_000, 2_000_000, 2_000_000, 4_194_304];
    const answers = await endpoint.ask(questions(lengths.map((length) => "x".repeat(length))));
    expect(outputs(answers)).toEqual(["2000000", "2000000", "2000000", "too_large"]);
    expect(calls.map(({ length }) => length).sort()).toEqual([1, 2]);
  });

  test("asks a refused call again in halves until the culprit stands alone", async () => {
    const endpoint = await endpointThat(
      (cities) => {
        if (cities.includes("c")) throw new ModelError(400, "cannot read c");
        return answersTo(cities);
      },
      { instancesPerCall: 8 },
    );
    expect(outputs(await endpoint.ask(questions(letters(8))))).toEqual([
      "to a",
      "to b",
      "refused_by_model",
      ...letters(8)
        .slice(3)
        .map((letter) => `to ${letter}`),
    ]);
    expect(calls).toHaveLength(7);
  });

  test("asks again in smaller calls what the model finds too large", async () => {
    const endpoint = await endpointThat((cities) => {
      if (cities.length > 2) throw new ModelError(413, "too large");
      return answersTo(cities);
    });
    expect(outputs(await endpoint.ask(questions(letters(4))))).toEqual(letters(4).map((letter) => `to ${letter}`));
  });

  test.each([500, 503, 429])(
    "does not ask again at once where the model fails (%i), and blames nobody",
    async (status) => {
      const endpoint = await endpointThat(() => {
        throw new ModelError(status, "no");
      });
      expect(await endpoint.ask(questions(letters(2)))).toMatchObject([
        { code: "endpoint_failed", retry: "later" },
        { code: "endpoint_failed", retry: "later" },
      ]);
      expect(calls).toHaveLength(1);
    },
  );

  test("tells a refusal and answers of any kind in one call apart", async () => {
    const endpoint = await endpointThat(() => ["yes", { error: "cannot read b" }, 7, null]);
    expect(await endpoint.ask(questions(letters(4)))).toEqual([
      { output: "yes", variant: "blue", latency: expect.any(Number) },
      { code: "refused_by_model", reason: "the model refused the input", retry: "never" },
      { output: "7", variant: "blue", latency: expect.any(Number) },
      { output: "null", variant: "blue", latency: expect.any(Number) },
    ]);
  });

  test.each([[["one"]], [["one", "two", "three"]]])(
    "takes nothing from an answer that is not one to each: %j",
    async (answer) => {
      const endpoint = await endpointThat(() => answer);
      const reason = expect.stringMatching(new RegExp(`with 2 for 2 inputs, got ${answer.length}: `));
      const failure = { code: "unexpected_answer", retry: "later", reason };
      expect(await endpoint.ask(questions(letters(2)))).toEqual([failure, failure]);
    },
  );
});

describe("an endpoint that has enough to do", () => {
  const throttled = () => new AwsError("ThrottlingException", 400, "Rate exceeded");

  test.each([
    ["a throttling", throttled],
    ["a 429", () => new AwsError("ModelNotReadyException", 429, "soon")],
    ["a 503", () => new AwsError("ServiceUnavailable", 503, "later")],
  ])("is none that fails: %s", async (_, error) => {
    const standIn = await serve(() => {
      throw error();
    });
    started.push(standIn);
    expect(await ask(at(standIn, {}, 1))).toBeInstanceOf(Busy);
  });

  test.each([null, ""])("is none that fails: a 400 without a word, %p", async (message) => {
    const standIn = await serve(() => ({ status: 400, body: JSON.stringify({ message }) }));
    started.push(standIn);
    expect(await ask(at(standIn, {}, 1))).toBeInstanceOf(Busy);
  });

  test("has a failure of its own otherwise", async () => {
    const endpoint = await endpointWith(() => {
      throw new ModelError(500, "no");
    });
    const failure = await ask(endpoint);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).not.toBeInstanceOf(Busy);
  });
});
