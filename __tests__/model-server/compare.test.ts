import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { faultsBy } from "../../cli/model/model-compare";
import { plainModel, writeModelFolder } from "../setup/model-folder";

const run = promisify(execFile);
const failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

/** A checkout of its own. */
let desk: string;
beforeAll(async () => {
  desk = await mkdtemp(join(tmpdir(), "desk-"));
  for (const name of ["node_modules", "package.json", "cli", "model"]) await symlink(resolve(name), join(desk, name));
  await writeModelFolder(join(desk, "same"), plainModel("one == other"));
  await writeModelFolder(join(desk, "loose"), plainModel("one.lower() == other.lower()"));
  await writeModelFolder(join(desk, "broken"), plainModel("{'a': 0}[one]"));
});
afterAll(() => rm(desk, { recursive: true, force: true }));

const cli = (...args: string[]) =>
  run(process.execPath, ["--import", "tsx", "cli/main.ts", "model", ...args], { cwd: desk }).then(
    (said) => ({ code: 0, ...said }),
    (error: unknown) => failed.parse(error),
  );
const csv = async (text: string) => writeFile(join(desk, "rows.csv"), text);
const compare = (a: string, b: string) => cli("compare", a, b, "--csv", "rows.csv", "--env", "dev");

const labelled = `id,seq_0,seq_1,label
same,a,a,1
case,a,A,It's a paraphrase
other,a,b,0
unknown,b,B,
`;

test("says how often two models agree, how often each is right, and where they differ", async () => {
  await csv(labelled);
  const archived = await cli("package", "same", "--output", "same.tar.gz");
  expect(archived).toMatchObject({ code: 0 });
  const { code, stdout } = await compare("same.tar.gz", "loose");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `The models agree on 2 of 4 (50.0 %) rows.
A is right about 2 of 3 (66.7 %) labelled rows, B about 3 of 3 (100.0 %).
  case (It's a paraphrase): A Not a paraphrase; B It's a paraphrase
  unknown: A Not a paraphrase; B It's a paraphrase
`,
  });
});

test("a row that a model does not answer is one on which no other agrees with it", async () => {
  await csv(labelled);
  const { code, stdout } = await compare("broken", "broken");
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining("The models agree on 3 of 4 (75.0 %) rows.\n"),
  });
  expect(stdout).toContain("  unknown: A failed (500); B failed (500)\n");
});

test("what model.gate wants and a comparison does not find is named", () => {
  const found = { rows: 200, agreed: 190, labelled: 100, right: [90, 84] as const, differing: [] };
  expect(faultsBy({}, found)).toEqual([]);
  expect(faultsBy({ agreement: 0.95, accuracy: 0.84 }, found)).toEqual([]);
  expect(faultsBy({ agreement: 0.96, accuracy: 0.85 }, found)).toEqual([
    "The models agree on 95.0 % of the rows; model.gate.agreement wants 96.0 % or more.",
    "The second model is right about 84.0 % of the labelled rows; model.gate.accuracy wants 85.0 % or more.",
  ]);
  expect(faultsBy({ accuracy: 0.5 }, { ...found, labelled: 0 })).toEqual([
    "No row has a label, and model.gate.accuracy wants 50.0 % or more.",
  ]);
});

test("names the columns of features that a file lacks", async () => {
  await csv("id,seq_0\n1,a\n");
  expect(await compare("same", "loose")).toMatchObject({
    code: 1,
    stderr: "rows.csv lacks the columns of features that same is asked by: seq_1.\n",
  });
});
