import { setTimeout } from "node:timers/promises";
import type { DeadLetters, LyingLetter } from "../../pipeline/dead-letters";
import { isBusy } from "../../pipeline/redshift";
import type { Results } from "../../pipeline/results";
import { readReceipt } from "./receipt";
import { RequestSet } from "./request-set";

/** Letters that say the same. */
export interface FailureGroup {
  readonly code: string;
  readonly reason: string;
  /** The requests, by their ids. */
  readonly requests: RequestSet;
  /** Some of the inputs, by their requests. */
  readonly some: Map<string, string>;
}

/** How far requests are: each is in one of these. */
export interface Standing {
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Taken off the queue before they were started. */
  readonly cancelled: number;
  readonly waiting: number;
  /** Why the failed ones failed, the most frequent first. */
  readonly reasons: readonly FailureGroup[];
}

export interface FollowingProps {
  readonly results: Pick<Results, "count" | "requestIds">;
  readonly deadLetters: Pick<DeadLetters, "count" | "look">;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

const idsShown = 5;
/** How old a look at the dead letters may be, in milliseconds, where about as many of them are counted as then. */
const trustedFor = 30_000;
const pause = { shortest: 500, longest: 5_000 };
const failuresInARow = 10;

/** Groups letters by what they say. */
export class FailureGroups {
  private readonly groups = new Map<string, FailureGroup>();

  add({ code, reason, requestId = "", id }: Pick<LyingLetter, "code" | "reason" | "requestId" | "id">) {
    const key = JSON.stringify([code, reason]);
    const group = this.groups.get(key) ?? { code, reason, requests: new RequestSet(), some: new Map() };
    this.groups.set(key, group);
    if (group.requests.add(requestId) && id !== undefined && group.some.size < idsShown) group.some.set(requestId, id);
  }

  /** The requests of all of them. */
  *requestIds(): Generator<string> {
    for (const { requests } of this.groups.values()) yield* requests;
  }

  delete(requestId: string) {
    for (const { requests, some } of this.groups.values()) {
      requests.delete(requestId);
      some.delete(requestId);
    }
  }

  /** The most frequent first. */
  get sorted(): FailureGroup[] {
    return [...this.groups.values()]
      .filter(({ requests }) => requests.size > 0)
      .sort((one, other) => other.requests.size - one.requests.size);
  }
}

/** Follows requests to their ends: done where the warehouse has a prediction, failed where a dead letter is all there is. */
export class Following {
  readonly asked = new RequestSet();
  private readonly cancelled = new RequestSet();
  private readonly done = new RequestSet();
  private failed = new RequestSet();
  private groups = new FailureGroups();
  /** How many predictions each run had when its request ids were last read. */
  private readonly readAt = new Map<string, number>();
  private letters = { count: -1, lookedAt: 0 };

  constructor(private readonly props: FollowingProps) {}

  /**
   * Follows the requests of a receipt too.
   * @param whose which of them @default all
   */
  async add(receipt: string, { jobId, cancelled = false }: { jobId?: string; cancelled?: boolean } = {}) {
    for await (const entry of readReceipt(receipt)) {
      if (jobId !== undefined && entry.jobId !== jobId) continue;
      this.asked.add(entry.requestId);
      if (cancelled) this.cancelled.add(entry.requestId);
      else this.cancelled.delete(entry.requestId);
      this.props.signal.throwIfAborted();
    }
  }

  /**
   * Looks where the requests are. A count is enough for the done ones while it shows that some wait.
   * @param exactly looks at each request whatever the count is
   */
  async look(exactly = false): Promise<Standing> {
    await this.readLetters(exactly); // first, for what has a prediction by the time that these are read has not failed
    const counts = await this.countRuns();
    await this.readOthers();
    const counted = [...counts].reduce(
      (sum, [prefix, count]) => sum + Math.min(count, this.asked.prefixes.get(prefix) ?? 0),
      this.done.otherIds.size,
    );
    const isRead = exactly || counted + this.failed.size + this.cancelled.size >= this.asked.size;
    if (isRead) await this.readRuns(counts);

    const [total, failed, cancelled] = [this.asked.size, this.failed.size, this.cancelled.size];
    const most = total - failed - cancelled;
    const done = isRead ? this.done.size : Math.max(this.done.size, Math.min(counted, most));
    const reasons = this.groups.sorted;
    return { total, done, failed, cancelled, waiting: Math.max(0, most - done), reasons };
  }

  /**
   * Looks again and again until no request waits.
   * @param onLook told of every look
   */
  async untilEnded(onLook: (standing: Standing) => void): Promise<Standing> {
    const { signal } = this.props;
    let rest = pause.shortest;
    for (let failures = 0; ; ) {
      const started = performance.now();
      try {
        const standing = await this.look();
        failures = 0;
        onLook(standing);
        if (standing.waiting === 0) return standing;
      } catch (error) {
        if (signal.aborted || !isBusy(error) || ++failures === failuresInARow) throw error;
      }
      const took = performance.now() - started;
      await setTimeout(Math.max(rest, 2 * took), undefined, { signal }); // most of the time it asks for nothing
      rest = Math.min(pause.longest, rest * 1.5);
    }
  }

  private async countRuns(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const requestPrefix of this.asked.prefixes.keys()) {
      counts.set(requestPrefix, await this.props.results.count({ requestPrefix }, this.props));
    }
    return counts;
  }

  /** Which requests of the runs are done, where there are more predictions than at the last time. */
  private async readRuns(counts: ReadonlyMap<string, number>) {
    for (const [requestPrefix, count] of counts) {
      if (this.readAt.get(requestPrefix) === count) continue;
      for await (const ids of this.props.results.requestIds({ requestPrefix }, this.props)) this.end(ids);
      this.readAt.set(requestPrefix, count);
    }
  }

  private async readOthers() {
    const requestIds = [...this.asked.otherIds].filter((id) => !this.done.has(id));
    for await (const ids of this.props.results.requestIds({ requestIds }, this.props)) this.end(ids);
  }

  private end(requestIds: readonly string[]) {
    for (const requestId of requestIds) {
      if (!this.asked.has(requestId)) continue;
      this.done.add(requestId);
      this.cancelled.delete(requestId);
      if (this.failed.delete(requestId)) this.groups.delete(requestId);
    }
  }

  private async readLetters(exactly: boolean) {
    const { deadLetters, signal } = this.props;
    const count = await deadLetters.count({ signal });
    const isOld = performance.now() - this.letters.lookedAt > trustedFor;
    if (!exactly && !isOld && count === this.letters.count) return;
    const failed = new RequestSet();
    const groups = new FailureGroups();
    const visit = (letters: readonly LyingLetter[]) => {
      for (const letter of letters) {
        const { requestId } = letter;
        if (requestId === undefined || !this.asked.has(requestId) || this.done.has(requestId)) continue;
        if (failed.add(requestId)) groups.add(letter);
        this.cancelled.delete(requestId);
      }
    };
    const { hidden } = await deadLetters.look(visit, { signal });
    [this.failed, this.groups] = [failed, groups];
    this.letters = { count: hidden > 0 ? -1 : count, lookedAt: performance.now() };
  }
}
