import { readFileSync } from "node:fs";
import { SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { z } from "zod";
import { operator } from "../../local/credentials";
import { type Request, serve } from "../../local/stand-in";
import { ModelEndpoint } from "../../pipeline/predictions";

/** Requests and answers byte for byte; model/test_inference.py checks the container's side of them. */
const golden = z
  .array(z.object({ request: z.string(), response: z.string() }))
  .min(1)
  .parse(JSON.parse(readFileSync("__tests__/fixtures/golden-predictions.json", "utf8")));
const sentencePair = z.object({ seq_0: z.string(), seq_1: z.string() });

test("the worker sends what the model's code reads, and reads what that answers", async () => {
  const received: Request[] = [];
  const endpoint = await serve((request) => {
    received.push(request);
    const body = golden.find((pair) => pair.request === request.body.toString())?.response;
    const headers = { "content-type": "application/json", "x-amzn-invoked-production-variant": "blue" };
    return { status: body === undefined ? 400 : 200, headers, body };
  });
  const client = new SageMakerRuntimeClient({ endpoint: endpoint.url, ...operator });
  try {
    const props = { endpointName: "paraphrases", contract: "pair", instancesPerCall: 1, concurrency: 1 } as const;
    const model = new ModelEndpoint(props, client);
    for (const { request, response } of golden) {
      const [answer] = await model.ask([{ pair: sentencePair.parse(JSON.parse(request)), alone: false }]);
      expect(answer).toMatchObject({ output: JSON.parse(response), variant: "blue" });
    }
  } finally {
    client.destroy();
    await endpoint.stop();
  }
  for (const { method, url, headers } of received) {
    expect([method, url.pathname]).toEqual(["POST", "/endpoints/paraphrases/invocations"]);
    expect(headers["content-type"]).toBe("application/json");
  }
  expect(received).toHaveLength(golden.length);
});
