import * as z from "zod";
import type { StagedObject } from "../contract/answers-bucket";
import { nothing, textField, timestamp } from "../contract/columns";
import type { Tables } from "../contract/load-tables";
import { textExpression } from "../contract/sql-text";
import type { Until } from "./clients";
import { backOff } from "./flow";
import { runRow, writeCounts } from "./job-counts";
import type { Jobs } from "./jobs";
import { clockSkew, type Load, loadStatements } from "./load-statements";
import type { Outcomes } from "./outcomes";
import { type RedshiftData, StatementFailed, WarehousePaused } from "./redshift";

export interface LoaderProps {
  readonly outcomes: Pick<Outcomes, "list" | "urlOf" | "writeManifest" | "delete" | "reject">;
  readonly database: Pick<RedshiftData, "read" | "transaction" | "rowsOf">;
  readonly jobs: Pick<Jobs, "read" | "replace">;
  /** The role by which the cluster reads what is staged. */
  readonly copyRoleArn: string;
  readonly tables: Tables;
  /** Is told of each object whose rows are in the tables, and of the manifest that it was loaded by. @default nobody is */
  readonly tell?: (key: string, manifest: string) => void;
}

/** What came of loading. */
export interface Loaded {
  /** Objects that were loaded and deleted. */
  objects: number;
  /** Rows that were not there. */
  answers: number;
  failures: number;
  /** Objects that were set aside, each with why. */
  rejected: { key: string; reason: string }[];
  /** Objects that stay, since a newer version of this project wrote them. */
  newer: number;
  /** Whether more objects wait than were taken. */
  more: boolean;
  /** Whether the warehouse is paused: what is staged waits until it is back. */
  paused: boolean;
  /** The longest that an object had waited, in seconds; 0 where none did. */
  oldestSeconds: number;
}

/** What became of a request: its answer is stored, or why it failed. */
export type RequestOutcome = "answered" | { readonly code: string; readonly reason: string };

/** The least that a load is cut down to, where larger ones fail. */
const leastPerLoad = 10;

/** AWS advises against many small objects: at most so many a COPY (https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html). */
const objectsPerLoad = 2_000;

/** The most objects that one run sets aside. More than that are no accident of a few. */
const rejectionsPerRun = 10;

/** The data of a load is at fault: a row that the tables refuse, an object that cannot be inflated. */
const isFaultOfData = (reason: string) =>
  /load_error|inflate|gunzip|gzip|zlib|value too long|string length exceeds|null value|not-null|violates (not-null|check)|invalid (input|byte|digit|timestamp|json|unicode)|unicode|date\/time field/i.test(
    reason,
  );

/** An object is gone: another loader has loaded it. */
const isGone = (reason: string) => /NoSuchKey|specified key does not exist|S3 prefix '.*' does not exist/i.test(reason);

const maybe = textField.or(nothing);
const requestOutcomeRow = z
  .tuple([maybe, maybe])
  .transform(([code, reason = ""]): RequestOutcome => (code === undefined ? "answered" : { code, reason }));

const errorRow = z.tuple([textField, textField]).transform(([file, reason]) => ({ file: file.trim(), reason }));

/** Before anything is loaded. */
export const nothingLoaded = (): Loaded => {
  return { objects: 0, answers: 0, failures: 0, rejected: [], newer: 0, more: false, paused: false, oldestSeconds: 0 };
};

/** Moves staged outcomes into the warehouse, each once however often and by however many it is done. */
export class Loader {
  /** Objects that a load takes: fewer after one that has failed, since it may have been too large for its time. */
  private most = objectsPerLoad;

  constructor(private readonly props: LoaderProps) {}

  /**
   * Loads what is staged, as much as one load takes.
   * @param loaded what has come of it so far, also where this throws
   * @param leastAge how old the oldest object must be, in seconds, for a first load of no more than one takes. Until then
   * the warehouse is asked nothing. @default 0
   * @throws when it is not known that all is loaded. Nothing is lost, and loading it again is harmless.
   */
  async load(loaded: Loaded, until: Until, leastAge = 0): Promise<void> {
    const { objects, newer } = await this.props.outcomes.list(this.most + 1, until);
    const [oldest] = objects;
    const age = oldest ? (Date.now() - oldest.writtenAt.getTime()) / 1000 : 0;
    loaded.oldestSeconds = Math.max(loaded.oldestSeconds, age);
    loaded.newer = newer;
    loaded.more = objects.length > this.most;
    if (age < leastAge && !loaded.more && loaded.objects === 0) return;
    const taken = objects.slice(0, this.most);
    // The ids of others have no time to be found by: they are looked for in all rows, apart from the rest.
    await this.loadAll(
      taken.filter(({ range }) => range !== undefined),
      loaded,
      until,
    );
    if (loaded.paused) return;
    await this.loadAll(
      taken.filter(({ range }) => range === undefined),
      loaded,
      until,
    );
  }

  /** What became of a request, as far as the warehouse has it. */
  async outcomeOf(requestId: string, until: Until): Promise<RequestOutcome | undefined> {
    const { database, tables } = this.props;
    const of = `WHERE request_id = ${textExpression(requestId)}`; // only a literal lets Redshift pass over other ids
    const sql = `SELECT CAST(NULL AS VARCHAR(64)), CAST(NULL AS VARCHAR(4096)) FROM ${tables.results} ${of} UNION ALL SELECT code, reason FROM ${tables.failures} ${of}`;
    const found = await database.read(requestOutcomeRow, sql, {}, until);
    return found.find((one) => one === "answered") ?? found[0];
  }

  private async loadAll(objects: readonly StagedObject[], loaded: Loaded, until: Until): Promise<void> {
    if (objects.length === 0) return;
    const begun = new Date();
    try {
      await this.loadOnce(objects, loaded, until);
      this.most = Math.min(objectsPerLoad, 2 * this.most);
    } catch (error) {
      if (error instanceof StatementFailed && isGone(error.reason)) {
        loaded.more = true;
        await backOff(3, until.signal); // or one that COPY never finds would be asked for without a rest
      } else if (error instanceof StatementFailed && isFaultOfData(error.reason)) {
        await this.loadOthers(objects, await this.faultsOf(objects, begun, until), error, loaded, until);
      } else if (error instanceof WarehousePaused) {
        loaded.paused = true;
        loaded.more = false;
      } else {
        this.most = Math.max(leastPerLoad, Math.floor(this.most / 2));
        throw error;
      }
    }
  }

  /** Sets aside what is at fault, and loads the rest: in halves, where it is not known which that is. */
  private async loadOthers(
    objects: readonly StagedObject[],
    faults: ReadonlyMap<StagedObject, string>,
    error: StatementFailed,
    loaded: Loaded,
    until: Until,
  ) {
    const [first] = objects;
    if (faults.size > 0) {
      for (const [object, reason] of faults) await this.reject(object, reason, loaded, error, until);
      const rest = objects.filter((object) => !faults.has(object));
      await this.loadAll(rest, loaded, until);
    } else if (objects.length === 1 && first) {
      await this.reject(first, error.reason, loaded, error, until);
    } else {
      const half = Math.ceil(objects.length / 2);
      await this.loadAll(objects.slice(0, half), loaded, until);
      await this.loadAll(objects.slice(half), loaded, until);
    }
  }

  private async reject(object: StagedObject, reason: string, loaded: Loaded, error: StatementFailed, until: Until) {
    if (loaded.rejected.length >= rejectionsPerRun) throw error;
    await this.props.outcomes.reject(object, until);
    loaded.rejected.push({ key: object.key, reason });
  }

  private async loadOnce(objects: readonly StagedObject[], loaded: Loaded, until: Until): Promise<void> {
    const { outcomes, database, jobs, copyRoleArn, tables, tell } = this.props;
    const keys = objects.map(({ key }) => key);
    const manifest = await outcomes.writeManifest(keys, until);
    const manifestUrl = outcomes.urlOf(manifest);
    const load = { manifestUrl, copyRoleArn, range: rangeOf(objects), tables, now: new Date() };
    const loading = runLoad(database, load, until).catch(async (error: unknown) => {
      if (error instanceof WarehousePaused) await outcomes.delete([manifest], until); // each run would leave one
      throw error;
    });
    const { answers = 0, failures = 0, runs } = await loading;
    for (const key of keys) tell?.(key, manifest);
    loaded.objects += objects.length;
    loaded.answers += answers;
    loaded.failures += failures;
    await writeCounts(jobs, runs, until); // before the objects go: where this fails, loading them again does it
    await outcomes.delete([...keys, manifest], until);
  }

  /** The objects that the database names as faulty, each with why. What else it names is no concern of this load. */
  private async faultsOf(objects: readonly StagedObject[], begun: Date, until: Until) {
    const reasons = await loadErrors(this.props.database, begun, until);
    return new Map(
      objects.flatMap((object): [StagedObject, string][] => {
        const reason = reasons.get(this.props.outcomes.urlOf(object.key));
        return reason === undefined ? [] : [[object, reason]];
      }),
    );
  }
}

/**
 * Runs the statements of a load in one transaction.
 * @returns how many rows it wrote, as far as the database tells, and how the jobs stand whose rows were in it
 */
export const runLoad = async (
  database: Pick<RedshiftData, "transaction" | "rowsOf">,
  load: Load,
  until: Until,
): Promise<{ answers?: number; failures?: number; runs: z.output<typeof runRow>[] }> => {
  const statements = loadStatements(load);
  const done = await database.transaction(Object.values(statements), until);
  const placeOf = (name: keyof typeof statements) => Object.keys(statements).indexOf(name);
  return {
    answers: done.rows[placeOf("insertAnswers")],
    failures: done.rows[placeOf("insertFailures")],
    runs: await database.rowsOf(runRow, done, placeOf("readJobs"), until),
  };
};

/** Why objects could not be loaded since a time, by their addresses, as the database names them. */
export const loadErrors = async (
  database: Pick<RedshiftData, "read">,
  since: Date,
  until: Until,
): Promise<ReadonlyMap<string, string>> => {
  const sql =
    "SELECT file_name, error_message FROM sys_load_error_detail WHERE start_time >= CAST(:since AS TIMESTAMP)";
  const earlier = new Date(since.getTime() - clockSkew);
  const rows = await database.read(errorRow, sql, { since: timestamp(earlier) }, until);
  return new Map(rows.map(({ file, reason }) => [file, reason.trim()]));
};

/** The range of all request ids of the objects; undefined where some are out of any. */
const rangeOf = (objects: readonly StagedObject[]): readonly [string, string] | undefined => {
  const ranges = objects.flatMap(({ range }) => (range === undefined ? [] : [range]));
  if (ranges.length < objects.length) return undefined;
  const least = ranges.map(([first]) => first).sort()[0];
  const greatest = ranges
    .map(([, last]) => last)
    .sort()
    .at(-1);
  return least === undefined || greatest === undefined ? undefined : [least, greatest];
};
