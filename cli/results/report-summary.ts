import { countedBytes, countedOutput } from "../../contract/counted-answer";
import { ruleOf } from "../../contract/failure-table";
import { isRowFailure, type ResultRow, resultColumns } from "../../contract/job-result";
import type { ModelContract } from "../../contract/model-contract";
import { featuresOf } from "../../pipeline/job-result";

/** The most that a summary keeps, however many rows there are. */
const most = {
  /** Different texts of a kind that are counted: of more, the later ones are counted together. */
  texts: 1_000,
  /** Rows of all, evenly. */
  rows: 2_000,
  /** Rows that failed, the first ones, beside those. */
  failed: 500,
  /** UTF-16 code units of all rows together, and of a value. */
  size: 2_000_000,
  value: 200,
  features: 6,
  outputs: 4,
};

/** How often each of many texts came. */
export class Counted {
  readonly counts = new Map<string, number>();
  /** Those that are not counted by themselves: they are too long, or came after too many different ones. */
  others = 0;

  add(text: string | undefined): void {
    if (text === undefined || (this.counts.size === most.texts && !this.counts.has(text))) this.others++;
    else this.counts.set(text, (this.counts.get(text) ?? 0) + 1);
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, this.others);
  }

  /** The most frequent first. */
  get sorted(): (readonly [text: string, count: number])[] {
    return [...this.counts].sort(([, one], [, other]) => other - one);
  }
}

/** Says what is counted of a row's answer, as `results --shares` counts it; undefined of none, and of free text. */
export function answerReader(contract: ModelContract): (row: ResultRow) => string | undefined {
  const counted = countedOutput(contract);
  const place = counted && contract.outputs.indexOf(counted);
  return ({ fate }) => {
    if (isRowFailure(fate)) return undefined;
    const answer = place === undefined ? fate.output : fate.values[place]?.toString();
    return answer !== undefined && Buffer.byteLength(answer) > countedBytes ? undefined : answer;
  };
}

/** The labels of a job's rows. */
export interface Labels {
  /** The column that has them. */
  readonly column: string;
  /** What a row should have been answered; undefined where nobody says. Rows are asked for in their order. */
  of(row: number, id: string): Promise<string | undefined>;
}

export interface SummaryOptions {
  readonly contract: ModelContract;
  /** How many rows there are. */
  readonly rows: number;
  /** How many seconds a span of time has. */
  readonly spanSeconds: number;
  readonly labels?: Labels;
}

/** What a report says of the rows of a result, which pass once: it stays small however many there are. */
export class JobSummary {
  readonly answers = new Counted();
  /** Rows that failed, by code and the rule that they broke, as JSON. */
  readonly failures = new Counted();
  /** Answered rows by span of time since 1970. */
  readonly spans = new Map<number, number>();
  /** Answered rows by label and answer, as JSON. */
  readonly judged = new Counted();
  /** Judged rows whose answer is their label. */
  right = 0;
  readonly columns: { readonly name: string; readonly isNumber: boolean }[] = [];
  /** Some rows, by column. */
  readonly rows: (string | null)[][] = [];
  private readonly answerOf: (row: ResultRow) => string | undefined;
  private readonly every: number;
  private valuesOf?: (row: ResultRow) => (string | null)[];
  private size = 0;
  private failed = 0;

  constructor(private readonly options: SummaryOptions) {
    this.answerOf = answerReader(options.contract);
    this.every = Math.max(1, Math.ceil(options.rows / most.rows));
  }

  async add(page: readonly ResultRow[]): Promise<void> {
    const { labels, spanSeconds } = this.options;
    for (const row of page) {
      const label = await labels?.of(row.row, row.id);
      const { fate } = row;
      if (isRowFailure(fate)) this.failures.add(JSON.stringify([fate.code, ruleOf(fate.reason)]));
      else {
        const answer = this.answerOf(row);
        this.answers.add(answer);
        const span = Math.floor(fate.predictedAt.getTime() / 1_000 / spanSeconds);
        this.spans.set(span, (this.spans.get(span) ?? 0) + 1);
        if (label !== undefined && answer !== undefined) {
          this.judged.add(JSON.stringify([label, answer]));
          if (label === answer) this.right++;
        }
      }
      this.keep(row, label);
    }
  }

  /** Keeps a row where it is one of those that are shown. */
  private keep(row: ResultRow, label: string | undefined): void {
    const isFailed = isRowFailure(row.fate) && this.failed < most.failed;
    if ((!isFailed && (row.row - 1) % this.every !== 0) || this.size > most.size) return;
    if (isFailed) this.failed++;
    this.valuesOf ??= this.reader(row.features !== undefined);
    const values = this.valuesOf(row);
    if (this.options.labels) values.push(label ?? null);
    this.rows.push(values);
    this.size += values.reduce((sum, value) => sum + (value?.length ?? 0) + 4, 0);
  }

  /** Reads the values of the columns that are shown. */
  private reader(carriesFeatures: boolean) {
    const { contract, labels } = this.options;
    const { features, outputs } = contract;
    const all = resultColumns(contract, carriesFeatures);
    const start = 3 + (carriesFeatures ? features.length : 0);
    const [answer, ...others] = all.slice(start, start + 1 + outputs.length);
    const shown = [
      ...all.slice(0, Math.min(start, 3 + most.features)),
      ...(outputs.length === 0 && answer ? [answer] : others.slice(0, most.outputs)),
      ...all.slice(-2), // code and reason
    ];
    this.columns.push(...shown.map(({ name, type }) => ({ name, isNumber: type === "integer" || type === "number" })));
    if (labels) this.columns.push({ name: `${labels.column} (expected)`, isNumber: false });
    return (row: ResultRow) => {
      const values = featuresOf(row, contract);
      return shown.map(({ of }) => {
        const text = of(row, values)?.toString() ?? null;
        return text !== null && text.length > most.value ? `${text.slice(0, most.value)}…` : text;
      });
    };
  }
}
