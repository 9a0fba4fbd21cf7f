import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { requestOf } from "../../pipeline/dead-letters";
import { QueueWalk, type Received } from "../../pipeline/queue-walk";
import { Queue, sqsClient } from "../../pipeline/queues";
import { carriesFeatures } from "../../pipeline/request-reader";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { progressOf } from "../progress";
import { unseenOf } from "./failed-letters";
import { cancelledFileOf } from "./job-receipts";
import { receiptHeader, receiptLine } from "./receipt";
import { cannot } from "./results-print";

const [newline, quote] = [...Buffer.from('\n"')];

/** Where the last whole line of a CSV file ends: a process that was killed may have left a part of one behind it. */
async function endOfLines(path: string): Promise<number> {
  let [position, end, inQuotes] = [0, 0, false];
  const chunks: AsyncIterable<Buffer> = createReadStream(path);
  for await (const chunk of chunks) {
    for (const byte of chunk) {
      position++;
      if (byte === quote) inQuotes = !inQuotes;
      else if (byte === newline && !inQuotes) end = position;
    }
  }
  return end;
}

/** A receipt that entries are added to, and are on the disk when that is done. */
async function openReceipt(path: string) {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a+");
  const add = async (text: string) => {
    await file.appendFile(text);
    await file.datasync();
  };
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(receiptHeader.length), 0, receiptHeader.length, 0);
    const start = buffer.toString("utf8", 0, bytesRead);
    if (!receiptHeader.startsWith(start)) {
      throw new Error(`${path} is no receipt: it is left as it is. Name another file by --output.`);
    }
    await file.truncate(await endOfLines(path));
    if (start !== receiptHeader) await add(receiptHeader);
  } catch (error) {
    await file.close();
    throw error;
  }
  return { add, close: () => file.close() };
}

/**
 * Takes what has not been started of a job off the queue, and keeps it in a receipt. A request is in the file before it
 * is taken away, so that it may be answered as well if this is cut off, but is never lost. A request that carries its
 * features stays on the queue: a receipt does not hold them. Where there are such the program ends with 2.
 * @param output the file; one that is there is added to @default receipts/<job>-cancelled.csv
 */
export async function cancelJob(
  pipeline: Pipeline,
  jobId: string,
  output: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const path = output ?? cancelledFileOf(jobId);
  const client = sqsClient();
  const queue = new Queue(pipeline.queueUrl, client);
  const walk = new QueueWalk(pipeline.queueUrl, client);
  let file: Awaited<ReturnType<typeof openReceipt>> | undefined;
  let [taken, carrying] = [0, 0];
  const progress = progressOf("requests taken off the queue");

  const visit = async (messages: readonly Received[]) => {
    const requests = new Map(messages.map((message) => [message, requestOf(message)]));
    const all = messages.filter((message) => requests.get(message)?.jobId === jobId);
    const ours = all.filter(({ body }) => !carriesFeatures(body));
    carrying += all.length - ours.length;
    if (ours.length === 0) return messages;
    file ??= await openReceipt(path);
    const lines = ours.map((message) => {
      const { inputId = "", requestId = "" } = requests.get(message) ?? {};
      return receiptLine({ id: inputId, requestId, jobId });
    });
    await file.add(lines.join(""));
    const undeleted = await queue.delete(ours); // whatever comes now: what stays would be answered as well
    const gone = new Set(ours.filter((_, place) => undeleted[place] === undefined));
    taken += gone.size;
    progress.update(taken);
    signal.throwIfAborted();
    return messages.filter((message) => !gone.has(message));
  };

  const goOn = (file: string) => `Put back what was taken off: offline-inference requests publish --csv ${file}`;
  try {
    const walked = await walk.walk(visit, { signal });
    progress.stop();
    const { hidden } = await walk.counts({ signal });
    console.error(
      taken + carrying === 0
        ? `There is no request of the job ${JSON.stringify(jobId)} on the queue.`
        : `${whole(taken)} request${taken === 1 ? "" : "s"} of the job ${JSON.stringify(jobId)} taken off the queue.`,
    );
    if (taken > 0) {
      console.log(path);
      console.error(goOn(path));
    }
    if (carrying > 0) {
      console.error(
        `${whole(carrying)} request${carrying === 1 ? " carries its" : "s carry their"} features, which a receipt does not hold: not cancelled, and still on the queue.`,
      );
      process.exitCode = 2;
    }
    for (const line of walked.whole ? [] : unseenOf({ ...walked, hidden: 0 })) console.error(line);
    if (hidden > 0) {
      console.error(
        `About ${whole(hidden)} message${hidden === 1 ? " is" : "s are"} with the worker, or rest${hidden === 1 ? "s" : ""} after a failure: those of this job go on.`,
      );
    }
  } catch (error) {
    progress.stop();
    if (taken > 0) console.error(`${whole(taken)} were taken off before this. ${goOn(path)}`);
    console.error("Run it again to take off the rest.");
    cannot(`cancel the job ${JSON.stringify(jobId)}`, signal)(error);
  } finally {
    progress.stop();
    await file?.close();
    client.destroy();
  }
}
