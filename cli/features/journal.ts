import { type FileHandle, open, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { z } from "zod";
import type { CsvIdentity } from "../shared/csv";

/** How far a job is. */
export interface Counts {
  /** Rows of the source that are through, one way or the other. */
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
}

const number = z.int().min(0);

const contentSchema = z.object({
  source: z.object({ file: z.string(), bytes: number, version: z.string() }),
  settings: z.record(z.string(), z.string()),
  outputs: z.array(z.object({ file: z.string(), header: z.string(), bytes: number })),
  counts: z
    .object({ rows: number, accepted: number, rejected: number })
    .refine(({ rows, accepted, rejected }) => rows === accepted + rejected, {
      error: "accepted and rejected rows must sum to the rows",
    }),
});
type Content = z.infer<typeof contentSchema>;

export interface BegunJob {
  /** The file whose rows are worked through, in their order. */
  readonly source: CsvIdentity;
  /** What the job is begun with, and must be gone on with. */
  readonly settings: Readonly<Record<string, string>>;
  /** The files that it writes, each with the header that it gets with its first line. What is there is replaced. */
  readonly outputs: readonly { readonly file: string; readonly header: string }[];
}

/** Where the journal is of the job that writes this file. */
export const journalOf = (output: string) => `${output}.journal`;

/**
 * How far a job is that works through the rows of a file and writes others: kept in a file, so that it can be gone on
 * with wherever it ended. What it had written after the last checkpoint is undone then.
 */
export class Journal {
  private readonly outputs: Output[];
  private counts: Counts;

  private constructor(
    private readonly file: string,
    private readonly content: Content,
  ) {
    this.outputs = content.outputs.map((output) => new Output(output.file, output.header, output.bytes));
    this.counts = content.counts;
  }

  /** Begins a job: from here on it can be resumed. */
  static async begin(file: string, { source, settings, outputs }: BegunJob): Promise<Journal> {
    for (const output of outputs) await rm(output.file, { force: true });
    const journal = new Journal(file, {
      source,
      settings: { ...settings },
      outputs: outputs.map((output) => ({ ...output, bytes: 0 })),
      counts: { rows: 0, accepted: 0, rejected: 0 },
    });
    await journal.write();
    return journal;
  }

  /** The journal of a job that did not come to its end; undefined where there is none. */
  static async find(file: string): Promise<Journal | undefined> {
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const read = jsonText.pipe(contentSchema).safeParse(text);
    if (!read.success) throw new Error(`${file} is no journal of an unfinished job: ${z.prettifyError(read.error)}`);
    return new Journal(file, read.data);
  }

  get source(): string {
    return this.content.source.file;
  }

  get settings(): Readonly<Record<string, string>> {
    return this.content.settings;
  }

  get done(): Counts {
    return this.counts;
  }

  /**
   * Brings the outputs back to how they were at the last checkpoint.
   * @throws when the job was begun with another source or other settings, when the source is no longer what it was, or
   * an output has lost something
   */
  async resume(source: CsvIdentity, settings: Readonly<Record<string, string>>): Promise<void> {
    const { file, bytes, version } = this.content.source;
    const now: Record<string, string> = { file: source.file, ...settings };
    const begun: Record<string, string> = { file, ...this.settings };
    const others = Object.keys(now).filter((name) => begun[name] !== now[name]);
    if (others.length > 0) {
      const differences = others.map((name) => `${name} ${begun[name]}, not ${now[name]}`).join("; ");
      throw new Error(`It was begun with ${differences}. To begin again, delete ${this.file}`);
    }
    if (source.bytes !== bytes || source.version !== version) {
      throw new Error(
        `${file} has changed since ${this.counts.rows.toLocaleString("en")} of its rows were worked through. To begin again, delete ${this.file}`,
      );
    }
    for (const output of this.outputs) await output.resume();
  }

  /** Adds a line to one of the outputs. It is in the file, for good, after the next checkpoint. */
  add(file: string, line: string): void {
    const output = this.outputs.find((one) => one.file === file);
    if (output === undefined) throw new Error(`${file} is none of the job's outputs`);
    output.add(line);
  }

  /** Notes how far the job is. All that was added before is on the disk by then. */
  async checkpoint(counts: Counts): Promise<void> {
    for (const output of this.outputs) await output.flush();
    this.counts = counts;
    await this.write();
  }

  /** The job came to its end: the journal goes away. */
  async end(): Promise<void> {
    await this.close();
    await rm(this.file);
  }

  /** Lets go of the outputs, for the job to be resumed some day. */
  async close(): Promise<void> {
    for (const output of this.outputs) await output.close();
  }

  private async write(): Promise<void> {
    const outputs = this.outputs.map(({ file, header, bytes }) => ({ file, header, bytes }));
    const content: Content = { ...this.content, outputs, counts: { ...this.counts } };
    const next = await open(`${this.file}.next`, "w");
    try {
      await next.writeFile(JSON.stringify(content));
      await next.datasync();
    } finally {
      await next.close();
    }
    await rename(`${this.file}.next`, this.file);
  }
}

const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("it is not JSON");
    return z.NEVER;
  }
});

/** A file that is made with its first line. */
class Output {
  private handle: FileHandle | undefined;
  private pending: string[] = [];

  constructor(
    readonly file: string,
    readonly header: string,
    public bytes: number,
  ) {}

  add(line: string): void {
    this.pending.push(line);
  }

  async resume(): Promise<void> {
    if (this.bytes === 0) return rm(this.file, { force: true });
    const { size } = await stat(this.file).catch(() => ({ size: 0 }));
    if (size < this.bytes) {
      throw new Error(`${this.file} holds ${size} bytes, where ${this.bytes} were written: it cannot be gone on with`);
    }
    await truncate(this.file, this.bytes);
  }

  async flush(): Promise<void> {
    if (this.pending.length === 0) return;
    const lines = (this.bytes === 0 ? [this.header, ...this.pending] : this.pending).join("");
    this.handle ??= await open(this.file, "a");
    await this.handle.writeFile(lines);
    await this.handle.datasync();
    this.pending = [];
    this.bytes += Buffer.byteLength(lines);
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }
}
