import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** A change of a function. */
export interface Change {
  readonly file: string;
  /** Stands in the file just once. */
  readonly original: string;
  readonly replacement: string;
}

/** A change that tests must notice. */
export interface Mutant extends Change {
  readonly name: string;
}

const statements = "pipeline/load-statements.ts";
const loading = "pipeline/loading.ts";

const antiJoin =
  'WHERE place = 1 AND NOT EXISTS (SELECT 1 FROM ${results} AS stored WHERE stored.request_id = answer.request_id${within("stored")})`';

export const mutants: readonly Mutant[] = [
  { name: "takes no lock", file: statements, original: "`LOCK ${lock}`", replacement: '"SELECT 1"' },
  {
    name: "passes over objects that COPY does not find",
    file: "pipeline/outcomes.ts",
    original: "mandatory: true",
    replacement: "mandatory: false",
  },
  {
    name: "deletes objects though their load failed",
    file: loading,
    original: "await database.transaction(Object.values(statements), until)",
    replacement:
      "await database.transaction(Object.values(statements), until).catch(() => ({ id: '', rows: Object.keys(statements).map(() => 0) }))",
  },
  { name: "inserts what is stored", file: statements, original: antiJoin, replacement: "WHERE place = 1`" },
  {
    name: "inserts every row of a request id",
    file: statements,
    original: antiJoin,
    replacement: antiJoin.replace("place = 1 AND ", ""),
  },
  {
    name: "sets objects aside without a fault of their data",
    file: loading,
    original: "error instanceof StatementFailed && isFaultOfData(error.reason)",
    replacement: "error instanceof StatementFailed",
  },
];

/** The one that only a loader shows which tells late. */
export const lateMutant: Mutant = {
  name: "writes counts without a look at the commit's number",
  file: "pipeline/job-counts.ts",
  original: "stored !== undefined && stored.commits >= commits",
  replacement: "stored !== undefined && stored.commits === commits",
};

/** Bundles a function with a change, and gives the bundle's path. @throws when the original is not there once */
export const bundleWith = async (name: string, change?: Change): Promise<string> => {
  const outfile = join(mkdtempSync(join(tmpdir(), "mutant-")), "index.cjs");
  let changes = 0;
  await build({
    entryPoints: [`lambda-src/${name}/index.ts`],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    mainFields: ["module", "main"],
    logLevel: "warning",
    plugins: [
      {
        name: "change",
        setup: ({ onLoad }) => {
          onLoad({ filter: /\/(pipeline|contract)\/[^/]+\.ts$/ }, ({ path }) => {
            const text = readFileSync(path, "utf8");
            if (change === undefined || path !== resolve(change.file)) return { contents: text, loader: "ts" };
            const [before = "", ...after] = text.split(change.original);
            changes += after.length;
            return { contents: [before, ...after].join(change.replacement), loader: "ts" };
          });
        },
      },
    ],
  });
  if (change && changes !== 1) throw new Error(`${change.file} has ${changes} times "${change.original}"`);
  return outfile;
};
