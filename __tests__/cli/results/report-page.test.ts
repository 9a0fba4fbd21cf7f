import { type FailureCode, failureCodes } from "../../../contract/failure-table";
import type { ResultRow } from "../../../contract/job-result";
import { labels, reportOf, rowOf } from "../../setup/report";

const rows = (count: number) => Array.from({ length: count }, (_, place) => rowOf(place + 1));
/** The text that a page shows, without its styles, scripts and data. */
const textOf = (page: string) =>
  page
    .replace(/<(style|script)[\s\S]*?<\/\1>/g, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ");
const dataOf = (page: string) =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/.exec(page)?.[1] ?? "");

test("says how many rows were asked, answered and failed, how long it took and what it cost", async () => {
  const text = textOf(await reportOf({ rows: [rows(700)], total: 700 }));
  expect(text).toContain("Asked 700 rows Answered 600 85.7% Failed 100 14.3% Took 4 min 2.92 rows a second Cost $1.25");
});

test("shows answers beside those of the job before, and those that only that one had among all others", async () => {
  const page = await reportOf({ rows: [rows(700)], total: 700 });
  expect(textOf(page)).toContain("perhaps 200 33.3% 0% +33.3");
  expect(textOf(page)).toContain("yes 200 33.3% 50% -16.7");
  const alone = textOf(await reportOf({ rows: [rows(700)], total: 700, facts: { last: undefined } }));
  expect(alone).toContain("yes 200 33.3%");
  expect(alone).not.toContain("Before");
});

test("groups failures by the rule that was broken, each with the command that mends it in this environment", async () => {
  const text = textOf(await reportOf({ rows: [rows(700)], total: 700 }));
  expect(text).toContain(
    "50 unknown_input there is no record write their features first: npx offline-inference features ingest FILE --env prod",
  );
});

test("has a command for each way in which a row can fail", async () => {
  const failed = (code: FailureCode, row: number): ResultRow => ({ row, id: "a", fate: { code, reason: "it did" } });
  const page = await reportOf({ rows: [failureCodes.map(failed)], total: failureCodes.length });
  expect(page.match(/:<br><code>npx offline-inference /g)).toHaveLength(failureCodes.length);
});

test("counts what is right by the labels, and how labels and answers go together", async () => {
  const text = textOf(await reportOf({ rows: [rows(700)], total: 700, labels }));
  expect(text).toContain("94% of 600 labelled rows are answered as their label says.");
  expect(text).toContain("Label no perhaps yes Rows Right no 200 18 18 236 84.7%");
  const others = { ...labels, of: async (row: number) => String(row % 2) };
  const strange = textOf(await reportOf({ rows: [rows(700)], total: 700, labels: others }));
  expect(strange).toContain("No label is written as an answer is, so there is no accuracy.");
});

test.each([1_999, 20_000])(
  "holds a sample of %i rows that says what it is, with failures and the last rows in it",
  async (total) => {
    const page = await reportOf({ rows: [rows(total)], total });
    const shown = dataOf(page).rows.map(([row]: string[]) => Number(row));
    expect(shown.length).toBe(total <= 2_000 ? total : 2_450);
    expect(shown.at(-1)).toBeGreaterThan(total - 11);
    expect(textOf(page)).toContain(total <= 2_000 ? "All 1,999 rows." : `of 20,000 rows: a sample`);
  },
);

test("stays small where each value is large and none is like another", async () => {
  const large = (row: number): ResultRow => ({
    ...rowOf(row),
    fate:
      row % 2 === 0
        ? { code: `code-${row}`, reason: `${row}${"x".repeat(4_000)}` }
        : { output: "", values: [`${row}${"y".repeat(4_000)}`, row], modelRelease: "", predictedAt: new Date(row) },
  });
  const page = await reportOf({
    rows: [Array.from({ length: 4_000 }, (_, row) => large(row + 1))],
    total: 4_000,
    labels,
  });
  expect(page.length).toBeLessThan(5_000_000);
});

test("what comes from outside is data, whatever it holds", async () => {
  const hostile = `</script><script>alert(1)</script><!--<img src=x onerror="alert(2)">\u2028'"&`;
  const row = rowOf(1);
  const given: ResultRow[] = [
    {
      ...row,
      id: hostile,
      features: JSON.stringify({ city: hostile }),
      fate: { ...row.fate, values: [hostile, 1] } as ResultRow["fate"],
    },
    { ...rowOf(2), fate: { code: hostile, reason: hostile } },
  ];
  const page = await reportOf({
    rows: [given],
    total: 2,
    labels: { column: hostile, of: async () => hostile },
    facts: { made: [[hostile, hostile]], notes: [hostile], commandFor: () => hostile },
  });
  expect(page.match(/<script/g)).toHaveLength(2); // the data and the page's own
  expect(page).not.toMatch(/<img|<!--/);
  expect(/id="data">(.*)<\/script>/.exec(page)?.[1]).not.toContain("\u2028"); // which ended a line of a script once
  expect(dataOf(page).rows[0]).toContain(hostile);
});

test("loads nothing from elsewhere, and runs nothing but its own script", async () => {
  const page = await reportOf({ rows: [rows(10)], total: 10 });
  expect(page).toMatch(
    /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/,
  );
  expect(page).not.toMatch(/(src|href|action)=|url\(|@import|https?:/);
});

test("a job without any answer has a page too", async () => {
  const failed: ResultRow = { row: 1, id: "a", fate: { code: "expired", reason: "too late" } };
  const text = textOf(await reportOf({ rows: [[failed]], total: 1 }));
  expect(text).toContain("There is no answer.");
  expect(text).toContain("No row was answered.");
});
