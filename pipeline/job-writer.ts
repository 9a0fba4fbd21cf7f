import type { StagedObject } from "../contract/answers-bucket";
import {
  type Ended,
  factsOf,
  hashOf,
  type JobFacts,
  type JobFailed,
  type JobManifest,
  type JobRequest,
  jobCursor,
  jobFolders,
  jobRequest,
  openMark,
  runOf,
  stateOf,
  stopMark,
} from "../contract/job";
import {
  endingOfRow,
  type Fate,
  type InputRow,
  isRowFailure,
  type ResultRow,
  withoutOutcome,
} from "../contract/job-result";
import { turnOf } from "../contract/job-turn";
import type { ModelContract } from "../contract/model-contract";
import { reasonOf, type Until } from "./clients";
import type { Events } from "./events";
import { limiter } from "./flow";
import { newId } from "./ids";
import { mergedRows, partEndings, partsOf, type RowOutcome } from "./job-result";
import type { JobResults } from "./job-results";
import { UnusableInput } from "./job-rows";
import type { Jobs, Marks } from "./jobs";
import type { Outcomes } from "./outcomes";

export interface JobWriterProps {
  readonly jobs: Jobs;
  readonly results: JobResults;
  readonly outcomes: Pick<Outcomes, "waiting">;
  readonly events: Pick<Events, "tellEnd">;
  readonly contract: ModelContract;
  /** The rows of a job's input. @throws UnusableInput */
  readonly input: (request: JobRequest, until: Until) => AsyncIterable<InputRow>;
  /** What became of the rows of a run, in their order. */
  readonly outcomesOf: (run: string, jobId: string, until: Until) => AsyncIterable<RowOutcome>;
  /** How long the queue hides a message that was received. */
  readonly visibilitySeconds: number;
  /** The longest that a run of the worker takes. */
  readonly workerSeconds: number;
  /** How long the queue keeps a message. */
  readonly retentionSeconds: number;
}

/** What came of a run of the writer. */
export interface Written {
  /** Jobs whose result it wrote. */
  written: string[];
  /** Jobs that have ended, which was told. */
  ended: string[];
  /** Jobs whose turn it is not. */
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

/** Writes the results of jobs that are finished, and tells that they are. What is done twice, or at once, is harmless. */
export class JobWriter {
  constructor(private readonly props: JobWriterProps) {}

  /** Does what is due for all jobs. None of them keeps the others from it. @throws where they cannot be listed */
  async run(until: Until): Promise<Written> {
    const written: Written = { written: [], ended: [], waiting: 0, failed: [] };
    const each = async <T>(id: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        written.failed.push({ id, reason: reasonOf(error) });
        return undefined;
      }
    };
    const now = new Date(); // before anything is looked at, so that nothing is held to be in that comes later
    const marks = await this.props.jobs.open(until);
    let waiting: Promise<StagedObject[]> | undefined;
    const staged = () => {
      waiting ??= this.props.outcomes.waiting(until);
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
        if (turn === "write" && !(await this.write(facts, written, until))) return;
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

  /** Writes a job's result. @returns whether it is this one, or there never will be any */
  private async write(facts: JobFacts, written: Written, until: Until): Promise<boolean> {
    const { jobs } = this.props;
    const { id } = facts.request;
    try {
      const manifest = await this.writeParts(facts, until);
      const isMine = await jobs.create(factsOf(id).manifest, manifest, until);
      if (isMine) written.written.push(id);
      else await this.clean(id, until);
      return isMine;
    } catch (error) {
      if (!(error instanceof UnusableInput)) throw error;
      const failed: JobFailed = { v: 1, failedAt: new Date(), errors: [error.message], more: 0 };
      await jobs.create(factsOf(id).failed, failed, until);
      await jobs.mark(stopMark(id), until);
      return true;
    }
  }

  private async writeParts(facts: JobFacts, until: Until): Promise<JobManifest> {
    const { jobs, results, contract, input, outcomesOf } = this.props;
    const { request, checked, cancel } = facts;
    const { id, settings } = request;
    const { result: format } = settings;
    const asOf = new Date();
    const cursor = await jobs.read(factsOf(id).cursor, jobCursor, until);
    const fates = mergedRows(
      checked?.rows === 0 ? nothing() : input(request, until),
      outcomesOf(runOf(request), id, until),
      this.missing(facts, cursor?.value.next ?? 1, asOf),
    );
    const tally = new Tally();
    const folder = `${jobFolders.results}${id}/${newId()}/`;
    const parts: JobManifest["parts"][number][] = [];
    const shape = { format, contract, carriesFeatures: checked?.carriesFeatures ?? false };
    for await (const { body, ...part } of partsOf(tally.count(fates), shape)) {
      const key = `${folder}part-${String(parts.length + 1).padStart(5, "0")}${partEndings[format]}`;
      await results.put(key, body, until);
      parts.push({ key, ...part });
    }
    const { rows, ended, lost, releases } = tally;
    if (checked !== undefined && rows !== checked.rows) {
      throw new Error(`the input of ${id} has ${rows} rows, it was checked with ${checked.rows}`);
    }
    return {
      v: 1,
      id,
      outcome: cancel && ended.cancelled > 0 ? "cancelled" : ended.expired > 0 ? "expired" : "completed",
      format,
      rows,
      ...ended,
      lost,
      parts,
      releases: [...releases].sort(),
      contract: hashOf(contract),
      asOf,
      endedAt: new Date(),
    };
  }

  /** What became of a row that has no outcome. @param sent rows before it were sent */
  private missing({ request, cancel }: JobFacts, sent: number, now: Date): (row: number) => Fate {
    const isKept = now.getTime() < request.createdAt.getTime() + 1_000 * this.props.retentionSeconds;
    return (row) => {
      if (cancel !== undefined) return withoutOutcome.cancelled;
      if (!isKept && row < sent) return withoutOutcome.lost;
      if (request.deadline <= now) return withoutOutcome.expired;
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

  /** Deletes parts that are in no result. */
  private async clean(id: string, until: Until): Promise<void> {
    const facts = await this.props.jobs.facts(id, until);
    await this.props.results.keepOnly(
      id,
      (facts?.manifest?.parts ?? []).map(({ key }) => key),
      until,
    );
  }
}

async function* nothing(): AsyncGenerator<never, void, undefined> {}

/** Counts rows as they pass. */
class Tally {
  rows = 0;
  readonly ended: Record<keyof Ended, number> = { answered: 0, failed: 0, expired: 0, cancelled: 0 };
  lost = 0;
  readonly releases = new Set<string>();

  async *count(rows: AsyncIterable<ResultRow>): AsyncGenerator<ResultRow, void, undefined> {
    for await (const row of rows) {
      this.rows++;
      this.ended[endingOfRow(row)]++;
      if (row.fate === withoutOutcome.lost) this.lost++;
      if (!isRowFailure(row.fate)) this.releases.add(row.fate.modelRelease);
      yield row;
    }
  }
}
