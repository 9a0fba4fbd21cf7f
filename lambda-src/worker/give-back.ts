import { longestRest } from "../../contract/return-delay";
import type { Until } from "../../pipeline/clients";
import type { Queue } from "../../pipeline/queues";
import type { Delivery } from "./answer";

export interface GiveBackProps {
  readonly queue: Pick<Queue, "send" | "giveBack">;
  /** How long the queue keeps a message, in seconds. */
  readonly retentionSeconds: number;
  /** How long a message rests after its first delivery, in seconds. Each further time it is twice as long. */
  readonly firstDelaySeconds: number;
  /** The longest that a message rests, in seconds, 900 at most. */
  readonly longestDelaySeconds: number;
}

/** A delivery to give back. */
export interface Returned extends Delivery {
  /** The message that says the same under any message id. */
  readonly body: string;
  /** Whether it is sent anew now, since SQS would move it to the dead letters next, and nothing is written of that. */
  readonly isUnrecorded?: boolean;
}

/** What failed together comes back apart: each rests for a random part of the delay, at least half. */
const delayOf = (receiveCount: number, { firstDelaySeconds: first, longestDelaySeconds: longest }: GiveBackProps) =>
  Math.ceil(longestRest(receiveCount, { first, longest }) * (0.5 + Math.random() / 2));

/**
 * Lets messages rest before they come again. One that has half of its time behind it is put on the queue anew, for SQS
 * drops what expires; so is one that SQS would move to the dead letters with nothing written of it. Never throws: what could not be changed comes again when its visibility ends.
 * @returns the deliveries that are to be deleted, those that are to come again, and what went wrong
 */
export const giveBack = async (
  returned: readonly Returned[],
  props: GiveBackProps,
  until: Until,
): Promise<{ renewed: Delivery[]; kept: Delivery[]; faults: string[] }> => {
  const { queue, retentionSeconds } = props;
  const resting = returned.map((message) => ({ ...message, delaySeconds: delayOf(message.receiveCount, props) }));
  const renewalTime = Date.now() - (retentionSeconds * 1000) / 2;
  const old = resting.filter(({ sentAt, isUnrecorded }) => isUnrecorded || sentAt.getTime() < renewalTime);
  const unsent = await queue.send(old, until);
  const renewed = new Set(old.filter((_, place) => unsent[place] === undefined));
  const kept = resting.filter((message) => !renewed.has(message));
  const unchanged = await queue.giveBack(kept, until);
  const faults = [...unsent, ...unchanged].flatMap((reason) => reason ?? []);
  return { renewed: [...renewed], kept, faults };
};
