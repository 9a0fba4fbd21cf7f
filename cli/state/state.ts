import { Command } from "../shared/command";
import { bundle, synthesize } from "../shared/synthesize";

const doctorCommand = () =>
  new Command("doctor")
    .description("Says whether Terraform's state is safe, of every stack or of one.")
    .argument("[stack]", "a stack of config.ts, such as inference-dev")
    .explanation(
      "\nLooks at the bucket's settings, at the state and at locks, and writes nothing. Exits with 0 when all is well, else\n" +
        "with 1. How an old state is brought back: docs/state.md",
    )
    .examples("offline-inference state doctor", "offline-inference state doctor inference-dev")
    .action(async (stack: string | undefined) => {
      await bundle();
      await synthesize();
      const { examine } = await import("./state-doctor");
      if (!(await examine(stack))) process.exitCode = 1;
    });

export const stateCommand = () =>
  new Command("state")
    .description("Looks after Terraform's state.")
    .examples("offline-inference state doctor")
    .addCommand(doctorCommand());
