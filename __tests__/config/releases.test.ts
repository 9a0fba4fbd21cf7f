import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { labelOf } from "../../config/contract";
import {
  afterRelease,
  afterRollback,
  checkReleases,
  type Release,
  readReleases,
  releaseId,
  withEndpoint,
  writeReleases,
} from "../../config/releases";
import type { ModelContract } from "../../contract/model-contract";

const contract: ModelContract = {
  features: [
    { name: "age", type: "Integral", optional: false },
    { name: "city", type: "String", optional: true },
  ],
  request: "csv",
  answer: "json",
  outputs: [],
};

const release = (letter: string, more: Partial<Release> = {}): Release => ({
  artifact: { bucket: "our-models", key: `bert/${letter}.tar.gz`, sha256: letter.repeat(64) },
  kind: "cpu",
  contract: labelOf(contract),
  verified: true,
  ...more,
});
const [a, b, c] = [release("a"), release("b"), release("c")];

describe("the file", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "releases-"));
    file = join(folder, "releases.json");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("that is not there holds no release", () => {
    expect(readReleases(file)).toEqual({});
  });

  test("is read as it was written, and leaves nothing beside it", () => {
    const releases = { dev: { current: b, previous: a }, prod: { current: a, previous: "config.ts" as const } };
    writeReleases(releases, file);
    expect(readReleases(file)).toEqual(releases);
    expect(readFileSync(file, "utf8")).toBe(`${JSON.stringify(releases, null, 2)}\n`);
    expect(readdirSync(folder)).toEqual(["releases.json"]);
  });

  test("that is no JSON is refused by its name", () => {
    writeFileSync(file, "{");
    expect(() => readReleases(file)).toThrow(`${file} has 1 problem:\n  no JSON: `);
  });

  test("is refused with every fault there is, each with what is allowed", () => {
    const { artifact, ...rest } = a;
    const wrong = {
      artifact: { ...artifact, sha256: "x", tag: 1 },
      ...rest,
      kind: "tpu",
      instanceType: "inf3.xlarge",
    };
    writeFileSync(
      file,
      JSON.stringify({ dev: { current: wrong, previous: "latest" }, prod: { current: a, previous: a } }),
    );
    expect(() => readReleases(file)).toThrow(
      [
        `${file} has 6 problems:`,
        'releases.json: dev.current.artifact.sha256: got "x"; allowed: 64 characters: the SHA-256 of the archive, in hexadecimal digits (`offline-inference model package` prints it)',
        "releases.json: dev.current.artifact.tag: got a field that does not exist; allowed: bucket, key, sha256",
        'releases.json: dev.current.kind: got "tpu"; allowed: "cpu", "gpu", "graviton", "inf1-neo", "inf1-torch-neuron", "inf2", "other" (aws/model-kinds.ts)',
        'releases.json: dev.current.instanceType: got "inf3.xlarge"; allowed: 1 to 63 characters: an instance type of SageMaker\'s',
      ].join("\n  "),
    );
    expect(
      checkReleases({ dev: { current: a, previous: "latest" }, prod: { current: a, previous: a } }).faults,
    ).toEqual([
      'releases.json: dev.previous: got "latest"; allowed: a release, or "config.ts" for the model that is described there',
      "releases.json: prod.previous: got the same release as current; allowed: another one, or none",
    ]);
    expect(checkReleases([]).faults).toEqual([
      "releases.json: got []; allowed: an object of releases by the names of environments",
    ]);
  });
});

describe("after a release", () => {
  test("the one before is kept, and no other", () => {
    const first = afterRelease(undefined, a);
    const second = afterRelease(first, b);
    expect([first, second, afterRelease(second, c)]).toEqual([
      { current: a },
      { current: b, previous: a },
      { current: c, previous: b },
    ]);
  });

  test("the first one, what config.ts describes is kept where the endpoint serves it", () => {
    expect(afterRelease(undefined, a, true)).toEqual({ current: a, previous: "config.ts" });
  });

  test("of what is current already, the one before stays", () => {
    const unverified = { current: { ...b, verified: false }, previous: a };
    expect(afterRelease(unverified, b)).toEqual({ current: b, previous: a });
  });

  test("of what is current already, what was proven at an endpoint stays, for as long as it is the same golden requests", () => {
    const proof = { golden: "1".repeat(64) };
    const served = withEndpoint({ ...b, verified: false, proof }, answered(6, 6));
    expect(served).toEqual({ ...b, verified: true, proof: { ...proof, endpoint: answered(6, 6) } });
    expect(afterRelease({ current: served }, { ...b, verified: false, proof })).toEqual({ current: served });
    const others = { ...b, verified: false, proof: { golden: "2".repeat(64) } };
    expect(afterRelease({ current: served }, others)).toEqual({ current: others });
  });
});

const answered = (asked: number, agreed: number) => {
  return { name: "classifier", sha256: "b".repeat(64), at: "2026-01-01T00:00:00.000Z", asked, agreed };
};

test("a release is not verified where an endpoint gave a wrong answer, or no golden requests are known", () => {
  const proof = { golden: "1".repeat(64) };
  expect(withEndpoint({ ...b, proof }, answered(6, 5)).verified).toBe(false);
  expect(withEndpoint({ ...b, verified: false }, answered(6, 6))).toEqual({ ...b, verified: false });
});

describe("the way back", () => {
  test("makes the release before current, and keeps the other one: going back twice changes nothing", () => {
    const before = { current: b, previous: "config.ts" as const };
    const back = afterRollback("dev", before, contract);
    expect(back).toEqual({ current: "config.ts", previous: b });
    expect(afterRollback("dev", back, contract)).toEqual(before);
  });

  test.each([undefined, { current: a }])("is refused where there is no release before: %j", (releases) => {
    expect(() => afterRollback("dev", releases, contract)).toThrow(
      "releases.json has no release of dev before the current one to go back to.",
    );
  });

  test("is refused across contracts, with both and what to do", () => {
    const other = labelOf({ ...contract, request: "jsonlines" });
    expect(() => afterRollback("dev", { current: b, previous: { ...a, contract: other } }, contract)).toThrow(
      `The release before the current one of dev is made for another contract: ${other}. config.ts has ${labelOf(contract)}. Set model.contract back, and roll back then.`,
    );
    const spoken = { features: { age: "Integral", city: { type: "String", optional: true } }, answer: "json" as const };
    const before = { ...a, contract: other, speaks: { ...spoken, request: ["jsonlines" as const, "csv" as const] } };
    expect(afterRollback("dev", { current: b, previous: before }, contract)).toMatchObject({ current: before });
  });
});

test("a release's id changes with whatever is served, and not by being verified", () => {
  const ids = [
    a,
    b,
    release("a", { kind: "inf2" }),
    release("a", { instanceType: "ml.c7i.large" }),
    release("a", { image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/our-own:1" }),
  ].map(releaseId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(releaseId({ ...a, verified: false })).toBe(ids[0]);
  expect(ids[0]).toMatch(/^[0-9a-f]{8}$/);
});
