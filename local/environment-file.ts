import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const schema = z.object({
  /** The environment whose stack it is: `dev`. */
  environment: z.string(),
  /** The parameter that its stack has written its names into. */
  namesParameter: z.string(),
  /** What to set so that AWS's clients find it, and may work with it. */
  variables: z.record(z.string(), z.string()),
});

/** A pipeline that runs on this machine, as other programs reach it. */
type LocalEnvironment = z.infer<typeof schema>;

const fileIn = (dataDir: string) => join(dataDir, "environment.json");

/** The same variables as a shell reads them: `. .local/env.sh`. */
export const exportsIn = (dataDir: string) => join(dataDir, "env.sh");

export function removeLocalEnvironment(dataDir: string): void {
  for (const file of [fileIn(dataDir), exportsIn(dataDir)]) rmSync(file, { force: true });
}

/** Says in a run's folder how it is reached, with its secret, to its user alone. */
export function writeLocalEnvironment(dataDir: string, environment: LocalEnvironment): void {
  removeLocalEnvironment(dataDir); // a file that is there keeps its mode
  const mine = { mode: 0o600, flag: "wx" };
  const lines = Object.entries(environment.variables).map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  writeFileSync(exportsIn(dataDir), lines.join(""), mine);
  writeFileSync(fileIn(dataDir), JSON.stringify(environment, undefined, 2), mine);
}

/** A text as one word of a shell's, whatever is in it. */
export const shellWord = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** How the run in a folder is reached. @throws when none runs there */
export function readLocalEnvironment(dataDir: string): LocalEnvironment {
  try {
    return schema.parse(JSON.parse(readFileSync(fileIn(dataDir), "utf8")));
  } catch {
    throw new Error("No pipeline runs on this machine. Start one, and leave it running: npm start -- --keep");
  }
}
