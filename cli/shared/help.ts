import type { Command } from "commander";

/** What the program ends with. A command says in its own help what 1 and 2 mean for it. */
export const exitCodes = `
Exit codes:
  0    all is well
  1    it failed, or found something wrong, and says so on standard error
  2    something would be lost, or some of what was asked for failed: the command's help says which
  130  it was ended by Ctrl-C (143 by SIGTERM)
  141  nobody reads what it prints any more: head has seen enough, say`;

/** What a command is called by, from the program's name on. */
export const fullName = (command: Command): string =>
  command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;

/** Every command below one, and itself. */
export const allCommands = (command: Command): Command[] => [command, ...command.commands.flatMap(allCommands)];
