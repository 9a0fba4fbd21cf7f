import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer-core";
import { callsOf } from "../../cli/page/calls";
import { startPage } from "../../cli/page/page-server";
import { pageWork } from "../../cli/page/page-work";
import { pipelineOf } from "../../cli/shared/connection";
import { configurationOf } from "../../local/pipeline";
import { jsonModel } from "../../local/sagemaker-runtime";
import type { StandIn } from "../../local/stand-in";
import { FeatureStore } from "../../pipeline/features";
import { startBrowser } from "../setup/browser";
import { type LocalPipeline, startLocalPipeline } from "../setup/local-pipeline";

const settings = {
  project: "ai-deployment-bootcamp",
  owner: "test@test.com",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "our-terraform-state",
  environments: { dev: {} },
};

/** It would change the page's title, were it markup there. */
const hostile = "<img src=x onerror=\"document.title='hostile'\"><script>document.title='hostile'</script>";
let refuses = true;
const model = jsonModel((body) => {
  const text = JSON.stringify(body);
  if (text.includes("refuse me") && refuses) return { error: "not now" };
  return text.includes("be hostile") ? hostile : "It's a paraphrase";
});

let pipeline: LocalPipeline;
let served: StandIn;
let browser: Browser;
let page: Page;
const ended = new AbortController();
beforeAll(async () => {
  [browser, pipeline] = await Promise.all([startBrowser(), startLocalPipeline(model, settings)]);
  Object.assign(process.env, pipeline.aws.environment);
  const { shared, configuration } = configurationOf({ settings, environment: "dev" });
  const connection = {
    shared,
    environment: configuration,
    pipeline: await pipelineOf(configuration, {}, { local: true }),
  };
  const first = { id: hostile, values: [] };
  const calls = callsOf(connection.pipeline, first, { dataDir: ".local", isSigned: true });
  served = await startPage(pageWork(connection, calls, ended.signal), 0);
});
afterAll(async () => {
  ended.abort();
  await browser.close();
  await served.stop();
  await pipeline.stop();
});

const faults: string[] = [];
beforeEach(async () => {
  faults.length = 0;
  page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(served.url);
  await page.waitForSelector("#calls pre");
});
afterEach(async () => {
  expect(await page.title()).toBe("offline-inference on this machine");
  expect(faults).toEqual([]);
  await page.close();
});

const expressionOf = (selector: string) => `document.querySelector(${JSON.stringify(selector)})?.textContent`;
const textOf = (selector: string) => page.evaluate(expressionOf(selector));
const until = (selector: string, text: string, on = page) =>
  on.waitForFunction(`${expressionOf(selector)}.includes(${JSON.stringify(text)})`);
/** Fills in the form by its labels, as somebody types, and sends it with the keyboard. */
async function ask(values: Readonly<Record<string, string>>) {
  await page.evaluate("document.querySelector('form').reset()");
  for (const [label, value] of Object.entries(values)) {
    const field = await page.waitForSelector(
      `::-p-xpath(//label[starts-with(normalize-space(.), "${label}")]/*[last()])`,
    );
    await field?.type(value);
  }
  await (await page.$("form button"))?.press("Enter");
}

test("a row that is asked goes through the boxes to its answer", async () => {
  await page.evaluate(`{
    const been = new Set();
    new MutationObserver(() => {
      for (const box of document.querySelectorAll("[aria-current]")) been.add(box.dataset.box);
      document.body.dataset.been = [...been].join(" ");
    }).observe(document.body, { subtree: true, attributeFilter: ["aria-current"] });
  }`);
  await new FeatureStore(pipeline.aws.featureGroup).write([{ id: "1", values: ["One.", "One."] }]);
  await ask({ id: "1" });
  await until("#followed", "The request for 1 has its row in the warehouse: answered.");
  expect(await textOf("#outcome")).toBe("It's a paraphrase");
  expect(await page.evaluate("document.body.dataset.been")).toMatch(/answers warehouse$/);
  await until('[data-box="warehouse"]', "1 in the last hour");
});

test("a request that failed is shown with what mends it, and redriven to its answer", async () => {
  await ask({ id: "4", seq_0: "refuse me", seq_1: "please" });
  await until("#followed", "The request for 4 has its row in the warehouse: failed.");
  expect(await textOf("#outcome")).toContain("refused_by_model: ");
  await until("#failures", "npx offline-inference failed export FILE --local");
  expect(await textOf("#attention")).toContain("A request was given up.");

  refuses = false;
  await page.locator("::-p-aria(Redrive 1 of refused_by_model)").click();
  await until("#redriven", "1 dead letter went back to the queue.");
  await until("#followed", "The request for 4 has its row in the warehouse: answered.");
  await until("#failures", "There is no dead letter.");
});

test("what the model answers, and what others call their inputs, is text", async () => {
  await ask({ id: `${hostile}1`, seq_0: "be hostile", seq_1: hostile });
  await until("#followed", "answered");
  expect(await textOf("#outcome")).toBe(hostile);
  refuses = true;
  await ask({ id: `${hostile}2`, seq_0: "refuse me", seq_1: "please" });
  await until("#failures", `${hostile}2`);
  expect(await textOf("#calls")).toContain("<img src=x");
  expect(await page.$$("img")).toEqual([]);
});

test("a row that is refused is told what is wrong with it", async () => {
  await ask({ id: "3", seq_0: "One." });
  await until("#followed", "seq_1");
  expect(await page.$("#outcome[hidden]")).not.toBeNull();
});

test("lists jobs with their states and counts", async () => {
  const file = join(pipeline.folder, "rows.csv");
  await writeFile(file, "id,seq_0,seq_1\n8,One.,One.\n9,One.,Other.\n");
  const ended = await pipeline.run("run", "--csv", file, "--job", "nightly", "--output", `${file}.out`);
  expect(ended).toMatchObject({ status: 0 });
  await until("#jobs", "nightlycompleted2 of 2 answered");
  await page.setViewport({ width: 400, height: 800 });
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(400);
});

test("each field and button has a name, and what changes is announced", async () => {
  const nameless = await page.evaluate(
    `[...document.querySelectorAll("input, textarea, button")]
      .filter((one) => !one.textContent && !one.closest("label")?.textContent).map((one) => one.outerHTML)`,
  );
  expect(nameless).toEqual([]);
  for (const id of ["followed", "redriven", "copied"])
    expect(await page.$(`[aria-live] #${id}, #${id}[aria-live]`)).not.toBeNull();
});

test("without the run's key nothing is shown", async () => {
  const other = await browser.newPage();
  await other.goto(new URL(served.url).origin);
  await until("#trouble", "ends with this run's key", other);
  await other.close();
});
