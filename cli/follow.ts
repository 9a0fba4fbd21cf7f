import { setTimeout } from "node:timers/promises";
import type { DeadLetters } from "../pipeline/dead-letters";
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
  readonly deadLetters: Pick<DeadLetters, "look">;
  /** Told at every look how many requests have ended. */
  readonly onProgress: (ended: number) => void;
  /** Ends the following, with the signal's reason. */
  readonly signal: AbortSignal;
}

const lookEveryMilliseconds = 100;

/** Waits until every request of a job has its prediction or lies in the dead-letter queue. */
export async function follow(props: FollowProps): Promise<Ending> {
  const { jobId, requestIds, results, onProgress, signal } = props;
  const deadLetters = new Map<string, string>();
  const ours = new Set(requestIds);
  const lookAtDeadLetters = () =>
    props.deadLetters.look(
      (letters) => {
        for (const { requestId, reason } of letters) {
          if (requestId !== undefined && ours.has(requestId)) deadLetters.set(requestId, reason);
        }
      },
      { signal },
      { waitSeconds: 0 }, // the next look comes soon
    );
  for (;;) {
    const [count] = await Promise.all([results.countOfJob(jobId), lookAtDeadLetters()]);
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
