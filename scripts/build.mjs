// Bundles every function of lambda-src/ into dist/<function>/index.cjs: what is zipped, deployed, and run locally.
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const functions = readdirSync("lambda-src", { withFileTypes: true }).filter((entry) => entry.isDirectory());

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: functions.map(({ name }) => ({ in: `lambda-src/${name}/index.ts`, out: `${name}/index` })),
  outdir: "dist",
  outExtension: { ".js": ".cjs" },
  bundle: true,
  minify: true,
  keepNames: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  legalComments: "none",
  logLevel: "warning",
});
