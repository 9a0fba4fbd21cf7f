// Installs what package-lock.json names, and only when something of it is missing.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const lockedVersions = (path) => {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")).packages));
  } catch {
    return new Map();
  }
};

const wanted = lockedVersions("package-lock.json");
const installed = lockedVersions("node_modules/.package-lock.json");
const missing = [...wanted].some(
  ([name, entry]) => name !== "" && !entry.optional && installed.get(name)?.version !== entry.version,
);

if (missing) {
  console.error("Installing dependencies (once; about a minute) ...");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: "inherit" });
  process.exit(status ?? 1);
}
