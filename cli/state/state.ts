import { Command } from "commander";
import { examples } from "../help";
import { bundle, synthesize } from "../synthesize";

interface DoctorOptions {
  restore?: string;
  autoApprove?: true;
}

const doctorCommand = () =>
  new Command("doctor")
    .description("Says whether Terraform's state is safe and true, of every stack or of one; brings an old state back.")
    .argument("[stack]", "a stack of config.ts, such as inference-dev")
    .option("--restore <version>", "make this version of the stack's state the current one, after showing what differs")
    .option("--auto-approve", "do not ask before the state is restored")
    .addHelpText(
      "after",
      "\nLooks at the bucket's settings, at locks, and at what has changed on AWS since the last apply, and lists the\n" +
        "versions of the state. Without --restore it writes nothing. Exits with 0 when all is well, else with 1.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference state doctor",
        "offline-inference state doctor inference-dev",
        "offline-inference state doctor inference-dev --restore VERSION",
      ),
    )
    .action(async (stack: string | undefined, { restore, autoApprove }: DoctorOptions) => {
      if (restore !== undefined && stack === undefined) {
        throw new Error(
          "A state is restored for one stack: name it, as in state doctor inference-dev --restore VERSION",
        );
      }
      await bundle();
      await synthesize();
      if (stack !== undefined && restore !== undefined) {
        const { restoreState } = await import("./state-restore");
        await restoreState(stack, restore, autoApprove === true);
        return;
      }
      const { examine } = await import("./state-doctor");
      if (!(await examine(stack))) process.exitCode = 1;
    });

export const stateCommand = () =>
  new Command("state")
    .description("Looks after Terraform's state.")
    .addHelpText("after", examples("offline-inference state doctor"))
    .addCommand(doctorCommand());
