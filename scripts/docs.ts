/**
 * `npm run docs` writes what the pages of docs/ say of settings, commands and constructs, which are described in the code,
 * and the diagrams of what is deployed. With --check it writes nothing, and ends with 1 where a page says something else.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { App } from "cdktf";
import ts from "typescript";
import { program } from "../cli/program";
import { allCommands, fullName } from "../cli/shared/help";
import { type EnvironmentSettings, loadConfig } from "../config";
import { InferenceStack } from "../stacks/inference-stack";
import { StateStack } from "../stacks/state-stack";
import { diagramOf } from "./diagram";

const { options, fileNames } = ts.parseJsonConfigFileContent(
  ts.readConfigFile("tsconfig.json", ts.sys.readFile).config,
  ts.sys,
  ".",
);
const constructFiles = fileNames.filter((file) => /(^|\/)constructs\/[^/]+\.ts$/.test(file)).sort();
const schemaFile = "config/schema.ts";
const code = ts.createProgram([...constructFiles, schemaFile], options);
const checker = code.getTypeChecker();

const oneLine = (text: string) => text.replace(/\s+/g, " ").trim();
const cell = (text = "") => oneLine(text).replaceAll("|", "\\|");
const docOf = (symbol: ts.Symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker));
const tagOf = (symbol: ts.Symbol, name: string) => {
  const tag = symbol.getJsDocTags(checker).find((tag) => tag.name === name);
  return tag && ts.displayPartsToString(tag.text);
};
const rowOf = (symbol: ts.Symbol, name: string) =>
  `| \`${name}\` | ${cell(docOf(symbol))} | ${cell(tagOf(symbol, "default"))} |`;
const table = (what: string, rows: string[]) =>
  [`| ${what} | What it is | Default |`, "|---|---|---|", ...new Set(rows)].join("\n");

/** What a file exports, by name. */
function exportsOf(file: string): Map<string, ts.Symbol> {
  const module = code.getSourceFile(file);
  const symbol = module && checker.getSymbolAtLocation(module);
  return new Map(symbol && checker.getExportsOfModule(symbol).map((one) => [one.name, one]));
}

/** The rows of a type's fields, and below each those of the objects that it holds. */
function fieldsOf(type: ts.Type, path = ""): string[] {
  return checker.getPropertiesOfType(type).flatMap((symbol) => {
    const name = `${path}${symbol.name}`;
    const held = checker.getNonNullableType(checker.getTypeOfSymbol(symbol));
    const objects = (held.isUnion() ? held.types : [held]).filter((part) => !checker.isArrayType(part));
    const own = docOf(symbol) || tagOf(symbol, "default") ? [rowOf(symbol, name)] : [];
    return [
      ...own,
      ...objects.filter(({ flags }) => flags & ts.TypeFlags.Object).flatMap((part) => fieldsOf(part, `${name}.`)),
    ];
  });
}

function configuration(): string {
  const schema = exportsOf(schemaFile);
  const fields = (name: string) => {
    const type = schema.get(name);
    if (type === undefined) throw new Error(`${schemaFile} exports no ${name}`);
    return table("Field", fieldsOf(checker.getDeclaredTypeOfSymbol(type)));
  };
  return [
    "## Fields of all environments",
    fields("Settings"),
    "## Fields of an environment",
    fields("EnvironmentSettings"),
  ].join("\n\n");
}

function commands(): string {
  const pages = allCommands(program())
    .filter((command) => command.name() !== "complete")
    .map((command) => {
      let help = "";
      const output = {
        writeOut: (text: string) => (help += text),
        getOutHelpWidth: () => 100,
        getOutHasColors: () => false,
      };
      command.configureOutput(output).outputHelp();
      return [`## ${fullName(command)}`, `\`\`\`text\n${help.replace(/ +$/gm, "").trim()}\n\`\`\``];
    });
  return pages.flat().join("\n\n");
}

/** What instances of a class can do, as a list. */
function methodsOf(symbol: ts.Symbol): string[] {
  const lines = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).flatMap((method) => {
    const declaration = method.valueDeclaration;
    const isOurs = declaration !== undefined && ts.isMethodDeclaration(declaration) && docOf(method) !== "";
    if (!isOurs || !constructFiles.some((file) => code.getSourceFile(file) === declaration.getSourceFile())) return [];
    return ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.NonPublicAccessibilityModifier
      ? []
      : [`- \`${method.name}()\`: ${oneLine(docOf(method))}`];
  });
  return lines.length > 0 ? [lines.join("\n")] : [];
}

function constructs(): string {
  const files = constructFiles.flatMap((file) => {
    const parts = [...exportsOf(file)].flatMap(([name, symbol]) => {
      const what = [`### ${name}`, docOf(symbol)];
      if (symbol.flags & ts.SymbolFlags.Class) return [...what, ...methodsOf(symbol)];
      if (!name.endsWith("Props") && name !== "Access") return [];
      const props = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol));
      return [
        ...what,
        table(
          "Prop",
          props.map((prop) => rowOf(prop, prop.name)),
        ),
      ];
    });
    return parts.length > 0 ? [`## ${basename(file)}`, ...parts] : [];
  });
  return files.filter((part) => part !== "").join("\n\n");
}

/** The Terraform JSON of a deployment's stacks, whose settings are the defaults but for these. */
function synthesized(settings: EnvironmentSettings): string[] {
  const { shared, environments } = loadConfig({
    project: "diagram",
    owner: "diagram@example.com",
    prefix: "diagram",
    region: "us-east-1",
    stateBucket: "diagram",
    environments: { dev: settings },
  });
  const outdir = mkdtempSync(join(tmpdir(), "diagram-"));
  const app = new App({ skipValidation: true, outdir });
  for (const environment of Object.values(environments)) new InferenceStack(app, "inference", shared, environment);
  new StateStack(app, "state", shared);
  app.synth();
  const read = (stack: string) => readFileSync(join(outdir, "stacks", stack, "cdk.tf.json"), "utf8");
  const stacks = ["inference", "state"].map(read);
  rmSync(outdir, { recursive: true });
  return stacks;
}

const mermaid = (diagram: string) => `\`\`\`mermaid\n${diagram}\n\`\`\``;
const steady = synthesized({});

const architecture = () =>
  [
    '## `capacity: "steady"`',
    mermaid(diagramOf(steady, true)),
    '## `capacity: "on-demand"`',
    mermaid(diagramOf(synthesized({ capacity: "on-demand" }), true)),
  ].join("\n\n");

const marker = "<!-- What follows is written by: npm run docs -->\n\n";
const isCheck = process.argv.includes("--check");

function write(file: string, change: (there: string) => string): void {
  const there = readFileSync(file, "utf8");
  const written = change(there);
  if (!isCheck) writeFileSync(file, written);
  else if (there !== written) {
    console.error(`${file} is not what the code says: npm run docs`);
    process.exitCode = 1;
  }
}

for (const [page, text] of Object.entries({ architecture, configuration, commands, constructs })) {
  write(`docs/${page}.md`, (there) => `${there.split(marker)[0]}${marker}${text()}\n`);
}
write("README.md", (there) =>
  there.replace(/```mermaid\n.*?\n```/s, () => mermaid(diagramOf(steady.slice(0, 1), false))),
);
