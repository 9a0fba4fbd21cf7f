import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { RunRecord } from "./record";

/** What nobody had run on AWS when it was written, by what the steps of a run call it. */
export const claims = {
  bootstrap: "`bootstrap` makes the stack `state` in an account without it, and its state moves into the bucket.",
  compile: "`model ship` compiles a model for the instances, in a job whose role is the stack's.",
  stack: "Every resource of an environment is made in one `deploy`, in order, with the rights that its roles have.",
  canary: "Redshift takes LOCK, COPY and UNLOAD as they are sent, and lets loader, writer and reader do no more.",
  endpoint: "The endpoint serves the model that was shipped, in AWS's image for it.",
  features: "`features ingest` writes records, and the worker reads them.",
  answers: "A request goes through queue, worker, endpoint, S3 and loader into Redshift, and `results` reads it there.",
  job: "A job goes from a file through the API, the starter, the queue and the writer to a file with every row.",
  fairness: "While a job of 100,000 rows is asked, one of 100 that begins six minutes later does not wait for it.",
  failure: "A request for an input that nobody knows ends as a dead letter with its reason.",
  redrive: "`failed redrive` sends it back, and it is answered once its features are there.",
  destroy: "`destroy` takes all of an environment away, and leaves nothing that costs.",
  "second-release": "A second release takes the place of the first at the endpoint, and one that fails is taken back.",
  neo: "Neo compiles a model for Inf1, and torch-neuronx one for Inf2.",
  "take-over": "The deployment that this project replaces is taken over with all it holds (docs/migrating.md).",
  github: "GitHub's workflows plan and deploy in their roles, whose boundary lets them do it (docs/github.md).",
  partitions: "An environment in China or in GovCloud is deployed and works.",
  "on-demand":
    "An environment on demand is made, wakes up and answers in minutes, and is paid nothing for while it rests.",
  erase: "`erase --id` takes out what is kept of one input.",
  scaling: "Instances follow the backlog: out by exact numbers, one step back at most, and in when nothing is left.",
  watch: "The dashboard shows what is measured, and the query of docs/runbook.md follows a request.",
  bastion: "`warehouse connect` leads to Redshift, through a bastion that the deploy role of an environment has made.",
  pause:
    "`pause` and `resume` take endpoint and cluster away and bring them back; meanwhile a plan is empty, and the loader waits.",
  unload: "Results above what the Data API hands out come by UNLOAD, and expired requests are told as such.",
} as const satisfies Record<string, string>;

export type Claim = keyof typeof claims;

const page = join("docs", "unproven.md");
const reports = join("docs", "smoke");

/** What of a run is kept for good: no account. */
const reportSchema = z.strictObject({
  name: z.string(),
  region: z.string(),
  startedAt: z.iso.datetime(),
  removedAt: z.iso.datetime(),
  proves: z.array(z.string()),
});

/** What the reports in docs/smoke have shown. @throws where one cannot be read */
export function shownByReports(): ReadonlySet<string> {
  const files = existsSync(reports) ? readdirSync(reports).filter((file) => file.endsWith(".json")) : [];
  const read = files.map((file) => reportSchema.parse(JSON.parse(readFileSync(join(reports, file), "utf8"))));
  return new Set(read.flatMap(({ proves }) => proves));
}

/** The list of what is still unproven, in Markdown. */
export const listOf = (shown: ReadonlySet<string>): string =>
  Object.entries(claims)
    .filter(([claim]) => !shown.has(claim))
    .map(([claim, text]) => `- **${claim}**: ${text}\n`)
    .join("");

const list = /(\n<!-- list -->\n)[\s\S]*?(<!-- end -->)/;

/** The page with a list. */
export const pageWith = (text: string, shown: ReadonlySet<string>): string =>
  text.replace(list, (_, begin: string, end: string) => `${begin}\n${listOf(shown)}\n${end}`);

/**
 * Keeps what a run on AWS has shown, and takes it off the list in docs/unproven.md. Stand-ins show nothing of AWS.
 * @returns the files that are to be committed; none where nothing was shown
 */
export function keepReport({ name, region, on, startedAt, removedAt, steps }: RunRecord): readonly string[] {
  const proves = [...new Set(steps.flatMap(({ passed, proves }) => (passed ? proves : [])))];
  if (on !== "AWS" || removedAt === undefined || proves.length === 0 || !existsSync(page)) return [];
  mkdirSync(reports, { recursive: true });
  const file = join(reports, `${name}.json`);
  const report: z.infer<typeof reportSchema> = { name, region, startedAt, removedAt, proves };
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(page, pageWith(readFileSync(page, "utf8"), shownByReports()));
  return [file, page];
}
