import { runOf } from "../contract/job";
import { stepByStep } from "./canary";
import type { Until } from "./clients";
import type { JobOutcomes } from "./job-outcomes";
import { type RedshiftData, refusalOf } from "./redshift";

/**
 * Tries on the real warehouse what no page of AWS's settles of the writer's own statement, as its own user.
 * @returns what was tried, each in a sentence
 * @throws CanaryFailed at the first step that does not end as it must, with Redshift's own words
 */
export const tryOutWriter = async (
  outcomes: JobOutcomes,
  database: Pick<RedshiftData, "run">,
  until: Until,
): Promise<string[]> => {
  const { passed, step } = stepByStep();
  const run = runOf({ id: "canary", createdAt: new Date() });
  await step("the writer may UNLOAD the outcomes of a job in order, and read them to their end", async () => {
    let rows = 0;
    const { folder, statement } = await outcomes.unload(run, "canary", until);
    await outcomes.unloaded(statement, until);
    for await (const _ of outcomes.read(run, folder, 0, until)) rows++;
    await outcomes.remove(folder);
    return rows === 0 ? undefined : `There are ${rows}.`;
  });
  await step("the writer may change no row", async () => {
    const refused = await refusalOf(database.run("DELETE FROM prediction_results WHERE FALSE", until));
    return refused === undefined ? "It may." : undefined;
  });
  return passed;
};
