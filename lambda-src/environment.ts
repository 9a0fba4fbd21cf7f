import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { contractFile, type ModelContract, modelContractSchema } from "../contract/model-contract";
import type { Database } from "../pipeline/redshift";

/**
 * Reads what a function is told by its environment.
 * @throws with every variable that is missing or wrong, and what it may be.
 */
export const readEnvironment = <Schema extends z.ZodType>(schema: Schema): z.output<Schema> => {
  const parsed = schema.safeParse(process.env);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => {
    const name = path.join(".");
    const given = process.env[name];
    return given === undefined ? `${name} is missing` : `${name} is ${JSON.stringify(given)}: ${message}`;
  });
  throw new Error(`the function's environment is wrong: ${faults.join("; ")}`);
};

/** The warehouse's database, as the function's own user. */
export const databaseIn = (told: {
  readonly CLUSTER_ID?: string;
  readonly WORKGROUP_NAME?: string;
  readonly DB_NAME: string;
}): Database => {
  const { CLUSTER_ID: clusterId, WORKGROUP_NAME: workgroupName = "", DB_NAME: databaseName } = told;
  return clusterId === undefined ? { workgroupName, databaseName } : { clusterId, databaseName };
};

/** The folder of a function's code, which Lambda names. */
const codeFolder = z.object({ LAMBDA_TASK_ROOT: z.string().min(1) });

/** Reads the contract with the model from the folder of the function's code. @throws when it is not there, or is none */
export const readContract = (): ModelContract => {
  const { LAMBDA_TASK_ROOT } = readEnvironment(codeFolder);
  return modelContractSchema.parse(JSON.parse(readFileSync(join(LAMBDA_TASK_ROOT, contractFile), "utf8")));
};

/** Makes something on the first call, and gives the same from then on. A failure is not kept. */
export const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};
