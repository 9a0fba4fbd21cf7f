import { QueueWalk } from "../../pipeline/queue-walk";
import { failedTo } from "../shared/aws-error";
import type { Pipeline } from "../shared/connection";

/** How many messages lie on the queue. */
export async function waitingOn({ queueUrl }: Pipeline, signal: AbortSignal): Promise<number> {
  const counting = new QueueWalk(queueUrl).counts({ signal });
  const { visible, hidden } = await counting.catch(failedTo(`count the messages of ${queueUrl}`, signal));
  return visible + hidden;
}
