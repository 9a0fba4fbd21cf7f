import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startLocalPipeline } from "../setup/local-pipeline";

const names = Array.from({ length: 2_498 }, (_, place) => `f${place}`);
const settings = {
  project: "p",
  owner: "o",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "team-state",
  environments: {
    dev: {
      model: {
        contract: {
          features: Object.fromEntries(names.map((name) => [name, "Integral" as const])),
          request: "csv" as const,
        },
      },
    },
  },
};

test("a contract as large as Feature Store allows is ingested by its names and asked about in its order", async () => {
  const asked: string[] = [];
  const pipeline = await startLocalPipeline(({ body, contentType }) => {
    asked.push(body.toString());
    return { body: "yes\n", contentType };
  }, settings);
  const values = names.map((_, place) => `90071992547409${(place % 90) + 10}`); // beyond 2^53
  const file = join(pipeline.folder, "rows.csv");
  await writeFile(file, `id,${names.toReversed().join(",")}\n7,${values.toReversed().join(",")}\n`);
  const ended = await pipeline.start(["run", "--csv", file], { folder: pipeline.folder }).ended;
  expect(ended).toEqual({
    status: 0,
    signal: null,
    stdout: expect.stringMatching(/rows\.results\.csv\n$/),
    stderr: expect.stringContaining("1 of 1 answered."),
  });
  expect(asked).toEqual([values.join(",")]);
  expect(await readFile(join(pipeline.folder, "rows.results.csv"), "utf8")).toMatch(/\n1,7,answered,.*,yes,/);
  await pipeline.stop();
});
