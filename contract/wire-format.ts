import { type FeatureValues, jsonObjectOf, jsonOf } from "./feature-values";
import { elementsOf, isJson, membersOf } from "./json-text";
import { formatsOfOne, type ModelContract, type RequestFormat } from "./model-contract";

/**
 * The most that the body of a call of instances holds, in bytes
 * (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html).
 */
export const callBytes = 6_291_456;

/**
 * The same of Serverless Inference: 4 MB
 * (https://docs.aws.amazon.com/general/latest/gr/sagemaker.html).
 */
export const serverlessCallBytes = 4_194_304;

/** What the model says of one input: its output, or that it refuses the input. */
export type ModelAnswer = { readonly output: string } | { readonly refused: true } | { readonly unexpected: string };

/** How a contract writes a call, and reads what comes back. */
export interface WireFormat {
  /** Whether a call may hold several inputs. */
  readonly holdsMany: boolean;
  readonly contentType: string;
  readonly accept: string;
  /** What every call carries beside its inputs, in UTF-8 bytes. An input takes one more than its own. */
  readonly frameBytes: number;
  /** An input as its part of a call. */
  inputOf(values: FeatureValues): string;
  /** The body of a call with these parts. */
  bodyOf(inputs: readonly string[]): string;
  /** What a body says of each of so many inputs, or why it says nothing of them: it shows no content. */
  answersOf(body: Uint8Array, count: number): readonly ModelAnswer[] | { readonly unexpected: string };
}

interface Framing {
  readonly contentType: string;
  readonly accept?: string;
  readonly start: string;
  readonly between: string;
  readonly end: string;
  inputOf(values: FeatureValues): string;
  /** The texts of the answers; undefined where the body has another form. */
  read(text: string): readonly string[] | undefined;
  readonly rule: string;
}

const json = "application/json";

/** The format of a contract's calls. */
export function wireFormatOf(contract: ModelContract): WireFormat {
  const { contentType, accept = contentType, start, between, end, inputOf, read, rule } = framingOf(contract);
  const holdsMany = !formatsOfOne.includes(contract.request);
  const answerOf = (text: string): ModelAnswer => {
    const value = text.trim();
    if (value === "") return { unexpected: "the model must answer each input, got nothing" };
    if (isRefusal(value)) return { refused: true };
    if (contract.answer === "json") {
      return isJson(value)
        ? { output: value }
        : { unexpected: `the model must answer with JSON, got ${shapeOf(value)}` };
    }
    return { output: value.startsWith('"') && isJson(value) ? JSON.parse(value) : text };
  };
  return {
    holdsMany,
    contentType,
    accept,
    frameBytes: Buffer.byteLength(start + end),
    inputOf,
    bodyOf: (inputs) => start + inputs.join(between) + end,
    answersOf: (body, count) => {
      const text = textOf(body);
      if (text === undefined) return { unexpected: "the model must answer in UTF-8, got other bytes" };
      const answers = read(text);
      if (answers?.length === count) return answers.map(answerOf);
      const asked = holdsMany ? `, with ${count} for ${count === 1 ? "1 input" : `${count} inputs`}` : "";
      const got = answers === undefined || !holdsMany ? shapeOf(text) : `${answers.length}: ${shapeOf(text)}`;
      return { unexpected: `the model must answer with ${rule}${asked}, got ${got}` };
    },
  };
}

function framingOf({
  features,
  request,
  parameters = {},
  contentType = "application/octet-stream",
}: ModelContract): Framing {
  const objectOf = (values: FeatureValues) => jsonObjectOf(features, values);
  const [first] = features;
  const framings: Record<RequestFormat, () => Framing> = {
    json: () => ({ ...wholeBody, contentType: json, inputOf: objectOf }),
    instances: () => ({
      contentType: json,
      start: '{"instances":[',
      between: ",",
      end: "]}",
      inputOf: objectOf,
      read: (text) => {
        if (!isJson(text)) return undefined;
        const lists = membersOf(text)?.filter(({ name }) => name === "predictions") ?? [];
        return lists.length === 1 && lists[0] ? elementsOf(lists[0].text) : undefined;
      },
      rule: '{"predictions":[…]}',
    }),
    jsonlines: () => ({
      ...lines,
      contentType: "application/jsonlines",
      inputOf: objectOf,
      read: linesOf,
    }),
    csv: () => ({
      ...lines,
      contentType: "text/csv",
      inputOf: (values) => values.map(csvField).join(","),
      read: csvLinesOf,
    }),
    inputs: () => ({
      contentType: json,
      start: '{"inputs":[',
      between: ",",
      end: Object.keys(parameters).length === 0 ? "]}" : `],"parameters":${JSON.stringify(parameters)}}`,
      inputOf: (values) => (first && features.length === 1 ? jsonOf(first, values[0] ?? null) : objectOf(values)),
      read: (text) => (isJson(text) ? elementsOf(text) : undefined),
      rule: "a list",
    }),
    raw: () => ({ ...wholeBody, contentType, accept: json, inputOf: ([value]) => value ?? "" }),
  };
  return framings[request]();
}

const wholeBody = { start: "", between: "", end: "", read: (text: string) => [text], rule: "one value" };
const lines = { start: "", between: "\n", end: "", rule: "lines" };

function csvField(value: string | null): string {
  if (value === null) return "";
  return value === "" || /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** The lines of a text, of which the last may end or not. */
const linesOf = (text: string): string[] => text.replace(/\r?\n$/, "").split(/\r?\n/);

/** The same of CSV, where a line break in a field between double quotes ends no line. */
function csvLinesOf(text: string): string[] {
  const lines: string[] = [];
  let start = 0;
  let quoted = false;
  let fieldStarts = true;
  for (let place = 0; place < text.length; place++) {
    const character = text[place];
    if (character === '"') quoted = quoted ? false : fieldStarts || text[place - 1] === '"';
    else if (character === "\n" && !quoted) {
      lines.push(text.slice(start, place));
      start = place + 1;
    }
    fieldStarts = !quoted && (character === "," || character === "\n");
  }
  if (start < text.length || text === "") lines.push(text.slice(start));
  return lines.map((line) => line.replace(/\r$/, ""));
}

function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}

/** Whether the model refuses an input: it answers with an object whose only field is `error`, a text. */
function isRefusal(text: string): boolean {
  if (!text.startsWith("{") || !isJson(text)) return false;
  const [member, ...others] = membersOf(text) ?? [];
  return others.length === 0 && member?.name === "error" && member.text.startsWith('"');
}

const namesShown = 5;

/** What a text is, without its content: `a list of 3 objects with label, score`. */
export function shapeOf(text: string): string {
  const value = text.trim();
  if (value === "") return "nothing";
  if (!isJson(value)) return "text that is no JSON";
  const elements = elementsOf(value);
  if (elements === undefined) return `${value.startsWith("{") ? "an" : "a"} ${kindOf(value, "")}`;
  const { length } = elements;
  if (length === 0) return "an empty list";
  const [kind, another] = new Set(elements.map((element) => kindOf(element, length === 1 ? "" : "s")));
  return `a list of ${length} ${another === undefined ? kind : "values of several kinds"}`;
}

const kinds: Readonly<Record<string, string>> = {
  "{": "object",
  "[": "list",
  '"': "string",
  t: "boolean",
  f: "boolean",
  n: "null value",
};

function kindOf(json: string, plural: string): string {
  const kind = kinds[json.charAt(0)] ?? "number";
  return kind + plural + (kind === "object" ? fieldsOf(json) : "");
}

/** The names of an object's fields, as far as they look like names. */
function fieldsOf(json: string): string {
  const names = (membersOf(json) ?? []).map(({ name }) => name);
  if (names.length === 0) return " without fields";
  const shown = names.filter((name) => /^[\w.-]{1,40}$/.test(name)).slice(0, namesShown);
  if (shown.length === 0) return ` with ${names.length} fields`;
  const rest = names.length - shown.length;
  return ` with ${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
