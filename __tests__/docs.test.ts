import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { program } from "../cli/program";
import { allCommands, fullName } from "../cli/shared/help";
import { anchorsOf } from "./setup/markdown";

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  encoding: "utf8",
});
const pages = files.split("\n").filter((file) => file !== "" && existsSync(file));
const contents = new Map(pages.map((page) => [page, readFileSync(page, "utf8")]));
const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
const commands = new Map(allCommands(program()).map((command) => [fullName(command), command]));
/** Options of every command. */
const everywhere = ["--help", "--debug"];

/** Each call of the program in a page's blocks and in its text, as words. */
function callsIn(text: string): string[][] {
  const quoted = [...text.matchAll(/`((?:npx |\$ )?offline-inference [^`]+)`/g)].map(([, call = ""]) => call);
  const blocks = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].flatMap(([, block = ""]) => block.split("\n"));
  return [...quoted, ...blocks].flatMap((line) => {
    const [, call] = /\boffline-inference (.*)/.exec(line.replace(/\s#.*$/, "")) ?? [];
    const [first] = call?.split(/ (?:\||&&|>|2>|;) ?/) ?? [];
    return first === undefined ? [] : [first.split(/[\s=]+/)];
  });
}

/** What is wrong with a call, by its command and its options. */
function faultOf(words: string[]): string[] {
  let name = "offline-inference";
  for (const word of words) {
    if (!commands.has(`${name} ${word}`)) break;
    name = `${name} ${word}`;
  }
  const command = commands.get(name);
  const isGroup = command?.commands.length && !command.registeredArguments.length && words.length > 0;
  const known = [...everywhere, ...(command?.options.map(({ long }) => long) ?? [])];
  const wrong = words.filter((word) => /^--[a-z]/.test(word) && !known.includes(word));
  const isUnknown = isGroup && name === "offline-inference" && /^[a-z]/.test(words[0] ?? "");
  return isUnknown || wrong.length > 0 ? [`${name}: ${words.join(" ")}`] : [];
}

test.each(pages)("each link of %s to a file leads to one, and to a heading that it has", (page) => {
  const text = contents.get(page) ?? "";
  const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  const broken = links.flatMap(([link, path = "", anchor]) => {
    const file = path === "" ? page : join(dirname(page), path);
    const leads = existsSync(file) && (anchor === undefined || anchorsOf(readFileSync(file, "utf8")).includes(anchor));
    return leads ? [] : [link];
  });
  expect(broken).toEqual([]);
});

test.each(pages)("each command that %s names is one, with the options that it has", (page) => {
  const text = contents.get(page) ?? "";
  expect(callsIn(text).flatMap(faultOf)).toEqual([]);
  const named = [...text.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)].map(([, script = ""]) => script);
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
});

test("the calls that pages name are found", () => {
  expect(
    callsIn("`offline-inference job list`\n```sh\nnpx offline-inference diff state --json | jq .a # so\n```\n"),
  ).toEqual([
    ["job", "list"],
    ["diff", "state", "--json"],
  ]);
  expect(faultOf(["diff", "state", "--jsno"])).toEqual(["offline-inference diff: diff state --jsno"]);
  expect(faultOf(["dif", "state"])).toEqual(["offline-inference: dif state"]);
});

test("README is read in some minutes, and leads to every page", () => {
  const readme = contents.get("README.md") ?? "";
  expect(readme.split("\n").length).toBeLessThanOrEqual(180);
  const reached = [...readme.matchAll(/\]\((docs\/[\w-]+\.md)/g)].map(([, page]) => page);
  expect(pages.filter((page) => page.startsWith("docs/") && !reached.includes(page))).toEqual([]);
});
