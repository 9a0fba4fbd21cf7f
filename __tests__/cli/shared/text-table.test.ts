import { inPlaces, textTable, widthOf } from "../../../cli/shared/text-table";

test.each([
  ["abc", 3],
  ["日本語", 6],
  ["👩‍👩‍👧 ok", 5],
  ["e\u0301", 1],
])("%s takes %i places of a terminal", (text, places) => {
  expect(widthOf(text)).toBe(places);
});

test.each([
  ["as it is", "abc", 5, "abc  "],
  ["just as long", "abcde", 5, "abcde"],
  ["cut", "abcdef", 5, "abcd…"],
  ["wide, and cut before a half character", "日本語", 5, "日本…"],
  ["wide, with a place to fill up", "日本語", 4, "日… "],
  ["huge", "x".repeat(1_000_000), 4, "xxx…"],
])("a text in so many places: %s", (_, text, places, shown) => {
  expect(inPlaces(text, places)).toBe(shown);
  expect(widthOf(shown)).toBe(places);
});

test("columns are as wide as what is in them, and the widest give way", () => {
  const rows = [
    ["1", "a long sentence that does not fit", "yes"],
    ["22", "short", "no"],
  ];
  expect(textTable(["id", "text", "answer"], rows, 80).split("\n")).toEqual([
    "id  text                               answer",
    "1   a long sentence that does not fit  yes",
    "22  short                              no",
  ]);
  expect(textTable(["id", "text", "answer"], rows, 26).split("\n")).toEqual([
    "id  text            answer",
    "1   a long senten…  yes",
    "22  short           no",
  ]);
});

test("what does not print is a space", () => {
  expect(textTable(["id"], [["a\n\tb\u0007c"]], 80)).toBe("id\na b c");
});

test("of thousands of columns the first and the last are shown", () => {
  const head = ["id", ...Array.from({ length: 2_498 }, (_, place) => `f${place}`), "label", "score"];
  const [line = ""] = textTable(head, [head], 60, 2).split("\n");
  expect(line).toMatch(/^id +f0 +f1 +f2 .*… +label +score$/);
  expect(widthOf(line)).toBeLessThanOrEqual(60);
});
