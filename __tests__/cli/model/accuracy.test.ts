import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { accuracyTable } from "../../../cli/model/accuracy";
import type { LabelledPair } from "../../../cli/model/labelled-pairs";

const run = promisify(execFile);
const accuracy = (...args: string[]) =>
  run(process.execPath, ["cli/offline-inference.mjs", "model", "accuracy", ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );

/** The rows of a table in Markdown, each as its cells. */
const rowsOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").map((cell) => cell.trim()));

test("right answers and precision are counted for all, for each side and for each kind", () => {
  const pair = (id: string, kind: LabelledPair["kind"], paraphrase: boolean): LabelledPair => {
    return { id, kind, paraphrase, seq_0: "One.", seq_1: "Other.", choosing: false };
  };
  const pairs = [
    pair("reordered-2", "reordered", true),
    pair("reordered-4", "reordered", true),
    pair("reworded-2", "reworded", true),
    pair("reworded-4", "reworded", true),
    pair("roles-2", "roles", false),
    pair("roles-4", "roles", false),
    pair("unrelated-2", "unrelated", false),
    pair("unrelated-4", "unrelated", false),
  ];
  const yes = new Set(["reordered-2", "reordered-4", "reworded-2", "roles-2", "roles-4"]);
  const answers = new Map(pairs.map(({ id }) => [id, yes.has(id)]));
  const never = new Map(pairs.map(({ id }) => [id, false]));

  const judgements = [
    { model: "one", answers },
    { model: "never", answers: never },
  ];
  const rows = new Map(
    rowsOf(accuracyTable(pairs, judgements)).map(([, name, ...cells]) => [name, cells.slice(0, -1)]),
  );
  expect(rows.get("")).toEqual(["pairs", "one: right", "precision", "never: right", "precision"]);
  expect(rows.get("all")).toEqual(["8", "63 %", "60 %", "50 %", ""]); // 5 of 8; 3 of the 5 called a paraphrase
  expect(rows.get("paraphrases")).toEqual(["4", "75 %", "", "0 %", ""]);
  expect(rows.get("– reworded")).toEqual(["2", "50 %", "", "0 %", ""]);
  expect(rows.get("no paraphrases")).toEqual(["4", "50 %", "", "100 %", ""]);
  expect(rows.get("– roles")).toEqual(["2", "0 %", "60 %", "100 %", ""]);
  expect(rows.get("– unrelated")).toEqual(["2", "100 %", "100 %", "100 %", ""]);
});

test("the command measures the stand-in by half of the pairs, and README says what it prints", async () => {
  const { code, stdout, stderr } = await accuracy();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [head, ...rows] = rowsOf(stdout).map((cells) => cells.slice(1, -1));
  expect(head).toEqual(["", "pairs", "stand-in: right", "precision"]);
  expect(rows.find(([name]) => name === "all")?.[1]).toBe("150");
  const readme = rowsOf(readFileSync("README.md", "utf8")).map((cells) => cells.slice(1, 5));
  expect(readme).toEqual(expect.arrayContaining(rows.filter(([, pairs]) => pairs !== "---:")));
});

test("the command says when there is no such model, before it asks anything", async () => {
  expect(await accuracy("--model", "nowhere.tar.gz")).toEqual({
    code: 1,
    stdout: "",
    stderr: "There is no archive or folder nowhere.tar.gz.\n",
  });
});
