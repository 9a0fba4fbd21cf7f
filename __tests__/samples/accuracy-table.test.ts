import { accuracyTable } from "../../samples/paraphrase/accuracy-table";
import type { LabelledPair } from "../../samples/paraphrase/labelled-pairs";
import { rowsOf } from "../setup/markdown";

test("right answers and precision are counted for all, for each side and for each kind", () => {
  const pair = (id: string, kind: LabelledPair["kind"], paraphrase: boolean): LabelledPair => {
    return { id, kind, paraphrase, features: { seq_0: "One.", seq_1: "Other." }, choosing: false };
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
