import { setTimeout } from "node:timers/promises";
import { isBusy } from "../../pipeline/redshift";
import { type Ended, type FailureGroup, mergedGroups, type Results, type Selection } from "../../pipeline/results";
import { readReceipt } from "./receipt";
import { RequestSet } from "./request-set";

/** How far requests are: each is in one of these. */
export interface Standing {
  readonly total: number;
  readonly answered: number;
  readonly failed: number;
  /** Taken off the queue before they were started. */
  readonly cancelled: number;
  readonly waiting: number;
  /** Why the failed ones failed, the most frequent first. */
  readonly reasons: readonly FailureGroup[];
}

export interface FollowingProps {
  readonly results: Pick<Results, "counts" | "requests" | "groups">;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

const pause = { shortest: 500, longest: 5_000 };
const failuresInARow = 10;

/** The most groups of failures that are read. */
export const groupsRead = 1_000;

/** Follows requests to their ends, which the warehouse knows: an answer to their input, or a failure. */
export class Following {
  readonly asked = new RequestSet();
  /** How many requests of each run had ended when those were last read. */
  private readonly readAt = new Map<string, Ended>();
  private reasons: { readonly failed: number; readonly groups: readonly FailureGroup[] } = { failed: 0, groups: [] };

  constructor(private readonly props: FollowingProps) {}

  /**
   * Follows the requests of a receipt too.
   * @param whose which of them @default all
   */
  async add(receipt: string, { jobId, cancelled = false }: { jobId?: string; cancelled?: boolean } = {}) {
    for await (const entry of readReceipt(receipt)) {
      if (jobId !== undefined && entry.jobId !== jobId) continue;
      this.asked.add(entry.requestId, entry.id, cancelled ? "cancelled" : "waiting");
      this.props.signal.throwIfAborted();
    }
  }

  /**
   * Looks where the requests are. A count is enough while it shows that some wait.
   * @param exactly looks at each request whatever the count is
   */
  async look(exactly = false): Promise<Standing> {
    await this.read({ requestIds: this.asked.otherIds("waiting", "failed", "cancelled") });
    const runs = await this.countRuns();
    const others = { answered: this.asked.otherIds("answered").length, failed: this.asked.otherIds("failed").length };
    const { size: total, prefixes } = this.asked;
    const { cancelled } = this.asked.counts;
    const counted = [...runs].reduce((sum, [prefix, { answered, failed }]) => {
      const size = prefixes.get(prefix) ?? 0;
      const done = Math.min(answered, size);
      return { answered: sum.answered + done, failed: sum.failed + Math.min(failed, size - done) };
    }, others);
    const waiting = total - counted.answered - counted.failed - cancelled;
    const isRead = exactly || waiting <= 0;
    if (isRead) await this.readRuns(runs);
    const found = isRead ? this.asked.counts : { ...counted, cancelled, waiting };
    return { total, ...found, reasons: await this.reasonsOf(found.failed) };
  }

  /**
   * Looks again and again until no request waits.
   * @param load lets what is staged be loaded, before each look
   * @param onLook told of every look
   */
  async untilEnded(load: () => Promise<void>, onLook: (standing: Standing) => void): Promise<Standing> {
    const { signal } = this.props;
    let rest = pause.shortest;
    for (let failures = 0; ; ) {
      const started = performance.now();
      try {
        await load();
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

  private async countRuns(): Promise<Map<string, Ended>> {
    const counts = new Map<string, Ended>();
    for (const requestPrefix of this.asked.prefixes.keys()) {
      counts.set(requestPrefix, await this.props.results.counts({ requestPrefix }, this.props));
    }
    return counts;
  }

  /** Reads which requests of the runs have ended, where there are more than at the last time. */
  private async readRuns(runs: ReadonlyMap<string, Ended>) {
    for (const [requestPrefix, counts] of runs) {
      const before = this.readAt.get(requestPrefix);
      if (before?.answered === counts.answered && before.failed === counts.failed) continue;
      await this.read({ requestPrefix });
      this.readAt.set(requestPrefix, counts);
    }
  }

  private async read(selection: Selection) {
    for (const state of ["answered", "failed"] as const) {
      for await (const requests of this.props.results.requests(state, selection, this.props)) {
        for (const { requestId, inputId } of requests) this.asked.end(requestId, inputId, state);
      }
    }
  }

  private async reasonsOf(failed: number): Promise<readonly FailureGroup[]> {
    if (failed !== this.reasons.failed) {
      const selections: Selection[] = [
        ...[...this.asked.prefixes.keys()].map((requestPrefix) => ({ requestPrefix })),
        { requestIds: this.asked.otherIds("failed") },
      ];
      const groups: FailureGroup[] = [];
      for (const selection of failed === 0 ? [] : selections) {
        groups.push(...(await this.props.results.groups(selection, groupsRead, this.props)));
      }
      this.reasons = { failed, groups: mergedGroups(groups).slice(0, groupsRead) };
    }
    return this.reasons.groups;
  }
}
