import { Option } from "commander";
import { Command } from "../shared/command";
import { numberAs } from "../shared/numbers-read";
import { environmentOption } from "../shared/options";
import { parseDuration } from "../shared/since";

interface CapacityOptions {
  readonly env?: string;
  readonly requests: number;
  readonly deadline?: number;
  readonly json?: true;
}

const requests = numberAs(/^[1-9]\d{0,11}$/, "Write a whole number, such as 1000000.");

export const capacityCommand = () =>
  new Command("capacity")
    .description(
      "Reckons how the endpoint's instances follow so many requests: how many when, how long it takes, what it costs.",
    )
    .addOption(environmentOption())
    .addOption(new Option("--requests <count>", "that are asked at once").argParser(requests).makeOptionMandatory())
    .addOption(
      new Option(
        "--deadline <time>",
        "such as 6h: in the place of `model.deadlineSeconds`, from which the steps follow",
      ).argParser(parseDuration),
    )
    .option("--json", "prints it for machines")
    .explanation(`
It asks nobody. The steps are those that a deployment makes, of \`model.instanceCount\`, \`predictionsPerSecond\` and
\`deadlineSeconds\` in config.ts. It is assumed that SageMaker starts instances in eight minutes, and that the workers keep
them busy. Ends with 1 where it takes longer than the deadline.`)
    .examples(
      "offline-inference capacity --requests 1000000 --deadline 6h",
      "offline-inference capacity --requests 1000000 --env prod --json",
    )
    .action(async ({ env, json, ...options }: CapacityOptions) => {
      const { targetOf } = await import("../shared/connection");
      const { capacityOf, capacityText } = await import("./capacity-text");
      const capacity = capacityOf(targetOf({ env }), options);
      console.log(json ? JSON.stringify(capacity, null, 2) : capacityText(capacity));
      if (capacity.isLate) process.exitCode = 1;
    });
