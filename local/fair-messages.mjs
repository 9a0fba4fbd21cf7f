// What makes a queue of fauxqs fair, as SQS documents it of standard queues:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
// That it also counts the time which messages take is left out.

/** A group is noisy with more than this share of what is in flight, and so many messages of its own. */
const noisy = { share: 0.1, messages: 30 };
/** A group that has sent nothing for so long, in milliseconds, is noisy no more. */
const forgottenAfter = 5 * 60_000;

/** The time by which groups are forgotten, in milliseconds. It can be put forward. */
export const clock = { ahead: 0, now: () => Date.now() + clock.ahead };

/** The messages in flight by their receipt handles, and how many there are of each group. */
export class InFlight extends Map {
  groups = new Map();

  set(handle, entry) {
    this.delete(handle);
    const { messageGroupId: group } = entry.message;
    this.groups.set(group, this.of(group) + 1);
    return super.set(handle, entry);
  }

  delete(handle) {
    const entry = this.get(handle);
    if (entry === undefined) return false;
    const { messageGroupId: group } = entry.message;
    this.groups.set(group, this.of(group) - 1);
    return super.delete(handle);
  }

  clear() {
    this.groups.clear();
    super.clear();
  }

  /** How many of a group are in flight. */
  of(group) {
    return this.groups.get(group) ?? 0;
  }
}

/** Messages that can be received. As fauxqs uses it, it is an array; the next one is that of a quiet group, if there is any. */
export class FairMessages {
  length = 0;
  groups = new Map();
  sequence = 0;

  constructor(inFlight) {
    this.inFlight = inFlight;
  }

  push(message) {
    const { messageGroupId: group, sentAt } = message;
    const own = this.groups.get(group) ?? { group, waiting: [], next: 0, sentAt: 0 };
    own.waiting.push({ message, place: this.sequence++ });
    own.sentAt = Math.max(own.sentAt, sentAt);
    this.groups.set(group, own);
    this.length++;
  }

  shift() {
    let best;
    for (const one of this.groups.values()) if (best === undefined || this.isBefore(one, best)) best = one;
    if (best === undefined) return undefined;
    const { message } = best.waiting[best.next];
    best.waiting[best.next++] = undefined;
    if (best.next === best.waiting.length) this.groups.delete(best.group);
    this.length--;
    return message;
  }

  clear() {
    this.groups.clear();
    this.length = 0;
  }

  *[Symbol.iterator]() {
    for (const { waiting, next } of this.groups.values()) for (const { message } of waiting.slice(next)) yield message;
  }

  /** Quiet groups come first, the oldest message of all; then that noisy group of which the fewest are in flight. */
  isBefore(one, other) {
    const [isNoisy, isOtherNoisy] = [one, other].map((group) => this.isNoisy(group));
    if (isNoisy !== isOtherNoisy) return isOtherNoisy;
    if (isNoisy) return this.inFlight.of(one.group) < this.inFlight.of(other.group);
    return one.waiting[one.next].place < other.waiting[other.next].place;
  }

  /** Messages without a group are groups of their own, and never noisy. */
  isNoisy({ group, sentAt }) {
    const own = this.inFlight.of(group);
    return (
      group !== undefined &&
      own >= noisy.messages &&
      own > noisy.share * this.inFlight.size &&
      clock.now() - sentAt < forgottenAfter
    );
  }
}
