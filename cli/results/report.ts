import { Command } from "../shared/command";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import { withConnection } from "../shared/with-connection";

interface ReportOptions extends ConnectionOptions {
  readonly labels?: string;
  readonly output?: string;
}

export const reportCommand = () =>
  withConnectionOptions(new Command("report"))
    .description("Writes what came of a job as a page to look at: one HTML file that needs nothing from elsewhere.")
    .argument("[job]", "the job (default: the newest one with a result)")
    .option("--labels <file>", "the job's own CSV file, with a column `label` or one that is called as the answer")
    .option("--output <file>", "where it goes (default: the job's name with .report.html)")
    .explanation(`
It has the answers and their shares beside those of the job before, rate and age over time, failures with the commands
that mend them, accuracy and confusion matrix where rows have labels, and rows: all, or a sample of some thousands.
\`run\` writes it by itself, beside the results. It holds inputs and answers: share it as you would share these.

Prints where it is. Exits with 130 after Ctrl-C.`)
    .examples(
      "offline-inference report",
      "offline-inference report nightly --labels rows.csv --output nightly.html --env prod",
    )
    .action(async (id: string | undefined, { labels, output, ...options }: ReportOptions) => {
      const { writeReport } = await import("./report-facts");
      const isLocal = options.local === true;
      const path = await withConnection(options, (connection, signal) =>
        writeReport({ ...connection, id, labels, output, isLocal }, signal),
      );
      if (path !== undefined) console.log(path);
    });
