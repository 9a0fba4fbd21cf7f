import { leftInWords, progressOf } from "../../../cli/shared/progress";

const noon = new Date(2026, 10, 28, 11, 46);

test.each([
  [0.2, "~1 s"],
  [59, "~59 s"],
  [60, "~1 min, at 11:47"],
  [2 * 3_600 + 19 * 60, "~2 h 19 min, at 14:05"],
  [26 * 3_600, "~26 h, at 13:46 on Nov 29"],
])("what is left of %d seconds says how long, and when that is", (seconds, said) => {
  expect(leftInWords(seconds, noon)).toBe(said);
});

test("without a terminal it says step and total, a line at each tenth, and nothing is left at the end", () => {
  const said: unknown[] = [];
  const error = jest.spyOn(console, "error").mockImplementation((line) => void said.push(line));
  const { isTTY } = process.stderr;
  Object.assign(process.stderr, { isTTY: false });
  const progress = progressOf("requests", 3);
  for (const done of [0, 2, 3]) progress.update(done);
  error.mockRestore();
  Object.assign(process.stderr, { isTTY });
  expect(said).toEqual([
    expect.stringMatching(/^2\/3 requests, [\d,]+\/s, ~\d+ s$/),
    expect.stringMatching(/^3\/3 requests, [\d,]+\/s$/),
  ]);
});
