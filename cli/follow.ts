import { setTimeout } from "node:timers/promises";
import { type Message, ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { InvalidRequest, parseRequest } from "../pipeline/requests";
import type { Prediction, Results } from "../pipeline/results";

/** How the requests of a job ended, by request id. A request that has a prediction is no dead letter. */
export interface Ending {
  readonly predictions: Map<string, Prediction>;
  /** Why each of the others is in the dead-letter queue. */
  readonly deadLetters: Map<string, string>;
}

export interface FollowProps {
  readonly jobId: string;
  readonly requestIds: readonly string[];
  readonly results: Pick<Results, "countOfJob" | "ofJob">;
  readonly sqs: SQSClient;
  readonly deadLetterQueueUrl: string;
  /** Told at every look how many requests have ended. */
  readonly onProgress: (ended: number) => void;
  /** Ends the following, with the signal's reason. */
  readonly signal: AbortSignal;
}

const lookEveryMilliseconds = 100;
const movedByTheQueue = "every delivery that the queue allows has failed; the worker's log says why";

/** Waits until every request of a job has its prediction or lies in the dead-letter queue. */
export async function follow(props: FollowProps): Promise<Ending> {
  const { jobId, requestIds, results, onProgress, signal } = props;
  const deadLetters = new Map<string, string>();
  for (;;) {
    const [count] = await Promise.all([results.countOfJob(jobId), readDeadLetters(props, deadLetters)]);
    const ended = Math.min(count + deadLetters.size, requestIds.length);
    onProgress(ended);
    if (ended === requestIds.length) {
      const predictions = new Map((await results.ofJob(jobId)).map((prediction) => [prediction.requestId, prediction]));
      for (const requestId of predictions.keys()) deadLetters.delete(requestId);
      if (requestIds.every((id) => predictions.has(id) || deadLetters.has(id))) return { predictions, deadLetters };
    }
    await setTimeout(lookEveryMilliseconds, undefined, { signal });
  }
}

/** The request that a dead letter was, or undefined where it was none: those that we sent always are. */
const requestIdOf = ({ MessageId: messageId = "", Body: body = "" }: Message): string | undefined => {
  try {
    return parseRequest({ messageId, body, sentAt: new Date() }).requestId;
  } catch (error) {
    if (error instanceof InvalidRequest) return undefined;
    throw error;
  }
};

/** Adds what lies in the dead-letter queue, and leaves it there: others see it again after the visibility timeout. */
async function readDeadLetters(props: FollowProps, found: Map<string, string>): Promise<void> {
  const { sqs, deadLetterQueueUrl, requestIds, signal } = props;
  const ours = new Set(requestIds);
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: deadLetterQueueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 30,
        MessageAttributeNames: ["reason"],
      }),
      { abortSignal: signal },
    );
    for (const message of Messages) {
      const requestId = requestIdOf(message);
      const reason = message.MessageAttributes?.reason?.StringValue ?? movedByTheQueue;
      if (requestId !== undefined && ours.has(requestId)) found.set(requestId, reason);
    }
    if (Messages.length === 0) return;
  }
}
