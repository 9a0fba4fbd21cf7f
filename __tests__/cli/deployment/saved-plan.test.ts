import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPlan, planPassphrase, savePlan } from "../../../cli/deployment/saved-plan";

const passphrase = "a passphrase of some length";
const desk = mkdtempSync(join(tmpdir(), "saved-plan-"));
const file = join(desk, "saved");
afterAll(() => rmSync(desk, { recursive: true }));

let count = 0;
const emptyFolder = () => {
  const folder = join(desk, `folder-${++count}`);
  mkdirSync(folder);
  return folder;
};

/** A folder as planning leaves it. */
const plannedFolder = () => {
  const folder = emptyFolder();
  for (const name of [".terraform/providers", "assets/worker"]) mkdirSync(join(folder, name), { recursive: true });
  const files = ["plan", "cdk.tf.json", "worker.zip", ".terraform.lock.hcl", "assets/worker/index.cjs", ".terraform/x"];
  for (const name of files) writeFileSync(join(folder, name), `${name} holds hunter2`);
  return folder;
};

const save = () => savePlan(file, plannedFolder(), "inference-dev", passphrase);

test("brings back all that lay in the folder, but for what init installs anew", async () => {
  await save();
  const folder = emptyFolder();
  await openPlan(file, folder, "inference-dev", passphrase);
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(found.map(({ name }) => name).sort()).toEqual([
    ".terraform.lock.hcl",
    "cdk.tf.json",
    "index.cjs",
    "plan",
    "worker.zip",
  ]);
  expect(readFileSync(join(folder, "plan"), "utf8")).toBe("plan holds hunter2");
});

test("shows no one what is in it, and no two files are alike", async () => {
  await save();
  const first = readFileSync(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  writeFileSync(file, "", { mode: 0o644 });
  await save();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const second = readFileSync(file);
  expect(second.includes("hunter2")).toBe(false);
  const body = (bytes: Buffer) => bytes.subarray(bytes.indexOf("\n") + 1);
  expect(body(second).equals(body(first))).toBe(false);
  expect(JSON.parse(second.subarray(0, second.indexOf("\n")).toString())).toEqual({
    format: "offline-inference plan",
    version: 1,
    stack: "inference-dev",
    salt: expect.any(String),
    nonce: expect.any(String),
  });
  expect(readdirSync(desk).filter((name) => name.includes("partial"))).toEqual([]);
});

describe("refuses", () => {
  const opened = async (stack = "inference-dev", by = passphrase) => {
    const folder = emptyFolder();
    const error: unknown = await openPlan(file, folder, stack, by).catch((reason) => reason);
    expect(readdirSync(folder)).toEqual([]);
    return error instanceof Error ? error.message : "it opened";
  };
  beforeEach(save);

  test("another passphrase", async () => {
    expect(await opened("inference-dev", `${passphrase}!`)).toBe(
      `${file} does not open: OFFLINE_INFERENCE_PLAN_KEY is not what it was saved with, or the file was changed.`,
    );
  });

  test.each([
    ["its first encrypted byte", (bytes: Buffer) => bytes.indexOf("\n") + 1],
    ["its tag", (bytes: Buffer) => bytes.length - 1],
  ])("a file that was changed at %s", async (_, at) => {
    const bytes = readFileSync(file);
    bytes[at(bytes)] = (bytes[at(bytes)] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    expect(await opened()).toContain("or the file was changed");
  });

  test("a file that was cut, wherever", async () => {
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, -20));
    expect(await opened()).toContain("or the file was changed");
    writeFileSync(file, bytes.subarray(0, bytes.indexOf("\n") + 5));
    expect(await opened()).toContain("or the file was changed");
    writeFileSync(file, bytes.subarray(0, 20));
    expect(await opened()).toContain("is no plan");
    writeFileSync(file, "");
    expect(await opened()).toContain("is no plan");
  });

  test("another stack's plan, also when its name is written over", async () => {
    expect(await opened("inference-prod")).toBe(`${file} is a plan of inference-dev, not of inference-prod.`);
    const bytes = readFileSync(file, "latin1").replace("inference-dev", "inference-prod");
    writeFileSync(file, bytes, "latin1");
    expect(await opened("inference-prod")).toContain("or the file was changed");
  });

  test("a file that is not there", async () => {
    rmSync(file);
    expect(await opened()).toBe(`There is no file ${file}.`);
  });
});

test.each([
  [undefined, "which is not set"],
  ["too short", "which has 9"],
])("the passphrase %j is refused, without showing it", (value, reason) => {
  if (value === undefined) delete process.env.OFFLINE_INFERENCE_PLAN_KEY;
  else process.env.OFFLINE_INFERENCE_PLAN_KEY = value;
  expect(planPassphrase).toThrow(
    `A saved plan is encrypted, since it holds secrets, by a passphrase of 20 characters or more in OFFLINE_INFERENCE_PLAN_KEY, ${reason}.`,
  );
});
