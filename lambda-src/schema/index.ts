import * as z from "zod";
import { schemaEnvironment } from "../../contract/environment";
import { within } from "../../pipeline/clients";
import { RedshiftData } from "../../pipeline/redshift";
import { once, readEnvironment } from "../environment";

const eventSchema = z.object({
  /** What is run, in this order. Each may run again at any time. */
  statements: z.array(z.string().min(1)).min(1),
});

const database = once(() => {
  const { CLUSTER_ID: clusterId, DB_NAME: databaseName, ADMIN_USER: databaseUser } = readEnvironment(schemaEnvironment);
  return new RedshiftData({ clusterId, databaseName, databaseUser });
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
  for (const sql of statements) await database().run(sql, until);
  return { statements: statements.length };
};
