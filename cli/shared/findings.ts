import { createColors, showsColours } from "./colours";

/** Something that was looked at. */
export interface Finding {
  /** `warning` is worth knowing and no fault. */
  readonly mark: "ok" | "warning" | "problem";
  readonly text: string;
  /** Single things that it is about, a line each. */
  readonly details?: readonly string[];
  /** How to mend it. */
  readonly mend?: string;
}

export const ok = (text: string): Finding => ({ mark: "ok", text });
export const warning = (text: string, mend?: string): Finding => ({ mark: "warning", text, mend });
export const problem = (text: string, mend?: string, details?: readonly string[]): Finding => ({
  mark: "problem",
  text,
  mend,
  details,
});

/** What a check finds, or that it could not be made and why. */
export async function check(look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return problem(messageOf(error));
  }
}

/** What an error says. */
export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A finding as lines: its mark and text, then what it is about, then how to mend it. */
export function linesOf({ mark, text, details = [], mend }: Finding): string[] {
  const { green, yellow, red } = createColors(showsColours(process.stdout));
  const marks = { ok: green("✔"), warning: yellow("!"), problem: red("✖") };
  const indented = (lines: readonly string[]) =>
    lines.flatMap((line) => line.split("\n")).map((line) => `      ${line}`);
  const [first = "", ...rest] = text.split("\n");
  return [
    `  ${marks[mark]} ${first}`,
    ...indented([...rest, ...details, ...(mend === undefined ? [] : [`→ ${mend}`])]),
  ];
}
