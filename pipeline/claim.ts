import type { Until } from "./clients";
import type { Fact, Jobs } from "./jobs";

/** That a claim is another's by now. */
export class Lost extends Error {
  override readonly name = "Lost";
}

/** A fact that is written over, and that for a while its holder alone writes. */
export class Claim<Value extends { readonly claimedUntil?: Date }> {
  private constructor(
    private readonly jobs: Pick<Jobs, "replace">,
    private readonly key: string,
    private readonly end: () => Date,
    private current: Value,
    private etag: string | undefined,
  ) {}

  /**
   * Claims a fact.
   * @param found as it was read @default it is not there
   * @param start what it is where it is not there
   * @param end until when it is claimed by a writing of it: so long a holder that was killed holds it up
   * @returns undefined where it is another's
   */
  static async take<Value extends { readonly claimedUntil?: Date }>(
    jobs: Pick<Jobs, "replace">,
    key: string,
    found: Fact<Value> | undefined,
    start: Value,
    end: () => Date,
    until: Until,
  ): Promise<Claim<Value> | undefined> {
    const value = found?.value ?? start;
    if (value.claimedUntil !== undefined && value.claimedUntil > new Date()) return undefined;
    const claim = new Claim(jobs, key, end, value, found?.etag);
    return (await claim.write(value, until)) ? claim : undefined;
  }

  /** As it was last written. */
  get value(): Value {
    return this.current;
  }

  /** How long the claim lasts yet, in milliseconds. */
  get left(): number {
    return (this.current.claimedUntil?.getTime() ?? 0) - Date.now();
  }

  /** Writes the fact, and claims it anew. @throws Lost where another has it by now */
  async move(value: Value, until: Until): Promise<void> {
    if (!(await this.write(value, until))) throw new Lost();
  }

  /** Lets others have it. */
  async release(until: Until): Promise<void> {
    await this.write(this.current, until, false);
  }

  /** @returns false where another has written it */
  private async write(value: Value, until: Until, isClaimed = true): Promise<boolean> {
    const written = { ...value, claimedUntil: isClaimed ? this.end() : undefined };
    const etag = await this.jobs.replace(this.key, written, this.etag, until);
    if (etag === undefined) return false;
    this.current = written;
    this.etag = etag;
    return true;
  }
}
