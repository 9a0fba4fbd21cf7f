import Table from "cli-table3";
import { InvalidArgumentError } from "commander";

/** What a command prints for its caller goes to stdout, what it says meanwhile to stderr. */
export const talk = (line: string) => console.error(line);

export const whole = (number: number) => Math.round(number).toLocaleString("en");
export const megabytes = (bytes: number) => `${whole(bytes / 1024 ** 2)} MB`;
export const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
export const medianOf = (values: readonly number[]) =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

export const plainTable = (head: string[]) =>
  new Table({ head, style: { head: [], border: [], compact: true }, colAligns: ["left"] });

/** The number that an option is given. @throws for people */
export const count = (text: string): number => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("It must be a whole number above 0.");
  return Number(text);
};
