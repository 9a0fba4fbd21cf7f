/**
 * The exact texts inside a text of JSON, which `JSON.parse` would not keep: digits beyond 2^53, a key that is there
 * twice. What is given for its parts must be JSON already. Nothing that takes it apart is recursive, so that depth costs nothing.
 */

/** A member of a JSON object: its name, and the exact text of its value. */
export interface Member {
  readonly name: string;
  readonly text: string;
}

/** What a text of JSON says; undefined where it is none. The error of `JSON.parse` would quote it. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a text is JSON. */
export const isJson = (text: string): boolean => parsedJson(text) !== undefined;

/** The exact texts of the elements of a JSON array; undefined for any other JSON. */
export function elementsOf(json: string): string[] | undefined {
  const text = json.trim();
  return text.startsWith("[") ? partsOf(text) : undefined;
}

/** The members of a JSON object in their order, a name that is there twice included; undefined for any other JSON. */
export function membersOf(json: string): Member[] | undefined {
  const text = json.trim();
  if (!text.startsWith("{")) return undefined;
  return partsOf(text).map((part) => {
    const end = endOfString(part, 0);
    return { name: JSON.parse(part.slice(0, end)), text: part.slice(part.indexOf(":", end) + 1).trim() };
  });
}

/** What stands between the commas of the outermost brackets. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 1;
  for (let place = 0; place < text.length; place++) {
    const character = text[place];
    if (character === '"') place = endOfString(text, place) - 1;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    else if (character === "," && depth === 1) {
      parts.push(text.slice(start, place).trim());
      start = place + 1;
    }
  }
  const last = text.slice(start, -1).trim();
  return last === "" ? parts : [...parts, last];
}

/** Where a string ends that begins at a place. */
function endOfString(text: string, start: number): number {
  let place = start + 1;
  while (place < text.length && text[place] !== '"') place += text[place] === "\\" ? 2 : 1;
  return place + 1;
}
