import { createHash } from "node:crypto";
import { z } from "zod";

const json = z.string().transform((written, context): unknown => {
  try {
    return JSON.parse(written);
  } catch {
    context.addIssue("is no JSON");
    return z.NEVER;
  }
});
const goldenPairs = z.array(z.object({ request: z.string(), response: z.string() })).min(1);

/** Requests, as their bodies are, and the answers that they must get. */
export interface Golden {
  /** Of the file that they are in. */
  readonly sha256: string;
  readonly pairs: z.infer<typeof goldenPairs>;
}

/** Reads golden requests. @throws when the text is none, with the name of its file */
export function parseGolden(written: string, file: string): Golden {
  const { data, error } = z.pipe(json, goldenPairs).safeParse(written);
  if (data === undefined) {
    throw new Error(
      `${file} is no list of { "request": "...", "response": "..." } in JSON:\n${z.prettifyError(error)}`,
    );
  }
  return { sha256: createHash("sha256").update(written).digest("hex"), pairs: data };
}

/** What a model answered, or why it did not. */
export type Said = { readonly answer: string } | { readonly failure: string };

/** What came of asking golden requests. */
export interface Agreement {
  readonly asked: number;
  readonly agreed: number;
  /** The answers that differ, as lines. */
  readonly faults: readonly string[];
}

/** Asks each of the golden requests, one after the other. */
export async function agreementOf({ pairs }: Golden, ask: (request: string) => Promise<Said>): Promise<Agreement> {
  const faults: string[] = [];
  for (const { request, response } of pairs) {
    const said = await ask(request);
    if ("answer" in said && isAlike(saidBy(said.answer), saidBy(response))) continue;
    const got = "answer" in said ? said.answer : said.failure;
    faults.push(`${request}\n    expected ${response}\n    got      ${got}`);
  }
  return { asked: pairs.length, agreed: pairs.length - faults.length, faults };
}

/** How far a number may be from the golden one, as a part of it or of 1: to compile or to pad changes the last digits. */
const tolerance = 1e-3;

/** Whether a value is the golden one but for the last digits of its numbers. */
export function isAlike(given: unknown, golden: unknown): boolean {
  if (typeof given === "number" && typeof golden === "number") {
    return Math.abs(given - golden) <= tolerance * Math.max(1, Math.abs(golden));
  }
  if (typeof given !== "object" || typeof golden !== "object" || given === null || golden === null) {
    return given === golden;
  }
  const [ones, others] = [Object.entries(given), new Map<string, unknown>(Object.entries(golden))];
  const isSame = Array.isArray(given) === Array.isArray(golden) && ones.length === others.size;
  return isSame && ones.every(([name, value]) => others.has(name) && isAlike(value, others.get(name)));
}

/** What a body says: JSON, or lines of it, or lines of fields. */
export function saidBy(body: string): unknown {
  const whole = json.safeParse(body);
  if (whole.success) return whole.data;
  return body
    .trim()
    .split(/\r?\n/)
    .map((line) => {
      const { success, data } = json.safeParse(line);
      return success ? data : line.split(",").map((field) => (isNumber(field) ? Number(field) : field));
    });
}

const isNumber = (field: string) => field.trim() !== "" && Number.isFinite(Number(field));
