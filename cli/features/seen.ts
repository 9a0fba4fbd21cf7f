import { createHash } from "node:crypto";

/** As many keys as are remembered. */
const keysSeen = 1_500_000;

const slots = 2 ** 21;
const words = 5;

/**
 * Remembers keys, what they stand for and where they were first, in 40 MB however many there are: of more than a million
 * and a half, the first ones. A key is known by 64 bits of its hash, and so is what it stands for.
 */
export class Seen {
  private readonly table = new Uint32Array(slots * words);
  private count = 0;

  /** Whether further keys are compared, but not remembered any more. */
  get isFull(): boolean {
    return this.count >= keysSeen;
  }

  /** Takes a key, and says in which line it was before, and whether it stood for the same; undefined where it is new. */
  add(key: string, content: string, line: number): { readonly line: number; readonly isSame: boolean } | undefined {
    const [high, low] = hashOf(key);
    const [contentHigh, contentLow] = content === key ? [high, low] : hashOf(content);
    for (let slot = low % slots; ; slot = (slot + 1) % slots) {
      const at = slot * words;
      const first = this.table[at + 4] ?? 0;
      if (first === 0) {
        if (this.isFull) return undefined;
        this.table.set([high, low, contentHigh, contentLow, line], at);
        this.count++;
        return undefined;
      }
      if (this.table[at] !== high || this.table[at + 1] !== low) continue;
      return { line: first, isSame: this.table[at + 2] === contentHigh && this.table[at + 3] === contentLow };
    }
  }
}

function hashOf(text: string): [number, number] {
  const hash = createHash("sha256").update(text).digest();
  return [hash.readUInt32LE(0), hash.readUInt32LE(4)];
}
