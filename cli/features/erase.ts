import { Command } from "../shared/command";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import { withConnection } from "../shared/with-connection";

interface EraseOptions extends ConnectionOptions {
  readonly id: string;
  readonly yes?: boolean;
}

export const eraseCommand = () =>
  withConnectionOptions(new Command("erase"))
    .description("Takes all out that is kept of one input, for good, once it has shown what there is.")
    .requiredOption("--id <id>", "what requests call the input, to the letter")
    .option("--yes", "do not ask before anything is taken out")
    .explanation(`
It looks through the feature group, the dead letters, what is not loaded, the warehouse, and the inputs and results of jobs,
says what it has found, asks, and takes that out. What it cannot take it names, with when that lapses by itself. After an
interruption, run it again: it goes on with what is left. Requests that wait on the queue are not looked at: run it again
when they are gone.

Who erases needs rights that no one else has: docs/operating.md has them. Exits with 0 when nothing is left of what it
knows, with 1 on errors and when something stood in the way.`)
    .examples("offline-inference erase --id 7 --env prod")
    .action(async ({ id, yes = false, ...options }: EraseOptions) => {
      const { eraseInput } = await import("./erase-input");
      const isDone = await withConnection(options, (connection, signal) => eraseInput(connection, id, yes, signal));
      if (isDone === false) process.exitCode = 1;
    });
