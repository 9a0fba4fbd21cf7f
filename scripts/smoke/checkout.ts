import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { Settings } from "../../config";
import { modelPython } from "../../local/model-server";

/** The folder with the model that is shipped, in a checkout. */
export const modelFolder = "tiny-model";

const packed = z.object({ files: z.array(z.string()) });
const written = /^const ours: Settings = \{$[\s\S]*?^\};$/m;

/** The text of config.ts with other settings in the place of the team's. @throws where it has none in the usual form */
export function configText(text: string, settings: Settings): string {
  if (!written.test(text)) throw new Error("config.ts has no `const ours: Settings = {` … `};` to put others in.");
  return text.replace(written, () => `const ours: Settings = ${JSON.stringify(settings, undefined, 2)};`);
}

/**
 * Makes a checkout of this project with other settings, and a model to ship in it. It shares what is installed.
 * @throws where it is there already
 */
export async function makeCheckout(folder: string, settings: Settings): Promise<void> {
  if (existsSync(folder)) throw new Error(`${folder} is there already.`);
  const { files } = packed.parse(JSON.parse(readFileSync("package.json", "utf8")));
  const isPacked = (entry: string) => files.includes(entry) || entry === "package.json" || entry.endsWith(".ts");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(".").filter((entry) => isPacked(entry) && entry !== ".cli")) {
    await cp(entry, join(folder, entry), { recursive: true });
  }
  await writeFile(join(folder, "config.ts"), configText(readFileSync("config.ts", "utf8"), settings));
  await writeFile(join(folder, "releases.json"), "{}\n");
  await symlink(resolve("node_modules"), join(folder, "node_modules"));
  await mkdir(".venv", { recursive: true });
  await symlink(resolve(".venv"), join(folder, ".venv")); // PyTorch is large
  const tiny = [join("model", "tests", "tiny.py"), join(folder, modelFolder)];
  await promisify(execFile)(await modelPython(), tiny).catch((error: { stderr?: string }) => {
    throw new Error(`The model could not be made. ${error.stderr?.trim().split("\n").at(-1) ?? error}`);
  });
}
