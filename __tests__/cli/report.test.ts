import { summaryOf, tableOf } from "../../cli/report";

const row = (id: string) => ({ id, seq_0: "first sentence", seq_1: "second sentence" });

describe("the table", () => {
  test("has a line for every row, with its prediction or none", () => {
    const lines = tableOf([
      { row: row("a"), output: "It's a paraphrase" },
      { row: row("b"), failure: "why" },
    ]).split("\n");
    expect(lines).toHaveLength(6);
    expect(lines[3]).toMatch(/^│ a +│ first sentence +│ second sentence +│ It's a paraphrase +│$/);
    expect(lines[4]).toMatch(/^│ b +│ first sentence +│ second sentence +│ - +│$/);
  });

  test("stays in its columns, and prints no control characters", () => {
    const long = { id: "an-id-that-is-long", seq_0: "word ".repeat(100), seq_1: "two\nlines \u001b[31mred\u0007" };
    const lines = tableOf([{ row: long, output: "Not a paraphrase" }]).split("\n");
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([105]));
    expect(lines[3]).toContain("│ two lines [31mred ");
    expect(lines.join("")).not.toMatch(/\p{Cc}/u);
  });
});

describe("the summary", () => {
  test("counts each answer and gives time and rate", () => {
    const outcomes = ["yes", "no", "yes"].map((output, index) => ({ row: row(String(index)), output }));
    expect(summaryOf(outcomes, 1.5)).toBe(
      "3 of 3 requests have a prediction (no: 1, yes: 2)\n" +
        "1.50 s from the first request sent to the last one answered: 2 predictions/s",
    );
  });

  test("names the rows without a prediction, each with the reason", () => {
    const outcomes = [
      { row: row("a"), output: "yes" },
      { row: row("b"), failure: "the model refused the input (400)" },
    ];
    expect(summaryOf(outcomes, 1)).toContain(
      '1 of 2 requests have a prediction (yes: 1)\nid "b" has none: the model refused the input (400)\n',
    );
  });
});
