import { build } from "esbuild";
import { z } from "zod";

/** Where a function's computing time goes: parts of all, by what it is for. */
export type Spent = ReadonlyMap<string, number>;

/** The function's bundle as scripts/build.mjs makes it, but readable: each module begins with its path. */
export async function buildReadable(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`lambda-src/${name}/index.ts`],
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    legalComments: "none",
    logLevel: "warning",
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

interface Module {
  readonly line: number;
  readonly path: string;
}

const modulesOf = (bundle: string): Module[] =>
  bundle.split("\n").flatMap((text, line) => {
    const [, path] = /^ *\/\/ ((?:node_modules|lambda-src|pipeline|contract)\/\S+)$/.exec(text) ?? [];
    return path === undefined ? [] : [{ line, path }];
  });

const purposes: readonly [RegExp, string][] = [
  [/^node_modules\/(@aws-sdk|@smithy|@aws-crypto|@aws)\//, "the SDK"],
  [/^node_modules\/@aws-lambda-powertools\//, "logs and metrics"],
  [/^node_modules\/zod\//, "checking what comes in"],
  [/^node_modules\//, "other packages"],
  [/./, "the project's own code"],
];

/** What a line of the bundle, or a word of the profiler's, stands for; undefined for time in which nothing was computed. */
function purposeOf(name: string, modules: readonly Module[]): string | undefined {
  if (name === "(idle)") return undefined;
  if (name === "(garbage collector)") return "garbage collection";
  if (name === "node") return "Node.js by itself";
  if (!/^\d+$/.test(name)) return "native code";
  const path = modules.findLast(({ line }) => line <= Number(name))?.path ?? "";
  return purposes.find(([pattern]) => pattern.test(path))?.[1] ?? "loading the bundle";
}

const profileSchema = z.record(z.string(), z.number());

/** What bench/profile.cjs wrote last of each process. @param bundle what it ran, from {@link buildReadable} */
export function spentIn(log: string, bundle: string): Spent {
  const modules = modulesOf(bundle);
  const byProcess = new Map<number | undefined, Record<string, number>>();
  for (const [, text = ""] of log.matchAll(/\{"profile":(\{[^}]*\})\}/g)) {
    const { pid, ...spent } = profileSchema.parse(JSON.parse(text));
    byProcess.set(pid, spent);
  }
  const sums = new Map<string, number>();
  for (const [name, milliseconds] of [...byProcess.values()].flatMap((spent) => Object.entries(spent))) {
    const purpose = purposeOf(name, modules);
    if (purpose !== undefined) sums.set(purpose, (sums.get(purpose) ?? 0) + milliseconds);
  }
  const all = [...sums.values()].reduce((sum, milliseconds) => sum + milliseconds, 0);
  return new Map(
    [...sums].sort(([, one], [, other]) => other - one).map(([purpose, milliseconds]) => [purpose, milliseconds / all]),
  );
}
