import type { Browser } from "puppeteer-core";
import { chromium, startBrowser } from "../setup/browser";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

test("a page's own script runs, and no other machine is reached", async () => {
  const page = await browser.newPage();
  await page.setContent("<p>before</p><script>document.querySelector('p').textContent = 'after'</script>");
  expect(await page.$eval("p", (paragraph) => paragraph.textContent)).toBe("after");
  await expect(page.goto("http://example.com/")).rejects.toThrow("ERR_NAME_NOT_RESOLVED");
});

test("a machine without a browser is told what to install", () => {
  expect(() => chromium({ PATH: "/nowhere" })).toThrow("There is no Chromium or Chrome in PATH: install one");
});
