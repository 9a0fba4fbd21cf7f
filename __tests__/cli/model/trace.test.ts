import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModelFile } from "../../../cli/model/model-file";
import { whyStale } from "../../../cli/model/model-trace";
import { defaultContract } from "../../../config/default-model";
import type { ModelContract } from "../../../contract/model-contract";
import { writeModelFolder } from "../../setup/model-folder";

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "traced-"));
  await writeModelFolder(folder, {
    model: {
      made: {
        by: "model/trace.py",
        versions: { torch: "2.6.0" },
        of: { "config.json": hashOf("{}") },
        gave: { "model.pt": hashOf("weights") },
      },
    },
  });
});
afterEach(() => rm(folder, { recursive: true }));

const stale = async (contract: ModelContract = defaultContract, eager = false) =>
  whyStale(folder, contract, eager, await readModelFile(folder));

test("what was traced of the same files for the contract of config.ts is not traced again", async () => {
  expect(await stale()).toBeUndefined();
  expect(await stale({ ...defaultContract, request: "instances" })).toBeUndefined();
});

test("what was traced by an earlier version, with fewer inputs it may be, is traced anew", async () => {
  await rm(join(folder, "model.json"));
  expect(await stale()).toBe("it has no model.json, as one of an earlier version");
  await rm(join(folder, "model.pt"));
  expect(await stale()).toBeUndefined(); // there is nothing yet
});

test("what was traced for another contract is traced anew", async () => {
  const why = "it was traced for another contract than config.ts has now";
  expect(await stale({ ...defaultContract, answer: "json" })).toBe(why);
  expect(await stale({ ...defaultContract, features: defaultContract.features.slice(0, 1) })).toBe(why);
});

test("what the instances could not run is traced anew", async () => {
  expect(await stale(defaultContract, true)).toBe("the instances need it with --eager-attention");
});

test("what was traced of other files, or is not what was traced, is traced anew", async () => {
  await writeFile(join(folder, "config.json"), '{"id2label": {}}');
  expect(await stale()).toBe("config.json has changed since");
  await rm(join(folder, "config.json"));
  expect(await stale()).toBe("config.json is gone");
  await writeFile(join(folder, "config.json"), "{}");
  await writeFile(join(folder, "model.pt"), "other weights");
  expect(await stale()).toBe("model.pt has changed since");
});
