import { InvalidArgumentError } from "commander";

/** Reads numbers that are written as a pattern says, and lie between two others. @throws InvalidArgumentError with what to write */
export const numberAs =
  (pattern: RegExp, advice: string, [least, most] = [0, Number.POSITIVE_INFINITY]) =>
  (text: string): number => {
    const number = Number(text);
    if (pattern.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(advice);
  };
