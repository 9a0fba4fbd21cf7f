import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { program } from "../../cli/program";
import { allCommands } from "../../cli/shared/help";

const names = program()
  .commands.map((command) => command.name())
  .join("|");
/** A command that is spelled out: of the program, or by the script of npm's that stands for one. */
const spelled = new RegExp(`offline-inference (?:${names})\\b|npx offline-inference|npm run (?:${names})\\b`);

/** Where a text is that of a command's own help, which is about no pipeline. */
const isHelp = (node: ts.Node): boolean => {
  if (ts.isCallExpression(node)) {
    const { expression } = node;
    const called = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
    if (["description", "examples", "explanation", "option", "Option"].includes(called)) return true;
  }
  return node.parent !== undefined && isHelp(node.parent);
};

/** The texts of a file that spell a command, each with its line. */
function spelledIn(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    if (isText && spelled.test(node.text) && !isHelp(node)) {
      found.push(`${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    }
    ts.forEachChild(node, look);
  };
  look(source);
  return found;
}

test("a hint spells no command itself: commandsFor does, with the pipeline that the user chose", () => {
  expect(allCommands(program()).length).toBeGreaterThan(30);
  const files = readdirSync("cli", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const found = files.flatMap((file) => spelledIn(join("cli", file))).map((place) => place.replace(/:\d+$/, ""));
  // What a shell reads to complete the program, and the function that spells all others.
  expect(found.filter((file) => !["cli/completion.ts", "cli/shared/options.ts"].includes(file))).toEqual([]);
});
