import { QueueWalk } from "../../pipeline/queue-walk";
import { awsError } from "../shared/aws-error";
import type { Pipeline } from "../shared/connection";

/** How many messages lie on the queue. */
export async function waitingOn({ queueUrl }: Pipeline, signal: AbortSignal): Promise<number> {
  try {
    const { visible, hidden } = await new QueueWalk(queueUrl).counts({ signal });
    return visible + hidden;
  } catch (error) {
    throw signal.aborted ? error : awsError(`count the messages of ${queueUrl}`, error);
  }
}
