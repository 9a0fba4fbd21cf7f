import { askThroughQueue, carriedIn } from "../../../cli/deployment/path-canary";
import { connect } from "../../../cli/shared/connection";
import type { FeatureValues } from "../../../contract/feature-values";
import { type ModelContract, requestFormats } from "../../../contract/model-contract";
import { wireFormatOf } from "../../../contract/wire-format";
import { ModelError } from "../../../local/sagemaker-runtime";
import { within } from "../../../pipeline/clients";
import { parseRow } from "../../../pipeline/request-reader";
import { lexicalModel } from "../../../samples";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";

const contract = (request: ModelContract["request"]): ModelContract => ({
  features: [
    { name: "text", type: "String", optional: false },
    ...(request === "raw"
      ? []
      : [
          { name: "age", type: "Integral" as const, optional: false },
          { name: "income", type: "Fractional" as const, optional: true },
        ]),
  ],
  request,
  answer: "json",
  outputs: [],
});

/** What a body's first input has, as the worker would read it. */
const readIn = (body: string, of: ModelContract): FeatureValues | undefined => {
  const features = carriedIn(body, of);
  if (features === undefined) return undefined;
  return parseRow(`{"id":"7","features":${features}}`, { features: of.features, required: true }).features;
};

describe("the first input of a golden request", () => {
  const values = ['It "rains",\nor not.', "7", "0.5"];
  const others = ["Another.", "8", null];

  test.each(requestFormats)("is carried as the contract has it, where a call is written as %s", (request) => {
    const of = contract(request);
    const format = wireFormatOf(of);
    const inputs = [values, others].map((input) => format.inputOf(input.slice(0, of.features.length)));
    const body = format.bodyOf(inputs.slice(0, format.holdsMany ? 2 : 1));
    expect(readIn(body, of)).toEqual(values.slice(0, of.features.length));
  });

  test("of one feature is a value, in a list or not", () => {
    const of = { ...contract("inputs"), features: contract("raw").features };
    expect(readIn('{"inputs": "It rains."}', of)).toEqual(["It rains."]);
    expect(readIn('{"inputs": ["It rains.", "Or not."]}', of)).toEqual(["It rains."]);
  });

  test.each([
    ["json", '{"words": "It rains."}'],
    ["json", "no JSON"],
    ["instances", "{}"],
    ["csv", "It rains."],
    ["inputs", '{"inputs": 7}'],
  ] as const)("is none where a body of the format %s is %s", (request, body) => {
    expect(readIn(body, contract(request))).toBeUndefined();
  });
});

describe("a request that goes through the queue", () => {
  let pipeline: LocalPipeline;
  let isRefusing = false;
  beforeAll(async () => {
    jest.spyOn(console, "error").mockImplementation();
    pipeline = await startLocalPipeline((call) => {
      if (isRefusing) throw new ModelError(400, "no");
      return lexicalModel(call);
    });
    Object.assign(process.env, pipeline.aws.environment);
  });
  afterAll(() => pipeline.stop());

  const features = JSON.stringify({ seq_0: "It rains.", seq_1: "The sun shines." });
  const ask = async () => askThroughQueue((await connect({ env: "dev" })).pipeline, features, within(120_000));

  test("is waited for until its answer is in the warehouse, as an input of its own and of no job", async () => {
    await ask();
    const { stdout } = await pipeline.run("results", "canary", "--format", "ndjson");
    expect(JSON.parse(stdout)).toMatchObject({ id: "canary", job_id: null, output: "Not a paraphrase" });
  });

  test("is told with its reason where it fails", async () => {
    isRefusing = true;
    await expect(ask()).rejects.toThrow(/^The canary \S+ failed: the model refused the input \(400\)\.$/);
  });
});
