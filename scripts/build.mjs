// Bundles every function of lambda-src/ into dist/<function>/index.cjs: what is zipped, deployed, and run locally. A
// bundle that is there already is left alone, since another process may be reading it.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";

const functions = readdirSync("lambda-src", { withFileTypes: true }).filter((entry) => entry.isDirectory());

const { outputFiles } = await build({
  entryPoints: functions.map(({ name }) => ({ in: `lambda-src/${name}/index.ts`, out: `${name}/index` })),
  outdir: "dist",
  outExtension: { ".js": ".cjs" },
  bundle: true,
  minify: true,
  keepNames: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  mainFields: ["module", "main"], // of ES modules, what is not used is left out
  external: ["@aws-sdk/client-sagemaker"], // large, rarely needed, and part of Lambda's Node.js
  legalComments: "none",
  logLevel: "warning",
  write: false,
});

mkdirSync("dist", { recursive: true });
for (const { path, contents } of outputFiles) {
  if (existsSync(path) && readFileSync(path).equals(contents)) continue;
  const fresh = join("dist", `.${process.pid}`); // whole before anyone finds it
  writeFileSync(fresh, contents);
  mkdirSync(dirname(path), { recursive: true });
  renameSync(fresh, path);
}
const made = new Set(outputFiles.flatMap(({ path }) => [path, dirname(path)]));
for (const name of readdirSync("dist", { recursive: true })) {
  const path = resolve("dist", name);
  if (!name.startsWith(".") && !made.has(path)) rmSync(path, { recursive: true, force: true });
}
