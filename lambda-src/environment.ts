import type * as z from "zod";

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

/** Makes something on the first call, and gives the same from then on. A failure is not kept. */
export const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};
