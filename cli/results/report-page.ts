import { z } from "zod";
import { remedyOf } from "../failures/remedies";
import type { ShownJob } from "../jobs/jobs-api";
import { barChart, shareBars } from "../page/chart";
import { html, type Markup, pageOf } from "../page/html";
import { costInWords, whole } from "../shared/numbers";
import type { CommandFor } from "../shared/options";
import { durationOf } from "../status/status-words";
import type { Counted, JobSummary } from "./report-summary";

/** What a report says. */
export interface ReportFacts {
  readonly job: Pick<ShownJob, "id" | "state" | "createdAt" | "endedAt" | "counts" | "cost" | "result">;
  readonly summary: JobSummary;
  readonly spanSeconds: number;
  /** How old the oldest request was that was answered in a span, in seconds. @default not known */
  readonly ages?: ReadonlyMap<number, number>;
  /** The answers of the job before. @default there is none */
  readonly last?: { readonly id: string; readonly createdAt: Date; readonly answers: Counted };
  /** The column of the labels. @default there are none */
  readonly labelColumn?: string;
  /** How it was made: names with what they are. */
  readonly made: readonly (readonly [name: string, value: string])[];
  /** What could not be found out, a sentence each. */
  readonly notes: readonly string[];
  readonly commandFor: CommandFor;
}

const shownAtMost = { answers: 12, failures: 20, bars: 60, classes: 12 };

const percent = (part: number, of: number) =>
  (of === 0 ? 0 : part / of).toLocaleString("en", { style: "percent", maximumFractionDigits: 1 });
const utc = (time: Date) => `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
const number = (value: number) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 });

/** A part of the page, with a heading by which screen readers find it. */
const section = (id: string, title: string, content: Markup, more = "") =>
  html`<section class="card ${more}" aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`;

/** What a report looks like: one page that needs nothing from elsewhere. */
export function reportPage(facts: ReportFacts): string {
  const { job, summary, made, notes } = facts;
  const places = summary.columns.flatMap((_, place) =>
    summary.rows.some((row) => row[place] !== null) ? [place] : [],
  );
  const columns = places.flatMap((place) => summary.columns[place] ?? []);
  const body = html`<header><h1>${job.id}</h1><p class="muted">Report of a job that was made ${utc(job.createdAt)} and is ${job.state}</p></header>
<main>
${headline(facts)}
${section("answers", "Answers", answersOf(facts))}
${section("course", "Rate and age", courseOf(facts))}
${failuresOf(facts)}
${accuracyOf(facts)}
${section("rows-title", "Rows", rowsOf(facts, columns), "rows")}
${section("made", "How it was made", html`<dl class="made">${made.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`)}
</main>
<footer class="muted">${notes.map((note) => html`<p>${note}</p>`)}<p>Times are in UTC. All that this page shows stands in it: it loads nothing.</p></footer>`;
  return pageOf({
    title: `${job.id}: report`,
    styles: ["look.css", "report.css"],
    script: "report.js",
    data: { columns, rows: summary.rows.map((row) => places.map((place) => row[place])) },
    body,
  });
}

function headline({ job, summary }: ReportFacts): Markup {
  const { total = 0, answered = 0, failed = 0, expired = 0, cancelled = 0 } = job.counts ?? {};
  const judged = summary.judged.total;
  const took = job.endedAt && (job.endedAt.getTime() - job.createdAt.getTime()) / 1_000;
  const tile = (name: string, figure: string, more = "", look = "") =>
    html`<div><dt>${name}</dt><dd class="figure ${look}">${figure}</dd><dd class="muted">${more}</dd></div>`;
  return html`<dl class="tiles">
${tile("Asked", whole(total), "rows")}
${tile("Answered", whole(answered), percent(answered, total), answered === total ? "good" : "")}
${tile("Failed", whole(failed), percent(failed, total), failed > 0 ? "bad" : "")}
${expired + cancelled > 0 ? tile("Not answered in time", whole(expired + cancelled), percent(expired + cancelled, total), "warn") : ""}
${judged > 0 && summary.right > 0 ? tile("Accuracy", percent(summary.right, judged), `of ${whole(judged)} labelled`) : ""}
${took === undefined ? "" : tile("Took", durationOf(took), took > 0 ? `${number(total / took)} rows a second` : "")}
${job.cost ? tile("Cost", costInWords(job.cost), "beside what is paid at rest") : ""}
</dl>`;
}

/** The most frequent answers, and all others as one. */
function answersOf({ summary: { answers }, last }: ReportFacts): Markup {
  const { total, counts } = answers;
  if (total === 0) return html`<p>There is no answer.</p>`;
  const shown = answers.sorted.slice(0, shownAtMost.answers);
  const before = last?.answers.total || undefined;
  const line = (name: string | Markup, count: number, then: number) => {
    const was = before && then / before;
    const change = was === undefined ? undefined : 100 * (count / total - was);
    return html`<tr><th scope="row">${name}${shareBars(count / total, was)}</th><td class="number">${whole(count)}</td><td class="number">${percent(count, total)}</td>${
      before && change !== undefined
        ? html`<td class="number">${percent(then, before)}</td><td class="number">${change > 0 ? "+" : ""}${change.toFixed(1)}</td>`
        : ""
    }</tr>`;
  };
  const sum = (of: Counted) => shown.reduce((sum, [text]) => sum + (of.counts.get(text) ?? 0), 0);
  const others = total - sum(answers);
  return html`${
    last && before
      ? html`<p class="muted"><svg class="key" viewBox="0 0 9 9" aria-hidden="true"><rect class="now" width="9" height="9"/></svg> This job. <svg class="key" viewBox="0 0 9 9" aria-hidden="true"><rect class="before" width="9" height="9"/></svg> The job before, ${last.id}, of ${utc(last.createdAt)}.</p>`
      : ""
  }<div class="scroll"><table><caption>${whole(total)} answers: ${whole(counts.size)}${answers.others > 0 ? " and more" : ""} different ones.</caption>
<thead><tr><th scope="col">Answer</th><th scope="col" class="number">Rows</th><th scope="col" class="number">Share</th>${
    before ? html`<th scope="col" class="number">Before</th><th scope="col" class="number">Change, in points</th>` : ""
  }</tr></thead><tbody>
${shown.map(([text, count]) => line(text === "" ? html`<i>empty</i>` : text, count, last?.answers.counts.get(text) ?? 0))}
${others > 0 || (last && before && before > sum(last.answers)) ? line(html`<i>all others</i>`, others, last && before ? before - sum(last.answers) : 0) : ""}
</tbody></table></div>`;
}

/** How many rows were answered, and how old they were, over time. */
function courseOf({ summary: { spans }, spanSeconds, ages }: ReportFacts): Markup {
  const all = [...spans.keys()].sort((one, other) => one - other);
  const [from, to] = [all[0], all.at(-1)];
  if (from === undefined || to === undefined) return html`<p>No row was answered.</p>`;
  const together = Math.ceil((to - from + 1) / shownAtMost.bars);
  const seconds = together * spanSeconds;
  const bars = Array.from({ length: Math.ceil((to - from + 1) / together) }, (_, place) => {
    return { at: new Date(1_000 * spanSeconds * (from + place * together)), answered: 0, age: 0 };
  });
  for (const [span, answered] of spans) {
    const bar = bars[Math.floor((span - from) / together)];
    if (bar === undefined) continue;
    bar.answered += answered;
    bar.age = Math.max(bar.age, ages?.get(span) ?? 0);
  }
  const hasDays = seconds * bars.length > 86_400;
  const time = (date: Date) =>
    date
      .toISOString()
      .slice(hasDays ? 5 : 11, 19)
      .replace("T", " ");
  const ends = [from, to + 1].map((span) => time(new Date(1_000 * span * spanSeconds)));
  const rates = bars.map(({ at, answered }) => ({
    value: answered / seconds,
    said: `${time(at)}: ${number(answered / seconds)} rows a second`,
  }));
  const most = Math.max(...bars.map(({ age }) => age));
  const [unit, unitName] = most < 120 ? [1, "s"] : most < 7_200 ? [60, "min"] : [3_600, "h"];
  const oldest = bars.map(({ at, age }) => ({ value: age / unit, said: `${time(at)}: ${durationOf(age)}` }));
  const [perSecond, age] = [number(Math.max(...rates.map(({ value }) => value))), durationOf(most)];
  return html`<div class="charts">${barChart({
    id: "rate",
    title: "Rows answered a second",
    description: `${perSecond} at most, each bar the mean of ${durationOf(seconds)}.`,
    bars: rates,
    ends,
    show: number,
  })}${
    ages
      ? barChart({
          id: "age",
          title: "How long the oldest of them had waited",
          description: `${age} at most.`,
          bars: oldest,
          ends,
          show: (value) => `${number(value)} ${unitName}`,
        })
      : ""
  }</div><p class="muted">At most ${perSecond} rows a second${ages ? `, and ${age} old` : ""}. Each bar is ${durationOf(seconds)}.</p>`;
}

const failure = z.tuple([z.string(), z.string()]);

/** Why rows have no answer, and what mends it. */
function failuresOf({ summary: { failures }, commandFor }: ReportFacts): Markup | undefined {
  if (failures.total === 0) return undefined;
  const shown = failures.sorted.slice(0, shownAtMost.failures);
  const rest = shown.reduce((sum, [, count]) => sum - count, failures.total);
  const lines = shown.map(([key, count]) => {
    const [code, rule] = failure.parse(JSON.parse(key));
    const { what, command } = remedyOf(code) ?? { what: "send them again", command: `failed redrive --reason ${code}` };
    return html`<tr><td class="number">${whole(count)}</td><th scope="row"><code>${code}</code></th><td>${rule}</td><td>${what}:<br><code>${commandFor(command)}</code></td></tr>`;
  });
  return section(
    "failures",
    "Failures",
    html`<div class="scroll"><table><caption>${whole(failures.total)} rows without an answer, by reason.${rest > 0 ? ` ${whole(rest)} have other reasons.` : ""}</caption>
<thead><tr><th scope="col" class="number">Rows</th><th scope="col">Code</th><th scope="col">Reason</th><th scope="col">What mends it</th></tr></thead><tbody>${lines}</tbody></table></div>
<p>What can go back to the queue lies among the dead letters. Once the cause is mended: <code>${commandFor("failed redrive")}</code></p>`,
  );
}

/** How answers and labels go together. */
function accuracyOf({ summary: { judged, right }, labelColumn }: ReportFacts): Markup | undefined {
  if (labelColumn === undefined || judged.total === 0) return undefined;
  const counts = new Map<string, Map<string, number>>();
  const given = new Set<string>();
  for (const [key, count] of judged.sorted) {
    const [label, answer] = failure.parse(JSON.parse(key));
    counts.set(label, (counts.get(label) ?? new Map()).set(answer, count));
    given.add(answer);
  }
  const labels = [...counts.keys()].sort();
  const answers = [...new Set([...labels.filter((label) => given.has(label)), ...[...given].sort()])];
  const said =
    right > 0
      ? html`<p><b>${percent(right, judged.total)}</b> of ${whole(judged.total)} labelled rows are answered as their label says.</p>`
      : html`<p>No label is written as an answer is, so there is no accuracy. The table says which go together.</p>`;
  if (Math.max(labels.length, answers.length) > shownAtMost.classes || judged.others > 0)
    return section(
      "accuracy",
      "Accuracy",
      html`${said}<p class="muted">There are too many different labels and answers for a confusion matrix.</p>`,
    );
  const lines = labels.map((label) => {
    const own = counts.get(label);
    const all = [...(own?.values() ?? [])].reduce((sum, count) => sum + count, 0);
    const cells = answers.map(
      (answer) => html`<td class="number ${answer === label ? "right" : ""}">${whole(own?.get(answer) ?? 0)}</td>`,
    );
    const found = right > 0 ? html`<td class="number">${percent(own?.get(label) ?? 0, all)}</td>` : "";
    return html`<tr><th scope="row">${label}</th>${cells}<td class="number">${whole(all)}</td>${found}</tr>`;
  });
  return section(
    "accuracy",
    "Accuracy",
    html`${said}<div class="scroll"><table class="matrix"><caption>Confusion matrix: a line for each label of the column ${labelColumn}, a column for each answer.</caption>
<thead><tr><th scope="col">Label</th>${answers.map((answer) => html`<th scope="col" class="number">${answer}</th>`)}<th scope="col" class="number">Rows</th>${right > 0 ? html`<th scope="col" class="number">Right</th>` : ""}</tr></thead><tbody>${lines}</tbody></table></div>`,
  );
}

/** Where the page's script shows rows. */
function rowsOf({ job, summary: { rows } }: ReportFacts, columns: JobSummary["columns"]): Markup {
  const total = job.result?.parts.reduce((sum, part) => sum + part.rows, 0) ?? 0;
  const said =
    rows.length === total
      ? `All ${whole(total)} rows.`
      : `${whole(rows.length)} of ${whole(total)} rows: a sample that is spread evenly, and the first that failed. The file of results has all.`;
  return html`<div class="tools"><input id="search" type="search" aria-label="Search the rows" placeholder="Search the rows" autocomplete="off">
<button type="button" id="previous">Previous</button><button type="button" id="next">Next</button><span id="status" role="status"></span></div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="rows-title"><table id="rows"><caption>${said} A heading sorts. Long values are cut.</caption>
<thead><tr>${columns.map(({ name, isNumber }) => html`<th scope="col" class="${isNumber ? "number" : ""}"><button type="button">${name}</button></th>`)}</tr></thead><tbody></tbody></table></div>
<noscript><p>The rows are shown by a script.</p></noscript>`;
}
