import { SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { z } from "zod";
import { operator } from "../../local/credentials";
import { jsonModel, ModelError, startSageMakerRuntime } from "../../local/sagemaker-runtime";
import { AwsError, type StandIn, serve } from "../../local/stand-in";
import { Failure } from "../../pipeline/failures";
import { ModelEndpoint, type ModelEndpointProps } from "../../pipeline/predictions";

const pair = { seq_0: "It's a dog.", seq_1: "Das ist ein Hund: 🐕" };
const alone = false;
const started: StandIn[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

const at = ({ url }: StandIn, props: Partial<ModelEndpointProps> = {}, maxAttempts = 3) => {
  const usual = { endpointName: "paraphrases", contract: "pair", instancesPerCall: 16, concurrency: 4 } as const;
  const client = new SageMakerRuntimeClient({ ...operator, endpoint: url, maxAttempts });
  return new ModelEndpoint({ ...usual, ...props }, client);
};

const endpointWith = async (model: (body: unknown) => unknown, props: Partial<ModelEndpointProps> = {}) => {
  const options = { endpointName: "paraphrases", variantName: "blue", model: jsonModel(model) };
  const standIn = await startSageMakerRuntime(options);
  started.push(standIn);
  return at(standIn, props);
};

/** Asks about one pair. */
const ask = async (endpoint: ModelEndpoint) => (await endpoint.ask([{ pair, alone }]))[0];

test("asks about both sentences, and says which variant answered", async () => {
  const asked: unknown[] = [];
  const endpoint = await endpointWith((body) => {
    asked.push(body);
    return "It's a paraphrase";
  });
  const answer = { output: "It's a paraphrase", variant: "blue", latency: expect.any(Number) };
  expect(await ask(endpoint)).toEqual(answer);
  expect(asked).toEqual([pair]);
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
  await endpoint.ask(Array.from({ length: 12 }, () => ({ pair, alone })));
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
  const answers = await endpoint.ask([1, 2].map(() => ({ pair, alone })));
  expect(answers).toMatchObject([{ code: "endpoint_failed" }, { output: "x" }]);
});

test.each([
  [400, "refused_by_model"],
  [413, "too_large"],
  [422, "refused_by_model"],
])("knows by a model's %i that it will never have this input", async (status, code) => {
  const endpoint = await endpointWith(() => {
    throw new ModelError(status, `cannot read ${pair.seq_0}`);
  });
  expect(await ask(endpoint)).toEqual({ code, reason: `the model refused the input (${status})`, kind: "final" });
});

test.each([
  [403, "shared"],
  [404, "shared"],
  [429, "shared"],
  [503, "shared"],
  [500, "own"],
])("does not refuse an input for a model's %i, whose failure is %s", async (status, kind) => {
  const endpoint = await endpointWith(() => {
    throw new ModelError(status, "no");
  });
  expect(await ask(endpoint)).toEqual({ code: "endpoint_failed", reason: `the model failed (${status})`, kind });
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
  expect(await ask(at(standIn, {}, 1))).toEqual({ code: "endpoint_failed", reason, kind: "shared" });
});

test.each([[{ label: 1 }], [["It's a paraphrase"]], [null], [1]])("does not take %j for an answer", async (answer) => {
  const endpoint = await endpointWith(() => answer);
  const reason = "the model must answer with a JSON string";
  expect(await ask(endpoint)).toEqual({ code: "unexpected_answer", reason, kind: "own" });
});

test("does not take for an answer what is no JSON", async () => {
  const standIn = await serve(() => ({
    status: 200,
    headers: { "x-amzn-invoked-production-variant": "blue" },
    body: "<html>",
  }));
  started.push(standIn);
  expect(await ask(at(standIn))).toMatchObject({ code: "unexpected_answer", kind: "own" });
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
    [1, 2].map(() => ({ pair, alone })),
    { beginning: until, asking: until },
  );
  expect(answers).toEqual([
    { code: "endpoint_failed", reason: "the endpoint did not answer in time", kind: "shared" },
    { code: "out_of_time", reason: "there was no time left to ask", kind: "shared" },
  ]);
  expect(calls).toBe(1);
});

describe("with several instances in a call", () => {
  const callSchema = z.object({ instances: z.array(z.object({ seq_0: z.string(), seq_1: z.string() })) });
  const calls: string[][] = [];
  beforeEach(() => {
    calls.length = 0;
  });

  /** An endpoint whose model answers a call's first sentences; they are in `calls`. */
  const endpointThat = (answer: (sentences: string[]) => unknown, props: Partial<ModelEndpointProps> = {}) =>
    endpointWith(
      (body) => {
        const sentences = callSchema.parse(body).instances.map(({ seq_0 }) => seq_0);
        calls.push(sentences);
        return answer(sentences);
      },
      { contract: "instances", instancesPerCall: 4, ...props },
    );
  const answersTo = (sentences: string[]) => ({ predictions: sentences.map((sentence) => `to ${sentence}`) });
  const questions = (sentences: string[]) => sentences.map((seq_0) => ({ pair: { seq_0, seq_1: "b" }, alone }));
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
    const endpoint = await endpointThat((sentences) => ({ predictions: sentences.map(({ length }) => `${length}`) }));
    const lengths = [3_000_000, 3_000_000, 3_000_000, 6_291_456];
    const answers = await endpoint.ask(questions(lengths.map((length) => "x".repeat(length))));
    expect(outputs(answers)).toEqual(["3000000", "3000000", "3000000", "too_large"]);
    expect(calls.map(({ length }) => length).sort()).toEqual([1, 2]);
  });

  test("asks a refused call again in halves until the culprit stands alone", async () => {
    const endpoint = await endpointThat(
      (sentences) => {
        if (sentences.includes("c")) throw new ModelError(400, "cannot read c");
        return answersTo(sentences);
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
    const endpoint = await endpointThat((sentences) => {
      if (sentences.length > 2) throw new ModelError(413, "too large");
      return answersTo(sentences);
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
        { code: "endpoint_failed", kind: "shared" },
        { code: "endpoint_failed", kind: "shared" },
      ]);
      expect(calls).toHaveLength(1);
    },
  );

  test("tells a refusal, an answer and nonsense in one call apart", async () => {
    const endpoint = await endpointThat(() => ({ predictions: ["yes", { error: "cannot read b" }, 7, null] }));
    expect(await endpoint.ask(questions(letters(4)))).toEqual([
      { output: "yes", variant: "blue", latency: expect.any(Number) },
      { code: "refused_by_model", reason: "the model refused the input", kind: "final" },
      expect.objectContaining({ code: "unexpected_answer", kind: "own" }),
      expect.objectContaining({ code: "unexpected_answer", kind: "own" }),
    ]);
  });

  test.each([[{ predictions: ["one"] }], [{ predictions: ["one", "two", "three"] }], [["one", "two"]], ["one"]])(
    "takes nothing from an answer that is not one to each: %j",
    async (answer) => {
      const endpoint = await endpointThat(() => answer);
      expect(await endpoint.ask(questions(letters(2)))).toMatchObject([
        { code: "unexpected_answer", kind: "shared" },
        { code: "unexpected_answer", kind: "shared" },
      ]);
    },
  );
});
