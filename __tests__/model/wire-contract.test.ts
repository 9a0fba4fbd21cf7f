import { readFileSync } from "node:fs";
import { SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { z } from "zod";
import { operator } from "../../local/credentials";
import { type Request, serve } from "../../local/stand-in";
import { ModelEndpoint } from "../../pipeline/predictions";

/** Requests and answers byte for byte; the tests of model/ check the container's side of them, with a real model. */
const golden = (name: "predictions" | "instances") =>
  z
    .array(z.object({ request: z.string(), response: z.string() }))
    .min(1)
    .parse(JSON.parse(readFileSync(`model/golden/${name}.json`, "utf8")));
const sentencePair = z.object({ seq_0: z.string(), seq_1: z.string() });
const several = z.object({ instances: z.array(sentencePair) });

/** A worker's client of an endpoint that gives the golden answers, and what that endpoint received. */
async function endpointOf(contract: "pair" | "instances", answers: ReturnType<typeof golden>) {
  const received: Request[] = [];
  const endpoint = await serve((request) => {
    received.push(request);
    const body = answers.find((pair) => pair.request === request.body.toString())?.response;
    const headers = { "content-type": "application/json", "x-amzn-invoked-production-variant": "blue" };
    return { status: body === undefined ? 400 : 200, headers, body };
  });
  const client = new SageMakerRuntimeClient({ endpoint: endpoint.url, ...operator });
  const props = { endpointName: "paraphrases", contract, instancesPerCall: 25, concurrency: 1 };
  return {
    model: new ModelEndpoint(props, client),
    received,
    stop: async () => {
      client.destroy();
      await endpoint.stop();
    },
  };
}

test("the worker sends what the model's code reads, and reads what that answers", async () => {
  const answers = golden("predictions");
  const { model, received, stop } = await endpointOf("pair", answers);
  try {
    for (const { request, response } of answers) {
      const [answer] = await model.ask([{ pair: sentencePair.parse(JSON.parse(request)), alone: false }]);
      expect(answer).toMatchObject({ output: JSON.parse(response), variant: "blue" });
    }
  } finally {
    await stop();
  }
  for (const { method, url, headers } of received) {
    expect([method, url.pathname]).toEqual(["POST", "/endpoints/paraphrases/invocations"]);
    expect(headers["content-type"]).toBe("application/json");
  }
  expect(received).toHaveLength(answers.length);
});

test("several in a call are sent and read in their order, and a pair that the model refuses stands alone", async () => {
  const answers = golden("instances");
  const { model, received, stop } = await endpointOf("instances", answers);
  try {
    for (const { request, response } of answers) {
      const { instances } = several.parse(JSON.parse(request));
      const { predictions } = z.object({ predictions: z.array(z.unknown()) }).parse(JSON.parse(response));
      const asked = await model.ask(instances.map((pair) => ({ pair, alone: false })));
      expect(asked).toMatchObject(
        predictions.map((output) =>
          typeof output === "string" ? { output, variant: "blue" } : { code: "refused_by_model", kind: "final" },
        ),
      );
    }
  } finally {
    await stop();
  }
  expect(received).toHaveLength(answers.length);
});
