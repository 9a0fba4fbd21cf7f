// Before a project's tests: the functions' bundles as the sources are now, and one PostgreSQL and one SQS for the whole
// run. Test files take a database and queues of their own from them.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tsImport } from "tsx/esm/api";
import { currentBundle, makeBundle } from "../../scripts/bundle-cli.mjs";

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
process.env.STAND_INS_SECRET ??= randomBytes(32).toString("hex"); // test files sign calls of the one SQS

/** Runs Node.js. What it says goes to standard error: standard output may be jest's report. */
export const node = (...args) => execFileSync(process.execPath, args, { stdio: ["ignore", 2, 2] });

export default async () => {
  if (globalThis.testServices) return; // several projects run, and another one's set-up has done it
  const temporary = mkdtempSync(join(tmpdir(), "tests-")); // short: the paths of sockets in it have 104 bytes at most on macOS
  chmodSync(temporary, 0o755); // PostgreSQL runs as another user where root runs the tests
  process.env.TMPDIR = temporary; // whatever is left there goes with it: each synthesis leaves a folder
  node("scripts/build.mjs");
  if (currentBundle() === undefined) await makeBundle(); // once, instead of by each of the first processes
  const { startPostgres } = await tsImport("../../local/postgres.ts", import.meta.url);
  const { startSqs } = await tsImport("../../local/sqs.ts", import.meta.url);
  const dataDir = join(temporary, "postgres");
  mkdirSync(dataDir);
  const [postgres, sqs] = await Promise.all([startPostgres({ dataDir }), startSqs({ queues: [] })]);
  process.env.TEST_POSTGRES_URL = postgres.url;
  process.env.TEST_SQS_URL = sqs.url;
  globalThis.testServices = { temporary, postgres, sqs };
};
