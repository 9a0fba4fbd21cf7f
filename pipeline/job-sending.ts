import { setTimeout } from "node:timers/promises";
import {
  factsOf,
  faultsTold,
  type JobChecked,
  type JobCursor,
  type JobFacts,
  type JobFailed,
  type JobRequest,
  jobCounts,
  jobCursor,
  requestIdOf,
  runOf,
  stopMark,
} from "../contract/job";
import type { Feature } from "../contract/model-contract";
import { Claim, Lost } from "./claim";
import { reasonOf, type Until, within } from "./clients";
import { limiter, Patience } from "./flow";
import { type InputFiles, isCompressed } from "./input-file";
import { type InputFault, type InputRow, type InputRules, isFault, sentenceOf } from "./job-input";
import type { Fact, Jobs } from "./jobs";
import type { QueueWalk } from "./queue-walk";
import { type NewRequest, type RequestQueue, sizeFault } from "./requests";

/** A range of rows, which is sent again where its sender is killed. */
const rowsPerRange = 1_000;
/** So that a range of large rows is no large heap. */
const charactersPerRange = 8_000_000;
/** Messages of a job that are on the queue at once, where its work is not faster. */
const leastOnQueue = 10_000;
/** How much of a job's work is on the queue at once. */
const secondsOnQueue = 600;
/** A claim with less than this is renewed before a range is sent. */
const leastClaim = 30_000;
/** How often the queue is looked at while there is no room on it, and how often the jobs are. */
const lookMilliseconds = 1_500;
const lookAtJobsMilliseconds = 10_000;
/** The longest that an input is checked, so that a run of the function (15 minutes) that starts with it can end it. */
const checkMilliseconds = 600_000;
const jobsReadAtOnce = 8;

export interface StarterProps {
  readonly jobs: Jobs;
  readonly inputs: InputFiles;
  readonly requests: RequestQueue;
  /** The queue that they are put on. */
  readonly queue: Pick<QueueWalk, "counts">;
  /** The contract's. */
  readonly features: readonly Feature[];
  /** @default there is no feature group */
  readonly recordIdentifier?: InputRules["recordIdentifier"];
  /** Rows that a job may have. */
  readonly maxRows: number;
  /** Is told, as often as the jobs are looked at, how many rows are yet to be put on the queue. @default nobody is */
  readonly unsent?: (rows: number) => void;
  /** Is told how many rows of a job were put on the queue. @default nobody is */
  readonly sent?: (job: string, rows: number) => void;
}

/** What a run has done. */
export interface Started {
  /** Jobs whose inputs are sound. */
  readonly checked: string[];
  /** Jobs that have failed, each with the first of why. */
  readonly failed: { readonly job: string; readonly reason: string }[];
  /** Rows that were put on the queue. */
  sent: number;
  /** Jobs that something stood in the way of. The next run goes on with them. */
  readonly errors: { readonly job: string; readonly reason: string }[];
}

/** A job that is being sent, by this starter alone as long as its claim lasts. */
interface Feeding {
  readonly request: JobRequest;
  readonly claim: Claim<JobCursor>;
  readonly checked: JobChecked;
  /** Rows from the cursor on; undefined where they are not being read. */
  source?: AsyncGenerator<InputRow | InputFault, void, undefined>;
  /** What was read and not sent. */
  ahead?: InputRow;
}

/** That the time of the run is over. */
class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}

/** A row of an input as it is asked. */
const requestOf = (job: JobRequest, run: string, { row, id, features }: InputRow): NewRequest => ({
  id,
  requestId: requestIdOf(run, row),
  jobId: job.id,
  tenant: job.settings.tenant,
  requestedAt: job.createdAt,
  deadline: job.deadline,
  features,
});

const isSent = ({ rows }: JobChecked, cursor: JobCursor | undefined) => (cursor?.next ?? 1) > rows;

/** Checks the inputs of jobs, and puts their rows on the queue as it drains. Any number may run at once. */
export class Starter {
  constructor(private readonly props: StarterProps) {}

  /**
   * Checks what is not checked, the oldest job first, and sends what is to be sent.
   * @param only the job that it is about, whose rows are sent as long as there is room on the queue @default all, until all
   * is sent or its time is over
   * @param milliseconds when all must have ended; nothing new is begun in the last half minute
   * @throws where the jobs cannot be listed. What is at fault with one job is told of that.
   */
  async run(only: string | undefined, milliseconds: number): Promise<Started> {
    const until = within(milliseconds);
    const run = new Run(this.props, only, until, performance.now() + milliseconds - leastClaim);
    await run.check();
    await run.send();
    return run.started;
  }
}

/** An open job, as it was found. */
interface Found {
  readonly facts: JobFacts;
  /** Whether nothing more of it is to be asked. */
  readonly isStopped: boolean;
  readonly cursor?: Fact<JobCursor>;
}

/** Rows of a job that are yet to be put on the queue, as far as its input is checked. */
const unsentOf = ({ facts: { request, checked }, isStopped, cursor }: Found): number =>
  isStopped || checked === undefined || request.deadline <= new Date()
    ? 0
    : checked.rows + 1 - (cursor?.value.next ?? 1);

class Run {
  readonly started: Started = { checked: [], failed: [], sent: 0, errors: [] };
  private readonly feeding = new Map<string, Feeding>();
  /** Jobs that this run has nothing more to do with. */
  private readonly done = new Set<string>();
  private onQueue = 0;
  private lookedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly props: StarterProps,
    private readonly only: string | undefined,
    private readonly until: Until,
    private readonly end: number,
  ) {}

  private get isOver(): boolean {
    return performance.now() > this.end || this.until.signal.aborted;
  }

  /** Checks each input that is not checked, one after the other: others start while a long one is checked. */
  async check(): Promise<void> {
    const found = await this.look();
    const unchecked = found.filter(({ facts }) => facts.checked === undefined);
    unchecked.sort(
      ({ facts: one }, { facts: other }) => one.request.createdAt.getTime() - other.request.createdAt.getTime(),
    );
    for (const { facts, cursor } of unchecked) {
      if (this.isOver) return;
      await this.guarded(facts.request.id, async () => {
        const claim = await this.claim(facts.request, cursor);
        if (claim === undefined) return;
        await this.checkOne(facts.request, claim).catch((error: unknown) => {
          if (!(error instanceof OutOfTime)) throw error;
        });
        await claim.release(this.until);
      });
    }
  }

  /** Sends ranges of all jobs in turn, until all is sent or time is over. */
  async send(): Promise<void> {
    let jobsLookedAt = Number.NEGATIVE_INFINITY;
    while (!this.isOver) {
      if (performance.now() - jobsLookedAt > lookAtJobsMilliseconds) {
        await this.takeUp();
        jobsLookedAt = performance.now();
      }
      if (this.feeding.size === 0) return;
      let isSending = false;
      for (const feeding of [...this.feeding.values()]) {
        if (this.isOver) break;
        await this.guarded(feeding.request.id, async () => {
          if (await this.sendRange(feeding)) isSending = true;
        });
      }
      if (isSending) continue;
      if (this.only !== undefined) break;
      await setTimeout(lookMilliseconds, undefined, { signal: this.until.signal });
    }
    for (const feeding of [...this.feeding.values()]) {
      await this.guarded(feeding.request.id, () => this.leave(feeding));
    }
  }

  /** What is open and not known to be done, with what is known of it. Puts stop marks that are missing. */
  private async look(): Promise<Found[]> {
    const { jobs } = this.props;
    const open = await jobs.open(this.until);
    const limited = limiter(jobsReadAtOnce);
    const ids = [...open.keys()].filter((id) => (this.only ?? id) === id && !this.done.has(id));
    const found: Found[] = [];
    await Promise.all(
      ids.map((id) =>
        limited(() =>
          this.guarded(id, async () => {
            const facts = await jobs.facts(id, this.until);
            if (facts === undefined) return;
            const isMarked = open.get(id)?.stopped ?? false;
            const isStopped = isMarked || facts.failed !== undefined || facts.cancel !== undefined;
            if (isStopped && !isMarked) await jobs.mark(stopMark(id), this.until);
            if (facts.failed ?? facts.manifest) this.done.add(id);
            else found.push({ facts, isStopped, cursor: await jobs.read(factsOf(id).cursor, jobCursor, this.until) });
          }),
        ),
      ),
    );
    for (const id of this.feeding.keys()) if (!open.has(id)) this.done.add(id);
    if (this.only === undefined) this.props.unsent?.(found.reduce((rows, job) => rows + unsentOf(job), 0));
    return found;
  }

  /** Takes up jobs that are to be sent and that no other sends, and leaves those that are to be sent no more. */
  private async takeUp(): Promise<void> {
    const found = await this.look();
    for (const { facts, isStopped, cursor } of found) {
      const { request, checked } = facts;
      const { id } = request;
      if (checked === undefined) continue;
      if (isStopped || isSent(checked, cursor?.value)) this.done.add(id);
      if (this.done.has(id) || this.feeding.has(id) || request.deadline <= new Date()) continue;
      await this.guarded(id, async () => {
        const claim = await this.claim(request, cursor);
        if (claim !== undefined) this.feeding.set(id, { request, claim, checked });
      });
    }
    for (const [id, feeding] of this.feeding) if (this.done.has(id)) await this.guarded(id, () => this.leave(feeding));
  }

  /** Does something for a job. What goes wrong with it is no other job's, and is told in the end. */
  private async guarded(job: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const feeding = this.feeding.get(job);
      this.feeding.delete(job);
      await feeding?.source?.return();
      if (error instanceof Lost) return;
      this.done.add(job);
      this.started.errors.push({ job, reason: reasonOf(error) });
    }
  }

  /** Makes a job this starter's alone for a while. @returns undefined where it is another's */
  private claim({ id, input }: JobRequest, found: Fact<JobCursor> | undefined): Promise<Claim<JobCursor> | undefined> {
    const start: JobCursor = { v: 1, next: 1, line: 1, ...(!isCompressed(input) && { offset: 0 }) };
    return Claim.take(this.props.jobs, factsOf(id).cursor, found, start, this.until);
  }

  private async renew(claim: Claim<JobCursor>): Promise<void> {
    if (claim.left < leastClaim) await claim.move(claim.value, this.until);
  }

  private async leave(feeding: Feeding): Promise<void> {
    this.feeding.delete(feeding.request.id);
    await feeding.source?.return();
    await feeding.claim.release(this.until);
  }

  private rulesOf({ settings: { format, columns } }: JobRequest, checked?: JobChecked): InputRules {
    const { features, recordIdentifier } = this.props;
    return { format, columns, features, recordIdentifier, carriesFeatures: checked?.carriesFeatures };
  }

  /**
   * Reads a whole input, and says that it is sound or what is wrong with it.
   * @throws OutOfTime where the run ends before, and Lost
   */
  private async checkOne(request: JobRequest, claim: Claim<JobCursor>): Promise<void> {
    const { jobs, inputs, maxRows } = this.props;
    const { id, input, settings } = request;
    const { limit = Number.POSITIVE_INFINITY } = settings;
    const run = runOf(request);
    const since = performance.now();
    const faults: InputFault[] = [];
    let [rows, more, carriesFeatures] = [0, 0, false];
    const add = (fault: InputFault) => (faults.length < faultsTold ? faults.push(fault) : more++);

    let read = 0;
    for await (const one of inputs.rows(input, this.rulesOf(request), { row: 1, line: 1 }, this.until)) {
      if (read++ % rowsPerRange === 0) {
        if (performance.now() - since > checkMilliseconds) {
          add({
            reason: `the input takes longer to check than ${checkMilliseconds / 60_000} minutes: make more jobs of it`,
          });
          break;
        }
        if (this.isOver) throw new OutOfTime();
        await this.renew(claim);
      }
      if (isFault(one)) {
        add(one);
        continue;
      }
      rows = one.row;
      carriesFeatures ||= one.features !== undefined;
      if (rows > maxRows) {
        add({
          line: one.line,
          reason: `the input has more than ${maxRows.toLocaleString("en")} rows, which jobs.maxRows allows`,
        });
        break;
      }
      const reason = sizeFault(requestOf(request, run, one));
      if (reason !== undefined) add({ line: one.line, reason });
      if (rows >= limit) break;
    }
    if (faults.length > 0) return this.fail(request, faults, more);
    const checked: JobChecked = { v: 1, rows, carriesFeatures, checkedAt: new Date() };
    await jobs.create(factsOf(id).checked, checked, this.until);
    this.started.checked.push(id);
  }

  /** Says why nothing more comes of a job, and that nothing more of it is to be asked. */
  private async fail({ id }: JobRequest, faults: readonly InputFault[], more = 0): Promise<void> {
    const errors = faults.map(sentenceOf);
    const failed: JobFailed = { v: 1, failedAt: new Date(), errors, more };
    const { jobs } = this.props;
    await jobs.create(factsOf(id).failed, failed, this.until);
    await jobs.mark(stopMark(id), this.until);
    this.done.add(id);
    this.started.failed.push({ job: id, reason: errors[0] ?? "" });
  }

  /** Sends a range of a job where there is room for it. @returns whether anything was done that lets go on at once */
  private async sendRange(feeding: Feeding): Promise<boolean> {
    const { request, checked } = feeding;
    if (request.deadline <= new Date()) {
      await this.leave(feeding);
      return true;
    }
    const room = Math.min(rowsPerRange, checked.rows + 1 - feeding.claim.value.next, await this.roomFor(feeding));
    await this.renew(feeding.claim);
    if (room <= 0) return false;
    const rows = await this.read(feeding, room);
    if (rows === undefined) return true;
    const until = within(Math.max(0, Math.min(feeding.claim.left, this.end + leastClaim - performance.now())));
    const run = runOf(request);
    const requests = rows.map((row) => requestOf(request, run, row));
    const { refused } = await this.props.requests.send(requests, until, new Patience(leastClaim));
    const place = refused[0] && rows.findIndex(({ row }) => requestIdOf(run, row) === refused[0]?.requestId);
    if (refused[0] !== undefined) {
      await this.fail(request, [{ line: rows[place ?? 0]?.line, reason: refused[0].reason }]);
      await this.leave(feeding);
      return true;
    }
    this.started.sent += rows.length;
    this.props.sent?.(request.id, rows.length);
    this.onQueue += rows.length;
    const { ahead, claim } = feeding;
    const cursor = claim.value;
    const next = cursor.next + rows.length;
    const { line, offset } = ahead ?? cursor;
    await claim.move({ v: 1, next, line, ...(cursor.offset !== undefined && { offset }) }, this.until);
    if (isSent(checked, claim.value)) {
      this.done.add(request.id);
      await this.leave(feeding);
    }
    return true;
  }

  /** Rows that a job may have on the queue beyond those that it has. */
  private async roomFor({ request, claim }: Feeding): Promise<number> {
    const { jobs, queue } = this.props;
    if (performance.now() - this.lookedAt > lookMilliseconds) {
      const { visible, hidden } = await queue.counts(this.until);
      this.onQueue = visible + hidden;
      this.lookedAt = performance.now();
    }
    if (this.onQueue < leastOnQueue - rowsPerRange) return rowsPerRange;
    const counts = (await jobs.read(factsOf(request.id).counts, jobCounts, this.until))?.value;
    if (counts === undefined) return leastOnQueue - Math.min(claim.value.next - 1, this.onQueue);
    const ended = counts.answered + counts.failed + counts.expired + counts.cancelled;
    const seconds = (counts.lastAt.getTime() - counts.firstAt.getTime()) / 1_000;
    const most = Math.max(leastOnQueue, seconds > 0 ? (secondsOnQueue * ended) / seconds : 0);
    return Math.floor(most) - Math.min(claim.value.next - 1 - ended, this.onQueue);
  }

  /**
   * Reads the next rows of a job, and one more to know where it starts. A connection may have ended while there was no
   * room: what breaks off is read anew, once.
   * @returns undefined where the job has failed by what was read
   */
  private async read(feeding: Feeding, count: number): Promise<readonly InputRow[] | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.readOnce(feeding, count);
      } catch (error) {
        await feeding.source?.return();
        feeding.source = undefined;
        feeding.ahead = undefined;
        if (attempt === 2 || this.until.signal.aborted) throw error;
      }
    }
  }

  private async readOnce(feeding: Feeding, count: number): Promise<readonly InputRow[] | undefined> {
    const { request, checked, claim } = feeding;
    const { next, line, offset } = claim.value;
    const rules = this.rulesOf(request, checked);
    feeding.source ??= this.props.inputs.rows(request.input, rules, { row: next, line, offset }, this.until);
    const rows: InputRow[] = [];
    let characters = 0;
    let { ahead } = feeding;
    for (;;) {
      if (ahead !== undefined) {
        if (rows.length === count || characters > charactersPerRange) break;
        rows.push(ahead);
        characters += ahead.features?.length ?? 0;
        ahead = undefined;
        if (next + rows.length > checked.rows) break;
      }
      const { value, done } = await feeding.source.next();
      const fault =
        done || !value ? { reason: "the input has fewer rows than were checked" } : isFault(value) ? value : undefined;
      if (fault !== undefined) {
        await this.fail(request, [fault]);
        await this.leave(feeding);
        return undefined;
      }
      if (value && !isFault(value)) ahead = value;
    }
    feeding.ahead = ahead;
    return rows;
  }
}
