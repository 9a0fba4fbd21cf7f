// Whether the project works with CDK Terrain, the community's fork of CDKTF: rewrites the imports in a copy, checks its types,
// synthesizes there, and compares the Terraform with this project's. Ends with 1 where more differs than the providers' versions.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

/** What takes the place of each package. */
const packages = {
  cdktf: { name: "cdktn", version: "0.24.0" },
  "@cdktf/provider-aws": { name: "@cdktn/provider-aws", version: "25.7.0" },
  "@cdktf/provider-archive": { name: "@cdktn/provider-archive", version: "14.0.1" },
  constructs: { name: "constructs", version: "10.7.0" },
};

const run = (cwd, command, ...args) =>
  execFileSync(command, args, { cwd, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 }).toString();
const synth = (folder) => {
  run(folder, process.execPath, "scripts/build.mjs");
  run(folder, process.execPath, "--import", "tsx", "main.ts");
  const stacks = join(folder, "cdktf.out", "stacks");
  const read = (stack) => JSON.parse(readFileSync(join(stacks, stack, "cdk.tf.json"), "utf8"));
  return Object.fromEntries(readdirSync(stacks).map((stack) => [stack, read(stack)]));
};

/** What the types of the provider's next major version say otherwise; Terraform takes the one for the other. */
const otherTypes = [/^constructs\/warehouse\.ts\(.*Type 'boolean' is not assignable to type 'string'/]; // `encrypted`

/** Every value of a synthesized stack by its path, but for what CDKTF says of itself. */
function valuesOf(value, path = "") {
  if (path === "//" || path.endsWith(".//")) return [];
  if (typeof value !== "object" || value === null) return [[path, value]];
  const entries = Object.entries(value);
  return entries.length === 0
    ? [[path, value]]
    : entries.flatMap(([key, below]) => valuesOf(below, path === "" ? key : `${path}.${key}`));
}

const copy = mkdtempSync(join(tmpdir(), "cdktn-"));
try {
  const tracked = run(".", "git", "ls-files", "--cached", "--others", "--exclude-standard").split("\n").filter(Boolean);
  for (const file of tracked) cpSync(file, join(copy, file), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(copy, "package.json"), "utf8"));
  for (const [old, { name, version }] of Object.entries(packages)) {
    delete manifest.dependencies[old];
    manifest.dependencies[name] = version;
  }
  delete manifest.devDependencies["cdktf-cli"];
  writeFileSync(join(copy, "package.json"), JSON.stringify(manifest));
  rmSync(join(copy, "package-lock.json"));
  for (const file of tracked.filter(
    (name) => /\.(ts|mjs|cjs)$/.test(name) && !name.startsWith("scripts/check-cdktn"),
  )) {
    const text = readFileSync(join(copy, file), "utf8");
    const moved = text.replace(
      /(["'])(cdktf|@cdktf\/provider-(?:aws|archive))(?=["'/])/g,
      (_, quote, old) => quote + packages[old].name,
    );
    if (moved !== text) writeFileSync(join(copy, file), moved);
  }
  console.log(
    `installing ${Object.values(packages)
      .map(({ name, version }) => `${name} ${version}`)
      .join(", ")}`,
  );
  run(copy, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error");

  const { stdout: types } = spawnSync("npx", ["--no-install", "tsc", "--pretty", "false"], {
    cwd: copy,
    encoding: "utf8",
  });
  const faults = types.split("\n").filter((line) => /: error TS/.test(line));
  for (const fault of faults) console.log(fault);
  const [before, after] = [synth("."), synth(copy)];
  let differences = faults.filter((fault) => !otherTypes.some((known) => known.test(fault))).length;
  for (const stack of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, fresh] = [before[stack], after[stack]].map((one) => new Map(valuesOf(one ?? {})));
    for (const path of [...new Set([...old.keys(), ...fresh.keys()])].sort()) {
      if (isDeepStrictEqual(old.get(path), fresh.get(path))) continue;
      console.log(`${stack}: ${path}: ${JSON.stringify(old.get(path))} is ${JSON.stringify(fresh.get(path))}`);
      if (!/^terraform\.required_providers\./.test(path)) differences += 1;
    }
    console.log(`${stack}: ${old.size} values compared`);
  }
  console.log(`${differences} differences beside the providers' versions and the types that are known`);
  if (differences > 0) process.exitCode = 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
