import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { type Answer, json, type Request, type StandIn, serve } from "../../local/stand-in";

interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly login: string };
}

const token = "a-secret-token";
const marker = "<!-- offline-inference plan: inference-dev -->";
const bot = "github-actions[bot]";
const ofPullRequest = "/repos/team/inference/issues/7/comments";
const sent = ({ body }: Request) => z.object({ body: z.string() }).parse(JSON.parse(body.toString())).body;

/** What GitHub does for comments of pull request 7 of team/inference. */
class GitHub {
  readonly comments: Comment[] = [];
  readonly calls: string[] = [];
  refusal?: Answer;

  answer(request: Request): Answer {
    const { method, url, headers } = request;
    this.calls.push(`${method} ${url.pathname}`);
    if (headers.authorization !== `Bearer ${token}`) return json({ message: "Bad credentials" }, 401);
    if (this.refusal) return this.refusal;
    if (method === "GET" && url.pathname === ofPullRequest) {
      const length = Number(url.searchParams.get("per_page"));
      const start = (Number(url.searchParams.get("page")) - 1) * length;
      return json(this.comments.slice(start, start + length));
    }
    if (method === "POST" && url.pathname === ofPullRequest) return json(this.add(sent(request)), 201);
    const comment = this.comments.find(({ id }) => url.pathname === `/repos/team/inference/issues/comments/${id}`);
    if (method !== "PATCH" || comment === undefined) return json({ message: "Not Found" }, 404);
    comment.body = sent(request);
    return json(comment);
  }

  add(body: string, login = bot): Comment {
    const comment = { id: 100 + this.comments.length, body, user: { login } };
    this.comments.push(comment);
    return comment;
  }
}

let gitHub: GitHub;
let server: StandIn;
let folder: string;
beforeEach(async () => {
  gitHub = new GitHub();
  server = await serve((request) => gitHub.answer(request));
  folder = await mkdtemp(join(tmpdir(), "comment-"));
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function comment(summary: string, environment: Record<string, string | undefined> = {}) {
  const file = join(folder, "summary.md");
  await writeFile(file, summary);
  const { PATH } = process.env;
  const usual = {
    GITHUB_API_URL: server.url,
    GITHUB_REPOSITORY: "team/inference",
    GITHUB_RUN_ID: "42",
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_TOKEN: token,
    PULL_REQUEST: "7",
  };
  return promisify(execFile)(process.execPath, ["scripts/comment.mjs", "inference-dev", file], {
    env: { PATH, ...usual, ...environment },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}
const bodies = () => gitHub.comments.map(({ body }) => body);
const done = { code: 0, stdout: "", stderr: "" };

test("a stack's first plan becomes a comment", async () => {
  gitHub.add("Looks good", "person");
  gitHub.add("<!-- offline-inference plan: inference-prod -->\nprod");
  expect(await comment(`${marker}\n### Plan\n`)).toEqual(done);
  expect(bodies().slice(2)).toEqual([`${marker}\n### Plan\n`]);
});

test("a later plan takes its place, and no other comment is touched", async () => {
  const others = ["Looks good", "<!-- offline-inference plan: inference-prod -->\nprod", `quoted ${marker}`];
  for (const body of others) gitHub.add(body);
  gitHub.add(`${marker}\r\nold`); // as GitHub may give lines back
  expect(await comment(`${marker}\nnew`)).toEqual(done);
  expect(bodies()).toEqual([...others, `${marker}\nnew`]);
});

test("it is found behind a hundred other comments", async () => {
  for (let index = 0; index < 100; index++) gitHub.add(`comment ${index}`, "person");
  gitHub.add(`${marker}\nold`);
  expect(await comment(`${marker}\nnew`)).toEqual(done);
  expect(bodies().slice(100)).toEqual([`${marker}\nnew`]);
});

test("a person's comment is not taken for it, whatever it begins with", async () => {
  gitHub.add(`${marker}\nmine`, "person");
  expect(await comment(`${marker}\nnew`)).toEqual(done);
  expect(bodies()).toEqual([`${marker}\nmine`, `${marker}\nnew`]);
});

test("where there is no plan, the old one does not stay as if it were true", async () => {
  gitHub.add(`${marker}\nold`);
  expect(await comment("")).toEqual(done);
  expect(bodies()).toEqual([
    `${marker}\n### There is no plan of \`inference-dev\`\n\nIt could not be made: [the log](https://github.com/team/inference/actions/runs/42) says why.\n`,
  ]);
});

test("a summary that could not be found again is refused, before anything is asked", async () => {
  expect(await comment("<!-- offline-inference plan: inference-prod -->\nprod")).toEqual({
    code: 1,
    stdout: "",
    stderr: `The summary must begin with the line ${marker}\n`,
  });
  expect(gitHub.calls).toEqual([]);
});

test("what GitHub refuses is said in one line, without the token", async () => {
  gitHub.refusal = json({ message: "Resource not accessible by integration" }, 403);
  const { code, stdout, stderr } = await comment(`${marker}\nnew`);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(
    'GitHub answers 403 to GET 7/comments?per_page=100&page=1: {"message":"Resource not accessible by integration"}\n',
  );
});

test("all that is missing from the environment is said at once", async () => {
  const { code, stderr } = await comment("", { GITHUB_TOKEN: undefined, PULL_REQUEST: "7/../8" });
  expect(code).toBe(1);
  expect(stderr.split("\n").map((line: string) => line.trim().split(":")[0])).toEqual([
    "The environment does not say what to comment on",
    "GITHUB_TOKEN",
    "PULL_REQUEST",
    "",
  ]);
});
