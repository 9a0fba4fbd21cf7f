/** The row numbers that a receipt's request ids end with: `<run>.<row>`, where the run is a UUID. */
const ofRun = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.)(0|[1-9]\d{0,8})$/;

/** Whole numbers, a bit each. */
class Numbers {
  private readonly words = new Map<number, Uint32Array>();
  size = 0;

  private placeOf(number: number) {
    return { page: Math.floor(number / 4096), word: (number % 4096) >>> 5, bit: 1 << (number % 32) };
  }

  *[Symbol.iterator](): Generator<number> {
    for (const page of this.words.keys()) {
      for (let number = page * 4096; number < (page + 1) * 4096; number++) if (this.has(number)) yield number;
    }
  }

  has(number: number): boolean {
    const { page, word, bit } = this.placeOf(number);
    return ((this.words.get(page)?.[word] ?? 0) & bit) !== 0;
  }

  set(number: number, isIn: boolean): boolean {
    if (this.has(number) === isIn) return false;
    const { page, word, bit } = this.placeOf(number);
    const words = this.words.get(page) ?? new Uint32Array(128);
    this.words.set(page, words);
    words[word] = (words[word] ?? 0) ^ bit;
    this.size += isIn ? 1 : -1;
    return true;
  }
}

/** Request ids. Those of a receipt take a bit each, so that ten million of them are a few megabytes; others are kept as they are. */
export class RequestSet {
  private readonly runs = new Map<string, Numbers>();
  private readonly others = new Set<string>();

  get size(): number {
    return [...this.runs.values()].reduce((sum, { size }) => sum + size, this.others.size);
  }

  /** What the request ids of each run begin with, and how many of them are here. */
  get prefixes(): ReadonlyMap<string, number> {
    return new Map([...this.runs].map(([prefix, { size }]) => [prefix, size]));
  }

  /** Those that are of no run. */
  get otherIds(): ReadonlySet<string> {
    return this.others;
  }

  has(requestId: string): boolean {
    const [, prefix = "", number] = ofRun.exec(requestId) ?? [];
    return number === undefined ? this.others.has(requestId) : (this.runs.get(prefix)?.has(Number(number)) ?? false);
  }

  /** Says whether it was not there before. */
  add(requestId: string): boolean {
    const [, prefix = "", number] = ofRun.exec(requestId) ?? [];
    if (number === undefined) {
      const isNew = !this.others.has(requestId);
      this.others.add(requestId);
      return isNew;
    }
    const run = this.runs.get(prefix) ?? new Numbers();
    this.runs.set(prefix, run);
    return run.set(Number(number), true);
  }

  *[Symbol.iterator](): Generator<string> {
    for (const [prefix, numbers] of this.runs) for (const number of numbers) yield `${prefix}${number}`;
    yield* this.others;
  }

  /** Says whether it was there. */
  delete(requestId: string): boolean {
    const [, prefix = "", number] = ofRun.exec(requestId) ?? [];
    return number === undefined
      ? this.others.delete(requestId)
      : (this.runs.get(prefix)?.set(Number(number), false) ?? false);
  }
}
