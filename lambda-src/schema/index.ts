import * as z from "zod";
import { schemaEnvironment } from "../../contract/environment";
import { type Until, within } from "../../pipeline/clients";
import { Patience } from "../../pipeline/flow";
import { RedshiftData } from "../../pipeline/redshift";
import { databaseIn, once, readEnvironment } from "../environment";

const eventSchema = z.object({
  /** What is run, in this order. Each may run again at any time. */
  statements: z.array(z.string().min(1)).min(1),
});

const database = once(() => {
  const { ADMIN_USER: databaseUser, ADMIN_SECRET_ARN: secretArn, ...told } = readEnvironment(schemaEnvironment);
  const found = databaseIn(told);
  return new RedshiftData("clusterId" in found ? { ...found, databaseUser } : { ...found, secretArn });
});

/**
 * Makes what the warehouse's database must have: tables, users, rights and the view of typed columns. Terraform invokes
 * it when a statement is another.
 * @throws with the database's own words at the first statement that it refuses
 */
export const handler = async (
  event: unknown,
  context: { getRemainingTimeInMillis(): number },
): Promise<{ statements: number }> => {
  const { statements } = eventSchema.parse(event);
  const until = within(context.getRemainingTimeInMillis() - 3_000);
  for (const sql of statements) await run(sql, until);
  return { statements: statements.length };
};

/** How long AWS may take to let a role do what its policy says, in milliseconds; assumed. */
const policyDelay = 60_000;

/** Runs a statement. The role is made in the same deployment, and may be refused for a while what it is allowed. */
const run = async (sql: string, until: Until): Promise<void> => {
  const patience = new Patience(policyDelay);
  for (let attempt = 1; ; attempt++) {
    try {
      await database().run(sql, until);
      return;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "AccessDeniedException") throw error;
      await patience.wait(attempt, error, until.signal);
    }
  }
};
