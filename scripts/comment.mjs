// Puts the summary of a stack's plan on a pull request: one comment a stack, which later runs update.
import { readFileSync } from "node:fs";
import { z } from "zod";

const environmentSchema = z.object({
  GITHUB_API_URL: z.url(),
  GITHUB_REPOSITORY: z.string().min(1),
  GITHUB_RUN_ID: z.string().min(1),
  GITHUB_SERVER_URL: z.url(),
  GITHUB_TOKEN: z.string().min(1),
  PULL_REQUEST: z.string().regex(/^\d+$/),
});

const commentsSchema = z.array(
  z.object({ id: z.number(), body: z.string().nullish(), user: z.object({ login: z.string() }).nullish() }),
);
const pageLength = 100;

/** Calls GitHub's API. @throws with what it answers where it refuses */
async function call(environment, method, path, body) {
  const response = await fetch(`${environment.GITHUB_API_URL}/repos/${environment.GITHUB_REPOSITORY}/issues/${path}`, {
    method,
    headers: { accept: "application/vnd.github+json", authorization: `Bearer ${environment.GITHUB_TOKEN}` },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`GitHub answers ${response.status} to ${method} ${path}: ${await response.text()}`);
  return response.json();
}

/** The comment that an earlier run has made: others' are left alone, whatever they begin with. */
async function earlierComment(environment, marker) {
  for (let page = 1; ; page++) {
    const path = `${environment.PULL_REQUEST}/comments?per_page=${pageLength}&page=${page}`;
    const comments = commentsSchema.parse(await call(environment, "GET", path));
    const ours = comments.find(
      ({ body, user }) => user?.login === "github-actions[bot]" && body?.split(/\r?\n/)[0] === marker,
    );
    if (ours !== undefined || comments.length < pageLength) return ours;
  }
}

/** The comment's text. A plan that failed must not leave an older one standing as if it were true. */
function textOf(environment, stack, marker, summary) {
  if (summary.startsWith(`${marker}\n`)) return summary;
  if (summary !== "") throw new Error(`The summary must begin with the line ${marker}`);
  const run = `${environment.GITHUB_SERVER_URL}/${environment.GITHUB_REPOSITORY}/actions/runs/${environment.GITHUB_RUN_ID}`;
  return `${marker}\n### There is no plan of \`${stack}\`\n\nIt could not be made: [the log](${run}) says why.\n`;
}

async function comment([stack, file]) {
  if (stack === undefined || file === undefined)
    throw new Error("usage: node scripts/comment.mjs <stack> <summary file>");
  const environment = environmentSchema.safeParse(process.env);
  if (!environment.success) {
    const faults = environment.error.issues.map(({ path, message }) => `\n  ${path.join(".")}: ${message}`);
    throw new Error(`The environment does not say what to comment on:${faults.join("")}`);
  }
  const { data } = environment;
  const marker = `<!-- offline-inference plan: ${stack} -->`;
  const body = textOf(data, stack, marker, readFileSync(file, "utf8"));
  const earlier = await earlierComment(data, marker);
  if (earlier === undefined) await call(data, "POST", `${data.PULL_REQUEST}/comments`, { body });
  else await call(data, "PATCH", `comments/${earlier.id}`, { body });
}

comment(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
