import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { rowsOf } from "../setup/markdown";

const run = promisify(execFile);
const accuracy = (...args: string[]) =>
  run(process.execPath, ["--import", "tsx", "samples/paraphrase/accuracy.ts", ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );

test("measures the stand-in by half of the pairs, and its page says what it prints", async () => {
  const { code, stdout, stderr } = await accuracy();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [head, ...rows] = rowsOf(stdout).map((cells) => cells.slice(1, -1));
  expect(head).toEqual(["", "pairs", "stand-in: right", "precision"]);
  expect(rows.find(([name]) => name === "all")?.[1]).toBe("150");
  const page = rowsOf(readFileSync("samples/paraphrase/README.md", "utf8")).map((cells) => cells.slice(1, 5));
  expect(page).toEqual(expect.arrayContaining(rows.filter(([, pairs]) => pairs !== "---:")));
});

test("says when there is no such model, before it asks anything", async () => {
  expect(await accuracy("--model", "nowhere.tar.gz")).toEqual({
    code: 1,
    stdout: "",
    stderr: "There is no archive or folder nowhere.tar.gz.\n",
  });
});
