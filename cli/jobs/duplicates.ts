import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const partitions = 64;
const hashBytes = 16;
const rowBytes = 6;
const entryBytes = hashBytes + rowBytes;
const entriesHeld = 2_048;

/** Rows, by number from 0: a bit each. */
export class Rows {
  private readonly bits: Uint8Array;

  constructor(count: number) {
    this.bits = new Uint8Array(Math.ceil(count / 8));
  }

  add(row: number): void {
    this.bits[row >> 3] = (this.bits[row >> 3] ?? 0) | (1 << (row & 7));
  }

  has(row: number): boolean {
    return ((this.bits[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
  }
}

/**
 * Finds keys that come again among more than memory holds: their hashes, of 128 bits, go to temporary files by their
 * first bits, so that equal ones meet in one file that is small enough to search.
 */
export class DuplicateSearch {
  private readonly folder: string;
  private readonly parts: readonly Part[];

  /** @param parent the folder for temporary files @default the system's */
  constructor(parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, "duplicates-"));
    this.parts = Array.from({ length: partitions }, (_, part) => {
      const file = join(this.folder, String(part));
      return { file, descriptor: openSync(file, "w"), held: Buffer.alloc(entriesHeld * entryBytes), bytes: 0 };
    });
  }

  /** Takes a row's key. Rows come in the order of their numbers, below 2³¹. */
  add(row: number, key: string): void {
    const hash = createHash("sha256").update(key).digest();
    const part = this.parts[(hash[0] ?? 0) % partitions];
    if (part === undefined) return;
    hash.copy(part.held, part.bytes, 0, hashBytes);
    part.held.writeUIntBE(row, part.bytes + hashBytes, rowBytes);
    part.bytes += entryBytes;
    if (part.bytes === part.held.length) flush(part);
  }

  /** The rows whose key an earlier one had. @param count how many rows there are, with those that were not added */
  find(count: number): Rows {
    const again = new Rows(count);
    for (const part of this.parts) {
      flush(part);
      const entries = readFileSync(part.file);
      const seen = new Set<string>();
      for (let at = 0; at < entries.length; at += entryBytes) {
        const hash = entries.toString("latin1", at, at + hashBytes);
        if (seen.has(hash)) again.add(entries.readUIntBE(at + hashBytes, rowBytes));
        else seen.add(hash);
      }
    }
    return again;
  }

  /** Takes the temporary files away. */
  stop(): void {
    for (const { descriptor } of this.parts) closeSync(descriptor);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A temporary file, and what is still to be written to it. */
interface Part {
  readonly file: string;
  readonly descriptor: number;
  readonly held: Buffer;
  bytes: number;
}

const flush = (part: Part) => {
  for (let at = 0; at < part.bytes; ) at += writeSync(part.descriptor, part.held, at, part.bytes - at);
  part.bytes = 0;
};
