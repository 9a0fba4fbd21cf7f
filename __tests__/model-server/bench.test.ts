import { readFileSync } from "node:fs";
import { z } from "zod";
import { measureServing, unlikeAnswers, type Way } from "../../bench/serving";
import { tinyModel } from "../setup/tiny-model";

const ways: Record<string, Way> = {
  original: { code: "original", request: "json", inputsPerCall: 1, batch: 1, padsAll: true },
  "original, tokenizer a call": {
    code: "original, tokenizer a call",
    request: "json",
    inputsPerCall: 1,
    batch: 1,
    padsAll: true,
  },
  json: { code: "archive", request: "json", inputsPerCall: 1, batch: 1, padsAll: false },
  instances: { code: "archive", request: "instances", inputsPerCall: 4, batch: 2, padsAll: false },
};

/** What the tiny model knows. */
const goldenInputs = () => {
  const requests = z.array(z.object({ request: z.string() }));
  const golden = requests.parse(JSON.parse(readFileSync("model/golden/predictions.json", "utf8")));
  const features = z.record(z.string(), z.string());
  return golden.map(({ request }, place) => ({ id: `golden-${place}`, features: features.parse(JSON.parse(request)) }));
};

let model: Awaited<ReturnType<typeof tinyModel>>;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => model?.remove());

test("every way of asking a model gives the same answers, and its calls are counted", async () => {
  const inputs = goldenInputs();
  const servings = [];
  for (const [way, asked] of Object.entries(ways)) {
    servings.push({ way, ...(await measureServing(model.folder, asked, inputs, { workers: 1, passes: 2 })) });
  }
  expect(servings.map(({ way, calls }) => [way, calls])).toEqual([
    ["original", 12],
    ["original, tokenizer a call", 12],
    ["json", 12],
    ["instances", 4],
  ]);
  for (const { answers, inputsPerSecond, latency } of servings) {
    expect([...answers.keys()].sort()).toEqual(inputs.map(({ id }) => id).sort());
    expect(inputsPerSecond).toBeGreaterThan(0);
    expect(latency.p99).toBeGreaterThanOrEqual(latency.p50);
  }
  expect(new Set(servings[0]?.answers.values()).size).toBe(2); // or all would be the same anyway
  expect(unlikeAnswers(servings)).toEqual([]);
});

test("an answer that is not the same is told, with who gave it", () => {
  const serving = (way: string, answers: Record<string, string>) => ({
    way,
    answers: new Map(Object.entries(answers)),
  });
  const unlike = unlikeAnswers([
    serving("first", { "name-1": "yes", "name-2": "no" }),
    serving("second", { "name-1": "yes", "name-2": "yes", "name-3": "no" }),
    serving("third", { "name-3": "yes" }),
  ]);
  expect(unlike).toEqual(['name-2: "yes" by second; "no" by first', 'name-3: "yes" by third; "no" by second']);
});
