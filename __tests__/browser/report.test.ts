import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "puppeteer-core";
import type { ResultRow } from "../../contract/job-result";
import { startBrowser } from "../setup/browser";
import { labels, reportOf, rowOf } from "../setup/report";

let browser: Browser;
let folder: string;
beforeAll(async () => {
  browser = await startBrowser();
  folder = await mkdtemp(join(tmpdir(), "report-"));
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

const hostile = `<img src="http://127.0.0.1:9/x" onerror="document.title='owned'"></script><script>document.title='owned'</script>`;
const rows = Array.from({ length: 120 }, (_, place) => rowOf(place + 1));

/** Opens a report as a file, and keeps what goes wrong and what it asks for. */
async function open(given: ResultRow[], scheme = "light", width = 1_280) {
  const file = join(folder, "report.html");
  await writeFile(file, await reportOf({ rows: [given], total: given.length, labels }));
  const page = await browser.newPage();
  const faults: string[] = [];
  const requests: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => faults.push(message.text()));
  page.on("request", (request) => requests.push(request.url()));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(pathToFileURL(file).href);
  return { page, faults, requests };
}

const firstColumn = (page: Page, place: number) =>
  page.$$eval("#rows tbody tr", (lines, at) => lines.map((line) => line.children[at]?.textContent), place);

test("is searched, turned and sorted by the keyboard alone, and says so to a screen reader", async () => {
  const { page, faults, requests } = await open(rows);
  const status = () => page.$eval("[role=status]", ({ textContent }) => textContent);
  expect(await status()).toBe("1 to 50 of 120");
  await page.focus("#search");
  await page.keyboard.type("FAILED input-14");
  expect(await status()).toBe("1 to 1 of 1");
  expect(await firstColumn(page, 1)).toEqual(["input-14"]);
  for (let key = 0; key < 15; key++) await page.keyboard.press("Backspace");
  await page.keyboard.press("Tab"); // Previous cannot be pressed on the first page
  await page.keyboard.press("Enter");
  expect(await status()).toBe("51 to 100 of 120");
  await page.focus("#rows th button");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  expect(await page.$eval("#rows th", (head) => head.getAttribute("aria-sort"))).toBe("descending");
  expect((await firstColumn(page, 0)).slice(0, 2)).toEqual(["120", "119"]);
  expect({ faults, requests: requests.length }).toEqual({ faults: [], requests: 1 });
});

test("has landmarks, captions and named charts, as a screen reader finds them", async () => {
  const { page } = await open(rows);
  const has = async (role: string, name?: string) => {
    const found = await page.$(`::-p-aria(${name === undefined ? "" : `[name="${name}"]`}[role="${role}"])`);
    expect({ role, name, isThere: found !== null }).toEqual({ role, name, isThere: true });
  };
  for (const role of ["banner", "main", "contentinfo", "status"]) await has(role);
  for (const name of ["Answers", "Rate and age", "Failures", "Accuracy", "Rows", "How it was made"])
    await has("region", name);
  await has("searchbox", "Search the rows");
  await has("button", "score");
  await has("image", "Rows answered a second 6 at most, each bar the mean of 1 s.");
  expect(await page.$$eval("table", (tables) => tables.map(({ caption }) => caption !== null))).toEqual(
    Array(4).fill(true),
  );
});

test("shows hostile values as they are, and runs and loads nothing of them", async () => {
  const row: ResultRow = { ...rowOf(7), id: hostile, fate: { code: hostile, reason: hostile } };
  const { page, requests } = await open([row]);
  expect(await page.title()).toBe("nightly: report");
  expect(await firstColumn(page, 1)).toEqual([hostile]);
  expect({ images: (await page.$$("img")).length, requests: requests.length }).toEqual({ images: 0, requests: 1 });
});

test.each(["light", "dark"])("its texts stand out in %s: 4.5 to 1, as WCAG asks", async (scheme) => {
  const { page } = await open(rows, scheme);
  expect(await page.evaluate(await readFile("__tests__/browser/faint-texts.js", "utf8"))).toEqual([]);
});

test("fits a telephone: only tables are moved sideways", async () => {
  const { page } = await open(rows, "light", 390);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
});

test("prints light, without what only a screen has", async () => {
  const { page } = await open(rows);
  const features = [{ name: "prefers-color-scheme", value: "dark" }];
  await (await page.createCDPSession()).send("Emulation.setEmulatedMedia", { media: "print", features });
  expect(await page.evaluate('getComputedStyle(document.querySelector(".tools")).display')).toBe("none");
  expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(255, 255, 255)");
  expect((await page.pdf({ format: "A4" })).length).toBeGreaterThan(10_000);
});
