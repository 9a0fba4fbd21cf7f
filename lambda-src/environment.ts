import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as z from "zod";
import { contractFile, type ModelContract, modelContractSchema } from "../contract/model-contract";

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

/** Reads the contract with the model from the folder of the function's code. @throws when it is not there, or is none */
export const readContract = (folder: string): ModelContract =>
  modelContractSchema.parse(JSON.parse(readFileSync(join(folder, contractFile), "utf8")));

/** Makes something on the first call, and gives the same from then on. A failure is not kept. */
export const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};
