import { randomUUID } from "node:crypto";

/** What would act on a terminal: control characters but line ends and tabs, direction marks, Unicode's line separators. */
const acting = /\r(?!\n)|[^\P{Cc}\t\n\r]|[\p{Bidi_Control}\u2028\u2029]/gu;

/** A text that cannot act on a terminal: each character that would is shown as JSON writes it, `\u001b`. */
export const visible = (text: string): string =>
  text.replace(acting, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

let sequenceStart = "\x1b";

/**
 * What this program's own sequences for a terminal begin with: once {@link guardTerminal} is called, something that is
 * another in each process, so that no text of others' can hold it.
 */
export const ownEscape = (): string => sequenceStart;

/** The most characters that are printed to standard error at a time. What an error says may be huge. */
const mostCharacters = 100_000;

/** The beginning of a text, with how much of it was left out. */
export const beginning = (text: string, characters: number): string =>
  text.length <= characters
    ? text
    : `${text.slice(0, characters)} … and ${(text.length - characters).toLocaleString("en")} characters more`;

type Stream = NodeJS.WriteStream & { readonly fd: 1 | 2 };
const unguarded = new Map<number, Stream["write"]>();

/**
 * From here on whatever this process prints is made {@link visible}: all on standard error, and on standard output where
 * it is a terminal. Only sequences that begin with {@link ownEscape} act.
 */
export function guardTerminal(): void {
  if (unguarded.size > 0) return;
  sequenceStart = randomUUID();
  const isTerminal = process.stdout.isTTY;
  guard(process.stderr, (text) => printed(beginning(text, mostCharacters)));
  if (isTerminal) guard(process.stdout, printed);
}

const printed = (text: string) => visible(text).replaceAll(sequenceStart, "\x1b");

function guard(stream: Stream, shown: (text: string) => string) {
  const write: Stream["write"] = stream.write.bind(stream);
  unguarded.set(stream.fd, write);
  const guarded: Stream["write"] = (
    chunk: Uint8Array | string,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    done?: (error?: Error | null) => void,
  ) => {
    const text = shown(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
    return typeof encoding === "function" ? write(text, encoding) : write(text, encoding, done);
  };
  stream.write = guarded;
}

/** A stream for a library that draws on the terminal itself. No text of others may be written to it. */
export function drawingOn(stream: Stream): NodeJS.WriteStream {
  return Object.create(stream, { write: { value: unguarded.get(stream.fd) ?? stream.write.bind(stream) } });
}
