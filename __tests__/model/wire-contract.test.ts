import { readFileSync } from "node:fs";
import { SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { z } from "zod";
import { defaultContract } from "../../config/default-model";
import type { ModelContract } from "../../contract/model-contract";
import { operator } from "../../local/credentials";
import { type Request, serve } from "../../local/stand-in";
import { ModelEndpoint } from "../../pipeline/predictions";

/** Requests and answers byte for byte; the tests of model/ check the container's side of them, with a real model. */
const golden = (name: "predictions" | "instances") =>
  z
    .array(z.object({ request: z.string(), response: z.string() }))
    .min(1)
    .parse(JSON.parse(readFileSync(`model/golden/${name}.json`, "utf8")));
const input = z.record(z.string(), z.string());
const several = z.object({ instances: z.array(input) });

/** A question about an input, in the contract's order whatever the golden request's is. */
const questionOf = (features: z.infer<typeof input>) => ({
  values: defaultContract.features.map(({ name }) => features[name] ?? null),
  alone: false,
});

/** A worker's client of an endpoint that gives the golden answers, and what that endpoint received. */
async function endpointOf(request: ModelContract["request"], answers: ReturnType<typeof golden>) {
  const received: Request[] = [];
  const endpoint = await serve((request) => {
    received.push(request);
    const body = answers.find((pair) => pair.request === request.body.toString())?.response;
    const headers = { "content-type": "application/json", "x-amzn-invoked-production-variant": "blue" };
    return { status: body === undefined ? 400 : 200, headers, body };
  });
  const client = new SageMakerRuntimeClient({ endpoint: endpoint.url, ...operator });
  const contract = { ...defaultContract, request };
  const props = { endpointName: "endpoint", contract, instancesPerCall: 25, concurrency: 1, callSeconds: 10 };
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
  const { model, received, stop } = await endpointOf("json", answers);
  try {
    for (const { request, response } of answers) {
      const [answer] = await model.ask([questionOf(input.parse(JSON.parse(request)))]);
      expect(answer).toMatchObject({ output: JSON.parse(response), variant: "blue" });
    }
  } finally {
    await stop();
  }
  for (const { method, url, headers } of received) {
    expect([method, url.pathname]).toEqual(["POST", "/endpoints/endpoint/invocations"]);
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
      const asked = await model.ask(instances.map(questionOf));
      expect(asked).toMatchObject(
        predictions.map((output) =>
          typeof output === "string" ? { output, variant: "blue" } : { code: "refused_by_model", retry: "never" },
        ),
      );
    }
  } finally {
    await stop();
  }
  expect(received).toHaveLength(answers.length);
});
