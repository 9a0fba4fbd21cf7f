import { realpathSync } from "node:fs";
import { Argument, type Option, type Command as Plain } from "commander";
import { Command } from "./shared/command";

/** What a word on the command line may become. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What may stand for an argument or an option, by its name or by the placeholder that help shows. */
const values: Record<string, () => Promise<string[]>> = {
  env: environments,
  environment: environments,
  stack: async () => ["state", ...(await environments()).map((name) => `inference-${name}`)],
};

async function environments(): Promise<string[]> {
  const { loadConfig } = await import("../config");
  return Object.keys(loadConfig().environments);
}

/**
 * What the last of the words after the program's name may become.
 * @param words the last one is what is written of it so far; bash gives `=` as a word
 * @returns nothing where any text may stand, such as a file's name
 */
async function candidates(program: Plain, words: readonly string[]): Promise<Candidate[]> {
  const { command, awaited, operands, isPlain } = readWords(program, words.slice(0, -1));
  const last = words.at(-1) ?? "";
  const [, flag, begun] = /^(--[^=]+=)(.*)$/.exec(last) ?? [];
  if (flag !== undefined && begun !== undefined) {
    const option = optionOf(command, flag.slice(0, -1));
    const found = option === undefined ? [] : await valuesOf(option, begun);
    return found.map(({ value, description }) => ({ value: flag + value, description }));
  }
  if (awaited !== undefined) return valuesOf(awaited, last === "=" ? "" : last);
  if (last.startsWith("-") && !isPlain) return startingWith(last, flagsOf(command));
  const subcommands = operands === 0 ? subcommandsOf(command) : [];
  const argument = command.registeredArguments[operands] ?? command.registeredArguments.findLast((one) => one.variadic);
  return [...startingWith(last, subcommands), ...(argument === undefined ? [] : await valuesOf(argument, last))];
}

/** Where the words before the last one lead to: which command, and how many of its arguments are given. */
function readWords(program: Plain, words: readonly string[]) {
  let command = program;
  let operands = 0;
  let isPlain = false; // after `--`
  let awaited: Option | undefined; // its value comes next
  for (const word of words) {
    if (word === "=") continue;
    if (awaited !== undefined) awaited = undefined;
    else if (word === "--") isPlain = true;
    else if (word.startsWith("-") && !isPlain) {
      const option = optionOf(command, word);
      if (option?.required) awaited = option;
    } else if (operands === 0 && word === "help" && command.commands.length > 0) {
      // what it is asked about comes next
    } else {
      const next: Plain | undefined = command.commands.find((one) => one.name() === word);
      if (operands === 0 && next !== undefined) command = next;
      else operands += 1;
    }
  }
  return { command, operands, isPlain, awaited };
}

function optionsOf(command: Plain): Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

const flagsOf = (command: Plain): Candidate[] =>
  optionsOf(command).map(({ long, short, description }) => ({ value: long ?? short ?? "", description }));

function subcommandsOf(command: Plain): Candidate[] {
  const help = command.createHelp();
  return help
    .visibleCommands(command)
    .map((one) => ({ value: one.name(), description: help.subcommandDescription(one) }));
}

const optionOf = (command: Plain, flag: string) =>
  optionsOf(command).find(({ long, short }) => long === flag || short === flag);

async function valuesOf(of: Option | Argument, begun: string): Promise<Candidate[]> {
  const placeholder = of instanceof Argument ? undefined : /<(\w+)>/.exec(of.flags)?.[1];
  const find = values[of.name()] ?? values[placeholder ?? ""];
  return startingWith(begun, named(of.argChoices ?? (await find?.()) ?? []));
}

const named = (names: readonly string[]) => names.map((value) => ({ value, description: "" }));

const startingWith = (begun: string, all: readonly Candidate[]) => all.filter(({ value }) => value.startsWith(begun));

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** What a shell reads to complete `offline-inference` and `npx offline-inference`, by asking this program. */
function scriptFor(shell: Shell, program: string): string {
  const quoted = shell === "fish" ? program.replace(/[\\']/g, "\\$&") : program.replaceAll("'", "'\\''");
  return scripts[shell].replace("PROGRAM", () => `'${quoted}'`);
}

// Where it finds nothing, each of them completes names of files; for npx with anything else, as without it.
const scripts: Record<Shell, string> = {
  bash: `__offline_inference() {
  local first=1 value description
  COMPREPLY=()
  if [[ $1 == npx ]]; then
    [[ $COMP_CWORD -gt 1 && \${COMP_WORDS[1]} == offline-inference ]] || return
    first=2
  fi
  while IFS=$'\\t' read -r value description; do
    COMPREPLY+=("$value")
  done < <(node PROGRAM complete -- "\${COMP_WORDS[@]:first:COMP_CWORD-first+1}" 2>/dev/null)
}
complete -o bashdefault -o default -F __offline_inference offline-inference
complete -p npx &>/dev/null || complete -o bashdefault -o default -F __offline_inference npx`,

  zsh: `#compdef offline-inference
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
__offline_inference() {
  local first=2 line
  local -a found
  if [[ $words[1] == npx ]]; then
    if [[ $CURRENT -lt 3 || $words[2] != offline-inference ]]; then
      _default
      return
    fi
    first=3
  fi
  while IFS= read -r line; do
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <(node PROGRAM complete -- "\${(@Q)words[first,CURRENT]}" 2>/dev/null)
  if (( $#found )); then _describe offline-inference found; else _files; fi
}
compdef __offline_inference offline-inference
(( $+_comps[npx] )) || compdef __offline_inference npx`,

  fish: `function __offline_inference
    set -l words (commandline -opc)
    test "$words[1]" = npx; and set -e words[1]
    set -l current (commandline -ct)
    set -l found (node PROGRAM complete -- $words[2..] "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c offline-inference -f -a '(__offline_inference)'
complete -c npx -n 'test "$(commandline -opc)[2]" = offline-inference' -f -a '(__offline_inference)'`,
};

export const completionCommand = () =>
  new Command("completion")
    .description("Prints what makes a shell complete commands, options, environments and stacks.")
    .addArgument(new Argument("<shell>", "the shell that you type in").choices(shells))
    .explanation(`
After \`offline-inference\` and after \`npx offline-inference\`. Let your shell read it when it starts, by a line
  in ~/.bashrc:                   source <(node CHECKOUT/cli/offline-inference.mjs completion bash)
  in ~/.zshrc:                    source <(node CHECKOUT/cli/offline-inference.mjs completion zsh)
  in ~/.config/fish/config.fish:  node CHECKOUT/cli/offline-inference.mjs completion fish | source
where CHECKOUT is the folder of this project.`)
    .examples("offline-inference completion bash")
    .action((shell: Shell) => console.log(scriptFor(shell, realpathSync(process.argv[1] ?? ""))));

/** What the scripts ask. It never fails: who presses Tab wants no message. */
export const completeCommand = () =>
  new Command("complete")
    .description("Prints what the last of these words may become, a line each, with its description after a tab.")
    .argument("[words...]", "what is written after the program's name so far")
    .examples("offline-inference complete -- diff --js")
    .action(async (words: string[], _options: unknown, { parent }: Plain) => {
      const found = parent === null ? [] : await candidates(parent, words).catch(() => []);
      for (const { value, description } of found) console.log(`${value}\t${description}`);
    });
