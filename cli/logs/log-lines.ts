import {
  CloudWatchLogsClient,
  type FilteredLogEvent,
  paginateFilterLogEvents,
  ResourceNotFoundException,
} from "@aws-sdk/client-cloudwatch-logs";
import { parsedJson } from "../../contract/json-text";
import { clientSettings, within } from "../../pipeline/clients";
import { isRecord } from "../deployment/plan";
import { failedTo, namingActions } from "../shared/aws-error";
import type { Connection } from "../shared/connection";

/** The functions in the order in which a request goes through them. */
const parts = ["api", "starter", "worker", "loader", "writer"] as const;
type Part = (typeof parts)[number];

/** What lines are looked for of. */
export type About = { readonly request: string } | { readonly job: string };

/** A line of a function's log. */
export interface LogLine {
  readonly at: Date;
  readonly function: Part;
  /** As the function wrote it: an object where it is JSON, else its text. */
  readonly line: unknown;
}

/** What was found. */
export interface FoundLines {
  readonly about: About;
  readonly since: Date;
  readonly lines: readonly LogLine[];
  /** Why there may be more. @default there are no more */
  readonly more?: string;
}

/** The most lines that are read, and the most characters of them. */
const [mostLines, mostCharacters] = [2_000, 20_000_000];
/** The longest that is looked for them, in milliseconds: CloudWatch goes through all of a time's log. */
const longestLook = 60_000;
/** The most objects whose loading is looked for. */
const mostObjects = 100;
/** A pattern has 1,024 characters at most (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html). */
const patternCharacters = 1_024;

/** A text as a filter pattern has it: the lines of JSON that have it somewhere. */
const term = (text: string) => `"${JSON.stringify(text).slice(1, -1).replace(/[\\"]/g, "\\$&")}"`;

/** Terms as patterns of which each finds the lines that have one of its terms. */
function anyOf(texts: readonly string[]): string[] {
  const patterns: string[] = [];
  for (const text of texts) {
    const one = `?${term(text)}`;
    const last = patterns.at(-1);
    if (last === undefined || last.length + one.length + 1 > patternCharacters) patterns.push(one);
    else patterns[patterns.length - 1] = `${last} ${one}`;
  }
  return patterns;
}

/** Whether a text stands somewhere in a line by itself, and is no part of a longer one. */
function names(line: unknown, text: string): boolean {
  if (typeof line === "string") return line === text;
  if (Array.isArray(line)) return line.some((one) => names(one, text));
  return isRecord(line) && Object.values(line).some((one) => names(one, text));
}

const memberOf = (line: unknown, name: string): string | undefined => {
  const value = isRecord(line) ? line[name] : undefined;
  return typeof value === "string" ? value : undefined;
};

const distinct = (lines: readonly LogLine[], name: string) => [
  ...new Set(lines.flatMap(({ line }) => memberOf(line, name) ?? [])),
];

/**
 * What the functions logged of a request or of a job, the oldest first: the lines that name it, and what became of the
 * objects in which its outcomes were staged.
 * @throws where CloudWatch Logs cannot be asked
 */
export async function findLines(
  { pipeline, environment }: Connection,
  about: About,
  since: Date,
  signal: AbortSignal,
): Promise<FoundLines> {
  const functions: Record<Part, string> = {
    api: environment.api.functionName,
    starter: environment.jobs.starterFunctionName,
    worker: pipeline.workerFunctionName,
    loader: pipeline.loaderFunctionName,
    writer: pipeline.writerFunctionName,
  };
  const search = new Search(functions, since, signal);
  try {
    const text = "job" in about ? about.job : about.request;
    const naming = await search.all(["api", "starter", "worker", "writer"], [term(text)], (line) => names(line, text));
    const ofWorker = naming.filter((one) => one.function === "worker");
    const keys = distinct(ofWorker, "key");
    const loading = await search.all(["loader"], anyOf(keys.slice(0, mostObjects)), (line) =>
      keys.includes(memberOf(line, "key") ?? ""),
    );
    const jobs = "job" in about ? [] : distinct(ofWorker, "job");
    const sending = await search.all(["starter"], anyOf(jobs), (line) => jobs.includes(memberOf(line, "job") ?? ""));
    if (keys.length > mostObjects)
      search.stopped ??= "of its many outcomes, the loading of the first alone was looked for";
    const lines = [...naming, ...loading, ...sending].sort(
      (one, other) =>
        one.at.getTime() - other.at.getTime() || parts.indexOf(one.function) - parts.indexOf(other.function),
    );
    return { about, since, lines, more: search.stopped };
  } finally {
    search.close();
  }
}

class Search {
  /** Why it found not all. */
  stopped: string | undefined;
  private readonly client = namingActions(
    new CloudWatchLogsClient(clientSettings({ requestTimeout: 20_000, maxAttempts: 6 })),
  );
  private readonly time = within(longestLook).signal;
  private lines = 0;
  private characters = 0;

  constructor(
    private readonly functions: Readonly<Record<Part, string>>,
    private readonly since: Date,
    private readonly signal: AbortSignal,
  ) {}

  /** The lines of some functions that a pattern finds and `isMeant` takes. */
  async all(
    of: readonly Part[],
    patterns: readonly string[],
    isMeant: (line: unknown) => boolean,
  ): Promise<readonly LogLine[]> {
    const found = await Promise.all(of.map((part) => this.of(part, patterns, isMeant)));
    return found.flat();
  }

  private async of(part: Part, patterns: readonly string[], isMeant: (line: unknown) => boolean): Promise<LogLine[]> {
    const found: LogLine[] = [];
    for (const filterPattern of patterns) {
      for await (const events of this.pages(part, filterPattern)) {
        for (const { timestamp = 0, message = "" } of events) {
          const line = lineIn(message);
          this.characters += message.length;
          if (isMeant(line)) found.push({ at: new Date(timestamp), function: part, line });
        }
        this.lines += events.length;
        if (this.isOver()) return found;
      }
    }
    return found;
  }

  private async *pages(part: Part, filterPattern: string): AsyncGenerator<readonly FilteredLogEvent[]> {
    const abortSignal = AbortSignal.any([this.signal, this.time]);
    const logGroupName = `/aws/lambda/${this.functions[part]}`;
    const input = { logGroupName, filterPattern, startTime: this.since.getTime(), limit: mostLines };
    try {
      const pages = paginateFilterLogEvents({ client: this.client }, input, { abortSignal });
      for await (const { events = [] } of pages) yield events;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) this.stopped ??= `there is no log ${logGroupName}`;
      else if (this.time.aborted && !this.signal.aborted) {
        this.stopped ??= "a minute was too short to look through all of that time";
      } else failedTo(`read the log ${logGroupName}`)(error);
    }
  }

  private isOver(): boolean {
    const isOver = this.lines >= mostLines || this.characters >= mostCharacters;
    if (isOver) this.stopped ??= "only the first lines were read";
    return isOver;
  }

  close(): void {
    this.client.destroy();
  }
}

function lineIn(message: string): unknown {
  const said = parsedJson(message);
  return said === undefined ? message.trimEnd() : said;
}
