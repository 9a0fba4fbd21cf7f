import type { StagedObject } from "../contract/answers-bucket";
import {
  factsOf,
  hashOf,
  type JobFacts,
  type JobFailed,
  type JobManifest,
  type JobMerge,
  type JobRequest,
  jobCursor,
  jobFolders,
  jobMerge,
  jobRequest,
  openMark,
  runOf,
  stateOf,
  stopMark,
  type Tally,
} from "../contract/job";
import { type Fate, withoutOutcome } from "../contract/job-result";
import { turnOf } from "../contract/job-turn";
import type { ModelContract } from "../contract/model-contract";
import { Claim, Lost } from "./claim";
import { isTransient, reasonOf, type Until, within } from "./clients";
import type { Events } from "./events";
import { limiter } from "./flow";
import { newId } from "./ids";
import { type InputPlace, type InputRow, inputStart } from "./job-input";
import type { JobOutcomes } from "./job-outcomes";
import { mergedRows, partEndings, partsOf } from "./job-result";
import type { JobResults } from "./job-results";
import { UnusableInput } from "./job-rows";
import type { Jobs, Marks } from "./jobs";
import type { Outcomes } from "./outcomes";
import { WarehousePaused } from "./redshift";

export interface JobWriterProps {
  readonly jobs: Jobs;
  readonly results: JobResults;
  readonly staged: Pick<Outcomes, "waiting">;
  readonly outcomes: Pick<JobOutcomes, "unload" | "unloaded" | "read" | "remove">;
  readonly events: Pick<Events, "tellEnd">;
  readonly contract: ModelContract;
  /** The rows of a job's input, from one on. @throws UnusableInput */
  readonly input: (request: JobRequest, from: InputPlace, until: Until) => AsyncIterable<InputRow>;
  /** How long the queue hides a message that was received. */
  readonly visibilitySeconds: number;
  /** The longest that a run of the worker takes. */
  readonly workerSeconds: number;
  /** How long the queue keeps a message. */
  readonly retentionSeconds: number;
}

/** What came of a run of the writer. */
export interface Written {
  /** Parts of results that it wrote. */
  parts: number;
  /** Jobs whose result it wrote. */
  written: string[];
  /** Jobs that have ended, which was told. */
  ended: string[];
  /** Jobs whose turn it is not, which another run has, or with which the next goes on. */
  waiting: number;
  /** Jobs of which something did not go well, each with why. The next run tries again. */
  failed: { id: string; reason: string }[];
}

/** A job whose turn it is. */
interface Due {
  readonly id: string;
  readonly facts: JobFacts;
  readonly turn: "write" | "end";
}

/** Jobs that are looked at at once. */
const atOnce = 8;

/** After so long a mark without a job is left over, and no message of a job that was stopped comes again, in milliseconds. */
const anHour = 3_600_000;

/** What became of all rows, as it was unloaded. */
type Unload = NonNullable<JobMerge["unload"]>;

/** Nothing of a job's result is written. */
const mergeStart: JobMerge = {
  v: 1,
  parts: [],
  answered: 0,
  failed: 0,
  expired: 0,
  cancelled: 0,
  lost: 0,
  releases: [],
  next: { ...inputStart, outcomes: 0 },
};

/** No part and no result is begun with less time than this, in milliseconds, but for the first of a run. */
const lastPart = 60_000;

/** The time of a run. */
interface Time {
  readonly until: Until;
  /** Whether nothing more is to be begun. */
  readonly isOver: () => boolean;
}

const timeOf = (milliseconds: number): Time => {
  const end = performance.now() + milliseconds;
  return { until: within(milliseconds), isOver: () => end - performance.now() < lastPart };
};

/**
 * Writes the results of jobs that are finished, and tells that they are. A result is written by one run at a time, which
 * keeps what it has with each part, and the next goes on where it ends. What is done twice, or at once, is harmless.
 */
export class JobWriter {
  constructor(private readonly props: JobWriterProps) {}

  /**
   * Does what is due for all jobs. None of them keeps the others from it.
   * @param milliseconds when all must have ended
   * @throws where they cannot be listed
   */
  async run(milliseconds: number): Promise<Written> {
    const time = timeOf(milliseconds);
    const { until } = time;
    const written: Written = { parts: 0, written: [], ended: [], waiting: 0, failed: [] };
    const each = async <T>(id: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        if (error instanceof WarehousePaused) written.waiting++;
        else written.failed.push({ id, reason: reasonOf(error) });
        return undefined;
      }
    };
    const now = new Date(); // before anything is looked at, so that nothing is held to be in that comes later
    const marks = await this.props.jobs.open(until);
    let waiting: Promise<StagedObject[]> | undefined;
    const staged = () => {
      waiting ??= this.props.staged.waiting(until);
      return waiting;
    };
    const limited = limiter(atOnce);
    const look = async (id: string, its: Marks) => each(id, () => this.look(id, its, { now, staged }, written, until));
    const looked = await Promise.all([...marks].map(([id, its]) => limited(() => look(id, its))));
    // The quick ones first: a large result may take all the time there is.
    const rowsOf = ({ turn, facts }: Due) => (turn === "end" ? 0 : 1 + (facts.checked?.rows ?? 0));
    const due = looked.flatMap((one) => one ?? []).sort((one, other) => rowsOf(one) - rowsOf(other));
    for (const { id, facts, turn } of due) {
      await each(id, async () => {
        if (turn === "write" && !(await this.write(facts, written, time))) return;
        await this.end(id, until);
        written.ended.push(id);
      });
    }
    return written;
  }

  /** Looks whose turn it is. What a killed function has left undone is done here. */
  private async look(
    id: string,
    marks: Marks,
    { now, staged }: { readonly now: Date; readonly staged: () => Promise<StagedObject[]> },
    written: Written,
    until: Until,
  ): Promise<Due | undefined> {
    const { jobs, results, visibilitySeconds, workerSeconds } = this.props;
    const facts = marks.isOpen ? await jobs.facts(id, until) : undefined;
    if (facts === undefined) {
      const since = marks.stoppedAt ?? marks.since;
      if (now.getTime() - since.getTime() < anHour) return undefined;
      // Its messages may be on the queue until its deadline. Whoever takes away the mark has them asked.
      const request = () => jobs.read(factsOf(id).request, jobRequest, until);
      const before = await request();
      if (before !== undefined && before.value.deadline > now) return undefined;
      await results.delete([stopMark(id), openMark(id)], until);
      if (before === undefined && (await request())) await jobs.mark(openMark(id), until); // it was made in between
      return undefined;
    }
    if ((facts.cancel ?? facts.failed) !== undefined && !marks.stopped) await jobs.mark(stopMark(id), until);
    const around = { stoppedAt: marks.stoppedAt, visibilitySeconds, workerSeconds, now };
    let turn = turnOf(facts, { ...around, staged: [] });
    // What is staged is listed only where it may matter.
    if (turn === "write") turn = turnOf(facts, { ...around, staged: await staged() });
    if (turn !== "wait") return { id, facts, turn };
    written.waiting++;
    return undefined;
  }

  /** Writes a job's result, as far as there is time. @returns whether it is this one, or there never will be any */
  private async write(facts: JobFacts, written: Written, time: Time): Promise<boolean> {
    const { jobs, outcomes } = this.props;
    const { until, isOver } = time;
    const { id } = facts.request;
    const { manifest, failed } = factsOf(id);
    const claim = written.parts > 0 && isOver() ? undefined : await this.claim(id, until);
    if (claim === undefined) {
      written.waiting++;
      return false;
    }
    try {
      const made = await this.merge(facts, claim, written, time);
      if (made === undefined) {
        written.waiting++;
        return false;
      }
      const isMine = await jobs.create(manifest, made, until);
      if (isMine) written.written.push(id);
      else await this.clean(id, until);
      if (claim.value.unload) await outcomes.remove(claim.value.unload.folder);
      return isMine;
    } catch (error) {
      if (error instanceof Lost) {
        await this.clean(id, until);
        written.waiting++;
        return false;
      }
      const isUnusable = error instanceof UnusableInput;
      // What was unloaded may be at fault, or gone: it is unloaded anew, and all parts are written anew.
      const mayPass = until.signal.aborted || isTransient(error) || error instanceof WarehousePaused;
      if (isUnusable || !mayPass) await this.forget(claim, until);
      if (!isUnusable) throw error;
      const why: JobFailed = { v: 1, failedAt: new Date(), errors: [error.message], more: 0 };
      await jobs.create(failed, why, until);
      await jobs.mark(stopMark(id), until);
      return true;
    } finally {
      await claim.release(within(2_000)).catch(() => undefined); // it ends by itself
    }
  }

  /** @returns undefined where another run writes it */
  private async claim(id: string, until: Until): Promise<Claim<JobMerge> | undefined> {
    const { jobs } = this.props;
    const { merge } = factsOf(id);
    const claim = await Claim.take(jobs, merge, await jobs.read(merge, jobMerge, until), mergeStart, until);
    claim?.keep(until);
    return claim;
  }

  /** Begins a job's result anew, the next time. */
  private async forget(claim: Claim<JobMerge>, until: Until): Promise<void> {
    const { unload } = claim.value;
    await claim.move(mergeStart, until).catch(() => undefined);
    if (unload) await this.props.outcomes.remove(unload.folder);
  }

  /**
   * Writes the parts of a job's result that are not written.
   * @returns its manifest; undefined where the next run goes on
   * @throws UnusableInput, and Lost where another run has the job by now
   */
  private async merge(
    facts: JobFacts,
    claim: Claim<JobMerge>,
    written: Written,
    time: Time,
  ): Promise<JobManifest | undefined> {
    const { request, checked, cancel } = facts;
    const { id, settings } = request;
    const unload = await this.unloaded(request, claim, time.until);
    if (!(await this.writeParts(facts, claim, unload, written, time))) return undefined;
    const { parts, answered, failed, expired, cancelled, lost, releases } = claim.value;
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    if (checked !== undefined && rows !== checked.rows) {
      throw new Error(`the input of ${id} has ${rows} rows, it was checked with ${checked.rows}`);
    }
    return {
      v: 1,
      id,
      outcome: cancel && cancelled > 0 ? "cancelled" : expired > 0 ? "expired" : "completed",
      format: settings.result,
      rows,
      ...{ answered, failed, expired, cancelled, lost, releases, parts },
      contract: unload.contract,
      asOf: unload.asOf,
      endedAt: new Date(),
    };
  }

  /** The outcomes of a job as they are unloaded under the contract: by a run before, or now. */
  private async unloaded(request: JobRequest, claim: Claim<JobMerge>, until: Until): Promise<Unload> {
    const { contract, outcomes } = this.props;
    const hash = hashOf(contract);
    let { unload } = claim.value;
    if (unload?.contract !== hash) {
      const asOf = new Date();
      unload = { asOf, contract: hash, ...(await outcomes.unload(runOf(request), request.id, until)) };
      await claim.move({ ...mergeStart, unload }, until);
    }
    if (unload.statement !== undefined) {
      await outcomes.unloaded(unload.statement, until); // it may take several runs
      unload = { ...unload, statement: undefined };
      await claim.move({ ...claim.value, unload }, until);
    }
    return unload;
  }

  /** @returns whether all parts are written: the next run goes on where there is no time for more */
  private async writeParts(
    facts: JobFacts,
    claim: Claim<JobMerge>,
    unload: Unload,
    written: Written,
    { until, isOver }: Time,
  ): Promise<boolean> {
    const { jobs, results, contract, input, outcomes } = this.props;
    const { request, checked } = facts;
    const { id, settings } = request;
    const { result: format } = settings;
    const from = claim.value.next;
    if (from === undefined) return true;
    let next: JobMerge["next"] = from;
    let passed = from.outcomes;
    const rows = passing(
      checked?.rows === 0 ? nothing() : input(request, from, until),
      ({ row, line, offset }) => {
        next = { row, line, offset, outcomes: passed };
      },
      () => {
        next = undefined;
      },
    );
    const read = passing(outcomes.read(runOf(request), unload.folder, from.outcomes, until), ({ place }) => {
      passed = place; // the one that is read is ahead of the rows
    });
    const cursor = await jobs.read(factsOf(id).cursor, jobCursor, until);
    const fates = mergedRows(rows, read, this.missing(facts, cursor?.value.next ?? 1, unload.asOf));
    const folder = `${jobFolders.results}${id}/${newId()}/`; // no two runs write the same object
    const shape = { format, contract, carriesFeatures: checked?.carriesFeatures ?? false };
    for await (const { body, tally, ...part } of partsOf(fates, shape)) {
      const { parts, ...before } = claim.value;
      const key = `${folder}part-${String(parts.length + 1).padStart(5, "0")}${partEndings[format]}`;
      await results.put(key, body, until);
      await claim.move({ ...before, ...sumOf(before, tally), parts: [...parts, { key, ...part }], next }, until);
      written.parts++;
      if (next !== undefined && isOver()) return false;
    }
    return true;
  }

  /** What became of a row that has no outcome. @param sent rows before it were sent @param asOf the same for all rows */
  private missing({ request, cancel }: JobFacts, sent: number, asOf: Date): (row: number) => Fate {
    const isCancelled = cancel !== undefined && cancel.cancelledAt <= asOf;
    const isKept = asOf.getTime() < request.createdAt.getTime() + 1_000 * this.props.retentionSeconds;
    return (row) => {
      if (isCancelled) return withoutOutcome.cancelled;
      if (!isKept && row < sent) return withoutOutcome.lost;
      if (request.deadline <= asOf) return withoutOutcome.expired;
      throw new Error(`row ${row} of ${request.id} has no outcome, though each was counted`);
    };
  }

  /** Tells that a job has ended, and forgets it after that was taken. */
  private async end(id: string, until: Until): Promise<void> {
    const { jobs, results, events, visibilitySeconds } = this.props;
    const facts = await jobs.facts(id, until);
    if (facts === undefined) throw new Error(`${factsOf(id).request} is gone`);
    await this.clean(id, until);
    const manifest = facts.manifest && (await results.identify(factsOf(id).manifest, until));
    await events.tellEnd({ jobId: id, state: stateOf(facts, visibilitySeconds, new Date()), manifest }, until);
    await results.delete([openMark(id)], until);
  }

  /** Deletes parts that are in no result, once it is known what is in it. */
  private async clean(id: string, until: Until): Promise<void> {
    const { manifest, failed } = (await this.props.jobs.facts(id, until)) ?? {};
    if ((manifest ?? failed) === undefined) return;
    const kept = (manifest?.parts ?? []).map(({ key }) => key);
    await this.props.results.keepOnly(id, kept, until);
  }
}

async function* nothing(): AsyncGenerator<never, void, undefined> {}

/** Looks at each item before it is given, and says when there are no more. */
async function* passing<T>(
  items: AsyncIterable<T>,
  look: (item: T) => void,
  atEnd = () => {},
): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    look(item);
    yield item;
  }
  atEnd();
}

const sumOf = (one: Tally, other: Tally): Tally => ({
  answered: one.answered + other.answered,
  failed: one.failed + other.failed,
  expired: one.expired + other.expired,
  cancelled: one.cancelled + other.cancelled,
  lost: one.lost + other.lost,
  releases: [...new Set([...one.releases, ...other.releases])].sort(),
});
