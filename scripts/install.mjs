// Installs what package-lock.json names, and only when something of it is missing. On Windows it says
// where to run it instead. `node scripts/install.mjs win32` stands for Windows.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const [platform = process.platform] = process.argv.slice(2);
if (platform === "win32") {
  console.error(
    "Windows itself cannot run this: run it in WSL, the Linux that is inside of Windows: https://learn.microsoft.com/windows/wsl/install",
  );
  process.exit(1);
}

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
