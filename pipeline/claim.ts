import type { Until } from "./clients";
import type { Fact, Jobs } from "./jobs";

/** That a claim is another's by now. */
export class Lost extends Error {
  override readonly name = "Lost";
}

/** How long a fact is its holder's alone from each writing on. A holder that was killed holds it up for so long. */
const claimMilliseconds = 60_000;
const renewedAfter = claimMilliseconds / 3;

/** A fact that is written over, and that for a while its holder alone writes. */
export class Claim<Value extends { readonly claimedUntil?: Date }> {
  private renewing?: NodeJS.Timeout;
  /** The writing before: one follows the other, for each goes by the tag of the last. */
  private writing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly jobs: Pick<Jobs, "replace">,
    private readonly key: string,
    private current: Value,
    private etag: string | undefined,
  ) {}

  /**
   * Claims a fact.
   * @param found as it was read @default it is not there
   * @param start what it is where it is not there
   * @returns undefined where it is another's
   */
  static async take<Value extends { readonly claimedUntil?: Date }>(
    jobs: Pick<Jobs, "replace">,
    key: string,
    found: Fact<Value> | undefined,
    start: Value,
    until: Until,
  ): Promise<Claim<Value> | undefined> {
    const value = found?.value ?? start;
    if (value.claimedUntil !== undefined && value.claimedUntil > new Date()) return undefined;
    const claim = new Claim(jobs, key, value, found?.etag);
    return (await claim.write(() => value, until)) ? claim : undefined;
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
    if (!(await this.write(() => value, until))) throw new Lost();
  }

  /** Claims the fact anew again and again, until it is released. What goes wrong with that, the next {@link move} tells. */
  keep(until: Until): void {
    const renew = () => void this.write(() => this.current, until).catch(() => undefined);
    this.renewing ??= setInterval(renew, renewedAfter);
  }

  /** Lets others have it. */
  async release(until: Until): Promise<void> {
    clearInterval(this.renewing);
    await this.write(() => this.current, until, false);
  }

  /** @returns false where another has written it */
  private write(latest: () => Value, until: Until, isClaimed = true): Promise<boolean> {
    const writing = this.writing.then(() => this.writeOnce(latest(), until, isClaimed));
    this.writing = writing.catch(() => undefined);
    return writing;
  }

  private async writeOnce(value: Value, until: Until, isClaimed: boolean): Promise<boolean> {
    const claimedUntil = isClaimed ? new Date(Date.now() + claimMilliseconds) : undefined;
    const written = { ...value, claimedUntil };
    const etag = await this.jobs.replace(this.key, written, this.etag, until);
    if (etag === undefined) return false;
    this.current = written;
    this.etag = etag;
    return true;
  }
}
