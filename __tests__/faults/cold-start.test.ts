import { z } from "zod";
import { deliveriesThrough, returnDelayFor } from "../../contract/return-delay";
import type { OnTheWay } from "../../local/passage";
import { type Answer, AwsError, json } from "../../local/stand-in";
import { modelOf } from "../setup/contract";
import { type Desk, delivered, startDesk } from "../setup/desk";

/** How long an endpoint on demand may take to start, and the longest that one of its calls may take, in seconds. */
const startSeconds = 240;
const callSeconds = 60;

/** A clock in seconds that moves when nobody gets on without it. */
class Clock {
  now = 0;
  private waiting: { readonly at: number; readonly go: () => void }[] = [];
  private arrived = () => {};

  /** Waits for a time of this clock. */
  reaches(at: number): Promise<void> {
    return new Promise((go) => {
      this.waiting.push({ at, go });
      this.arrived();
    });
  }

  /** Moves on until something has ended. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const end = work.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const next = Math.min(...this.waiting.map(({ at }) => at));
      if (next < Number.POSITIVE_INFINITY) {
        this.now = Math.max(this.now, next);
        for (const { go } of this.waiting.filter(({ at }) => at <= this.now)) go();
        this.waiting = this.waiting.filter(({ at }) => at > this.now);
      } else {
        const arrival = new Promise<void>((resolve) => {
          this.arrived = resolve;
        });
        await Promise.race([arrival, end.catch(() => undefined)]);
      }
    }
    return work;
  }
}

const entries = z.object({
  Entries: z.array(
    z.object({ Id: z.string(), ReceiptHandle: z.string().optional(), VisibilityTimeout: z.number().optional() }),
  ),
});
const response = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

let desk: Desk;
let clock: Clock;
let calls = 0;
const bought = new Map<string, number>();
beforeAll(async () => {
  desk = await startDesk({
    model: modelOf((cities) => {
      for (const city of cities) bought.set(city, (bought.get(city) ?? 0) + 1);
      return cities;
    }),
  });
});
afterAll(() => desk.stop());
beforeEach(() => {
  clock = new Clock();
  bought.clear();
});

/** A call of an endpoint that starts when it is first called, by how it says that it is not ready. */
const hindrances: Record<string, OnTheWay> = {
  "says that it is not ready, or throttles without a word,": (_, forward) => {
    if (clock.now >= startSeconds) return forward();
    if (calls++ % 2 === 1) return { ...json({ message: null }), status: 400 };
    throw new AwsError("ModelNotReadyException", 429, "The model is not ready for inference yet");
  },
  // What has begun is answered, and paid, where it ends within SageMaker's own limit.
  "takes long": async (_, forward) => {
    const end = Math.min(clock.now + callSeconds, Math.max(clock.now, startSeconds));
    if (end > clock.now) await clock.reaches(end);
    if (end >= startSeconds) return forward();
    const OriginalMessage = "Your invocation timed out while waiting for a response from container primary";
    throw new AwsError("ModelError", 424, OriginalMessage, { OriginalStatusCode: 0, OriginalMessage });
  },
};

const delay = returnDelayFor(345_600);
const maxReceiveCount = deliveriesThrough(43_200, delay);

/** Delivers messages as SQS does by the clock until none is left. @returns how often each was delivered, and what was sent */
const drain = async (count: number) => {
  const worker = desk.worker(
    { timeoutSeconds: 400 },
    {
      FIRST_RETURN_DELAY_SECONDS: String(delay.first),
      LONGEST_RETURN_DELAY_SECONDS: String(delay.longest),
      MAX_RECEIVE_COUNT: String(maxReceiveCount),
      ENDPOINT_CALL_SECONDS: String(callSeconds),
    },
  );
  const rests = new Map<string, number>();
  const deleted = new Set<string>();
  let sent = 0;
  desk.hindrances.SQS = ({ headers, body }): Answer => {
    const { Entries } = entries.parse(JSON.parse(body.toString()));
    for (const { ReceiptHandle = "", VisibilityTimeout } of Entries) {
      if (VisibilityTimeout === undefined) deleted.add(ReceiptHandle);
      else rests.set(ReceiptHandle, VisibilityTimeout);
    }
    if (String(headers["x-amz-target"]).includes("SendMessage")) sent += Entries.length;
    return json({ Successful: Entries.map(({ Id }) => ({ Id })), Failed: [] });
  };
  let queue = Array.from({ length: count }, (_, n) => ({
    message: delivered({ id: `${n}`, features: { age: 36, city: `city ${n}` } }),
    receiveCount: 0,
    due: 0,
  }));
  const most: number[] = [];
  while (queue.length > 0) {
    clock.now = Math.max(clock.now, ...queue.map(({ due }) => due)); // all of them together
    const batch = queue;
    for (const one of batch) one.receiveCount += 1;
    const Records = batch.map(({ message, receiveCount }) => ({
      ...message,
      attributes: { ...message.attributes, ApproximateReceiveCount: String(receiveCount) },
    }));
    const said = await clock.during(worker.invoke({ Records })).catch(() => undefined);
    const again = new Set(
      said === undefined
        ? batch.filter(({ message }) => !deleted.has(message.receiptHandle)).map(({ message }) => message.messageId)
        : response.parse(said).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
    );
    for (const one of batch) {
      one.due = clock.now + (rests.get(one.message.receiptHandle) ?? 6 * 400);
      if (!again.has(one.message.messageId)) most.push(one.receiveCount);
    }
    queue = batch.filter((one) => again.has(one.message.messageId));
  }
  return { most: Math.max(...most), sent };
};

test.each(Object.keys(hindrances))(
  "an endpoint that %s while it starts for four minutes costs no request and no answer twice",
  async (how) => {
    const before = (await desk.outcomes()).length;
    desk.hindrances.SAGEMAKER_RUNTIME = hindrances[how];
    const { most, sent } = await drain(4);
    expect([...bought.values()]).toEqual([1, 1, 1, 1]);
    const outcomes = (await desk.outcomes()).slice(before);
    expect(outcomes.map(({ output }) => output).sort()).toEqual([...bought.keys()].sort());
    expect(sent).toBe(0); // no dead letter, and nothing anew
    expect(clock.now).toBeGreaterThanOrEqual(startSeconds);
    expect(most).toBeLessThan(10);
    expect(most).toBeLessThan(maxReceiveCount);
  },
);

test("a busy endpoint is no fault of the worker's, and one that is broken is", async () => {
  const worker = desk.worker();
  const Records = [delivered({ id: "1", features: { age: 36, city: "Köln" } })];
  desk.hindrances.SAGEMAKER_RUNTIME = () => ({ ...json({ message: null }), status: 400 });
  expect(await worker.invoke({ Records })).toEqual({
    batchItemFailures: [{ itemIdentifier: Records[0]?.messageId }],
  });
  desk.hindrances.SAGEMAKER_RUNTIME = () => {
    throw new AwsError("ModelError", 424, "no", { OriginalStatusCode: 500 });
  };
  await expect(worker.invoke({ Records })).rejects.toMatchObject({ errorType: "SystemicFault" });
});
