import { once } from "node:events";
import { PassThrough } from "node:stream";
import { ruleOf } from "../../contract/failure-table";
import { DeadLetters, type LyingLetter, type RedriveOptions } from "../../pipeline/dead-letters";
import type { Walked } from "../../pipeline/queue-walk";
import { failedTo } from "../shared/aws-error";
import type { Pipeline } from "../shared/connection";
import { counted, whole } from "../shared/numbers";
import { type OutputColumn, type OutputOptions, writeRows } from "../shared/output";
import { progressOf } from "../shared/progress";
import { cellOf, textTable } from "../shared/text-table";
import { remedyOf } from "./remedies";

const letters = (count: number) => counted(count, "dead letter");

/** What a walk could not see, for people; nothing where it saw all. */
function unseenOf({ hidden, whole: isWhole }: Walked): string[] {
  return [
    ...(isWhole ? [] : ["There are more: SQS lets no more be seen at once. Run it again once these are gone."]),
    ...(hidden === 0
      ? []
      : [
          `About ${whole(hidden)} more ${hidden === 1 ? "is" : "are"} hidden: another command is looking at them, or was ended while it did. They are seen again within a minute or two.`,
        ]),
  ];
}

/** Letters of requests that broke one rule. */
interface Group {
  readonly code: string;
  readonly rule: string;
  readonly letters: Pick<LyingLetter, "id" | "requestId" | "jobId">[];
}

const idsShown = 5;

/** The most characters in a cell of the table, which are some lines: what others put into the queue may be huge. */
const most = { code: 24, rule: 160, id: 22 };

/** What lies in the dead-letter queue, grouped by code and rule, the most frequent first. It stays there. */
export async function failedGroups(pipeline: Pipeline, signal: AbortSignal) {
  const groups = new Map<string, Group>();
  const visit = (found: readonly LyingLetter[]) => {
    for (const { code, reason, id, requestId, jobId } of found) {
      const rule = ruleOf(reason);
      const key = JSON.stringify([code, rule]);
      const group = groups.get(key) ?? { code, rule, letters: [] };
      groups.set(key, group);
      group.letters.push({ id, requestId, jobId });
    }
  };
  const walked = await new DeadLetters(pipeline.deadLetterQueueUrl)
    .look(visit, { signal })
    .catch(failedTo("look through the dead-letter queue", signal));
  return { groups: [...groups.values()].sort((one, other) => other.letters.length - one.letters.length), walked };
}

/** Prints {@link failedGroups}. */
export async function showFailed(pipeline: Pipeline, asJson: boolean, signal: AbortSignal): Promise<void> {
  const { groups: sorted, walked } = await failedGroups(pipeline, signal);
  if (asJson) {
    const shown = sorted.map(({ code, rule, letters }) => {
      const requests = letters.map(({ id, requestId, jobId }) => ({ id, request_id: requestId, job_id: jobId }));
      return { code, rule, count: letters.length, requests };
    });
    console.log(JSON.stringify({ groups: shown, hidden: walked.hidden }, undefined, 2));
  } else if (sorted.length > 0) console.log(tableOf(sorted));
  if (walked.seen === 0) console.error("There is no dead letter.");
  else {
    for (const line of adviceFor(sorted, pipeline)) console.error(line);
    console.error(`${letters(walked.seen)}. They can go back to the queue: ${pipeline.commandFor("failed redrive")}`);
  }
  for (const line of unseenOf(walked)) console.error(line);
}

/** What makes the requests of groups succeed, a line a code. */
export const adviceFor = (groups: readonly Group[], { commandFor }: Pipeline): string[] =>
  [...new Set(groups.map(({ code }) => code))].flatMap((code) => {
    const remedy = remedyOf(code);
    return remedy === undefined ? [] : [`${code}: ${remedy.what}: ${commandFor(remedy.command)}`];
  });

function tableOf(groups: readonly Group[]): string {
  const rows = groups.map(({ code, rule, letters }) => {
    const ids = new Set(letters.flatMap(({ id }) => id ?? []));
    const some = [...ids].slice(0, idsShown).map((id) => cellOf(id, most.id));
    const shown = [...some, ...(ids.size > idsShown ? ["…"] : [])].join(" ");
    return [whole(letters.length), cellOf(code, most.code), cellOf(rule, most.rule), shown];
  });
  return textTable(["count", "code", "rule", "ids"], rows);
}

/**
 * Sends dead letters back to the queue.
 * @param reason a code, or a part of a reason @default whatever the reason
 * @param onProgress told how many have gone back
 * @returns whether all that were meant have gone back, and what became of them in sentences
 */
export async function redrive(
  pipeline: Pipeline,
  reason: string | undefined,
  signal: AbortSignal,
  onProgress?: RedriveOptions["onProgress"],
): Promise<{ readonly isDone: boolean; readonly said: readonly string[] }> {
  const part = reason?.toLowerCase();
  const isWanted: RedriveOptions["isWanted"] = (letter) =>
    part === undefined || letter.code === reason || letter.reason.toLowerCase().includes(part);
  const deadLetters = new DeadLetters(pipeline.deadLetterQueueUrl);
  const redriven = await deadLetters.redrive(pipeline.queueUrl, { isWanted, onProgress }, { signal });
  const { sent, unreadable, again, refused } = redriven;
  const stay = (count: number) => `${letters(count)} stay${count === 1 ? "s" : ""}`;
  const said = [
    `${letters(sent)} went back to the queue.`,
    ...(unreadable > 0 ? [`${stay(unreadable)}, being no request: failed export shows them.`] : []),
    ...(again > 0 ? [`${stay(again)}: a copy of one that went back, or the same request, failed again.`] : []),
    ...[...refused].map(([why, count]) => `${stay(count)}: ${why}`),
    ...unseenOf(redriven),
  ];
  return { isDone: unreadable === 0 && refused.size === 0, said };
}

/** Does {@link redrive}, and tells of it. @returns whether all that were meant have gone back */
export async function redriveFailed(
  pipeline: Pipeline,
  reason: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  let sent = 0;
  const redriving = async () => {
    const deadLetters = new DeadLetters(pipeline.deadLetterQueueUrl);
    const progress = progressOf("dead letters", reason === undefined ? await deadLetters.count({ signal }) : undefined);
    const onProgress = (count: number) => {
      sent = count;
      progress.update(count);
    };
    try {
      return await redrive(pipeline, reason, signal, onProgress);
    } finally {
      progress.stop();
    }
  };
  const { isDone, said } = await redriving().catch((error: unknown) => {
    console.error(`${letters(sent)} went back to the queue before this. The others stay: run it again.`);
    return failedTo("send dead letters back to the queue", signal)(error);
  });
  for (const line of said) console.error(line);
  return isDone;
}

const columns: readonly OutputColumn[] = [
  ...["id", "request_id", "job_id", "code", "reason"].map((name) => ({ name, type: "text" as const })),
  { name: "requested_at", type: "time" },
  { name: "body", type: "text" },
];

/**
 * Writes all dead letters, a row each, and leaves them where they are.
 * @param output the file @default standard output
 */
export async function exportFailed(
  pipeline: Pipeline,
  { output, ...how }: Omit<OutputOptions, "columns">,
  signal: AbortSignal,
): Promise<void> {
  const deadLetters = new DeadLetters(pipeline.deadLetterQueueUrl);
  let walked: Walked | undefined;
  async function* pages() {
    const read = new PassThrough({ objectMode: true, highWaterMark: 1 });
    const visit = async (found: readonly LyingLetter[]) => {
      if (read.destroyed) throw new Error("nobody reads on");
      if (!read.write(found)) await once(read, "drain");
    };
    const looking = deadLetters.look(visit, { signal }).then(
      (result) => {
        walked = result;
        read.end();
      },
      (error) => {
        read.destroy(error);
      },
    );
    try {
      const found: AsyncIterable<readonly LyingLetter[]> = read;
      for await (const page of found) yield page.map(rowOf);
    } finally {
      read.destroy(new Error("nobody reads on"));
      await looking;
    }
  }
  await writeRows(pages(), { ...how, columns, output }).catch(failedTo("export the dead letters", signal));
  if (walked === undefined) return;
  console.error(`${letters(walked.seen)}${output === undefined ? "" : ` in ${output}`}. They stay in their queue.`);
  for (const line of unseenOf(walked)) console.error(line);
}

const rowOf = ({ id, requestId, jobId, code, reason, request, body }: LyingLetter) => {
  return { id, request_id: requestId, job_id: jobId, code, reason, requested_at: request?.requestedAt, body };
};
