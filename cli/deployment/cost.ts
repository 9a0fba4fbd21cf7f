import { Command } from "../shared/command";
import { numberAs } from "../shared/numbers-read";
import { environmentOption } from "../shared/options";

interface CostOptions {
  readonly env?: string;
  readonly requestsPerDay?: number;
  readonly json?: true;
}

const requests = numberAs(/^\d{1,12}$/, "Write a whole number, such as 100000.");

export const costCommand = () =>
  new Command("cost")
    .description("Says what an environment costs a month at rest, and what a million predictions cost beside it.")
    .addOption(environmentOption())
    .option("--requests-per-day <count>", "says what so many requests a day cost in all", requests)
    .option("--json", "prints it for machines")
    .explanation(`
It asks nobody: the prices are public ones, in aws/prices.ts, each with its source and how far it is to be trusted. Yours go
into \`prices\` in config.ts. What has no price is named, and the sum is "at least" then.`)
    .examples("offline-inference cost --env prod", "offline-inference cost --env dev --requests-per-day 100000")
    .action(async ({ env, requestsPerDay, json }: CostOptions) => {
      const { targetOf } = await import("../shared/connection");
      const { costJson, costText } = await import("./cost-text");
      const target = targetOf({ env });
      console.log(json ? costJson(target, requestsPerDay) : costText(target, requestsPerDay));
    });
