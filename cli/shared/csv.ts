import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type CsvRow, dialectOf, headBytes, InvalidCsv, rowsIn } from "../../pipeline/csv";

/** What tells a file from another, and from itself once it has changed. */
export interface CsvIdentity {
  readonly file: string;
  readonly bytes: number;
  readonly version: string;
}

/** A CSV file whose rows can be read as often as needed. */
export interface CsvFile {
  /** What it is called in errors: its path, or `stdin`. */
  readonly name: string;
  /** Whether it was a pipe, which is there once. */
  readonly isPipe: boolean;
  readonly delimiter: string;
  readonly identity: CsvIdentity;
  /** Undefined where the file is empty. */
  readonly header: CsvRow | undefined;
  /** The rows below the header. Rows without any value are left out. @throws InvalidCsv where the file stops to be CSV */
  rows(): AsyncGenerator<CsvRow, void, undefined>;
  /** All that it holds. */
  bytes(): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

export interface CsvOptions {
  /** What is between two values. @default what a line `sep=` says, else that of , ; tab and | by which the header has the most columns */
  readonly delimiter?: string;
  /** Ends the reading of a pipe. */
  readonly signal?: AbortSignal;
}

const chunkBytes = 64 * 1024;

const readFaults: Record<string, string> = { ENOENT: "there is no such file", EISDIR: "it is a folder" };

/** That a file cannot be read, and why, for people. */
const unreadable = (path: string, error: NodeJS.ErrnoException) =>
  `cannot read ${path}: ${readFaults[error.code ?? ""] ?? error.message}`;

const isUnreadable = (error: unknown): error is NodeJS.ErrnoException =>
  typeof error === "object" && error !== null && "code" in error;

/** Whether a file's name means what the program is handed over: `-`, `/dev/stdin`, `<(…)`. */
const isHandedOver = (path: string) => path === "-" || /^\/(dev|proc)\//.test(path);
const isStdin = (path: string) => ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].includes(path);

/** What files beside a CSV file are named after: its path, or `stdin` for a pipe. */
export const nameOf = (path: string) => (isHandedOver(path) ? "stdin" : path);

/**
 * Opens a CSV file, or a pipe, which is then kept in a temporary file that no one else reads and that goes with the
 * process: UTF-8, with or without a byte order mark; lines end with LF, CR LF or CR.
 * @throws InvalidCsv when it cannot be read, has another encoding, or its header is no CSV
 */
export async function openCsv(path: string, { delimiter, signal }: CsvOptions = {}): Promise<CsvFile> {
  const { handle, isPipe, identity } = await openSource(path, signal);
  const name = path === "-" ? "stdin" : path;
  try {
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await handle.read(head, 0, headBytes, 0);
    const dialect = dialectOf(name, head.subarray(0, bytesRead), delimiter);
    const first = await rowsIn(name, chunksOf(handle), dialect).next();
    return {
      name,
      isPipe,
      delimiter: dialect.delimiter,
      identity,
      header: first.value ?? undefined,
      rows: async function* () {
        const rows = rowsIn(name, chunksOf(handle), dialect);
        await rows.next(); // the header
        yield* rows;
      },
      bytes: () => chunksOf(handle),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Works with a CSV file, and closes it. @throws as {@link openCsv} and the work do */
export async function withCsv<Result>(
  path: string,
  options: CsvOptions,
  work: (file: CsvFile) => Promise<Result>,
): Promise<Result> {
  const file = await openCsv(path, options);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function openSource(path: string, signal?: AbortSignal) {
  try {
    if (!isHandedOver(path)) {
      const status = await stat(path);
      if (status.isFile()) {
        const handle = await open(path);
        const { size: bytes, mtimeMs } = await handle.stat();
        return { handle, isPipe: false, identity: { file: resolve(path), bytes, version: String(mtimeMs) } };
      }
      if (status.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    }
    return { isPipe: true, ...(await spool(path, signal)) };
  } catch (error) {
    if (signal?.aborted || !isUnreadable(error)) throw error;
    throw new InvalidCsv(unreadable(path === "-" ? "stdin" : path, error));
  }
}

/** Keeps what a pipe brings in a temporary file that has lost its name, so that it is gone however the process ends. */
async function spool(path: string, signal?: AbortSignal) {
  const kept = join(tmpdir(), `offline-inference-${randomUUID()}`);
  const source = isStdin(path) ? process.stdin : (await open(path)).createReadStream();
  const handle = await open(kept, "wx+", 0o600);
  const interrupt = () => source.destroy(signal?.reason);
  try {
    await rm(kept);
    signal?.addEventListener("abort", interrupt, { once: true });
    signal?.throwIfAborted();
    const hash = createHash("sha256");
    let bytes = 0;
    const chunks: AsyncIterable<Buffer> = source;
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      await handle.writeFile(chunk);
    }
    return { handle, identity: { file: nameOf(path), bytes, version: hash.digest("hex") } };
  } catch (error) {
    await handle.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
