import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { ModelError } from "../local/sagemaker-runtime";
import { limiter } from "../pipeline/flow";
import { jittered } from "./latencies";

const input = z.record(z.string(), z.string());
const instances = z.object({ instances: z.array(input) });

type Features = z.infer<typeof input>;

const answerTo = (features: Features) => (new Set(Object.values(features)).size === 1 ? "same" : "other");

/** How an endpoint answers. */
export interface EndpointProps {
  /** Calls that it works on at once: NeuronCores, or processes with the model, over all instances. */
  readonly slots: number;
  /** What an input takes of a slot, in milliseconds, a fifth more or less. */
  readonly millisecondsPerInput: number;
}

/** What an endpoint did within a stretch of time. */
export interface Work {
  /** Busy time over capacity, from 0 to 1. */
  readonly utilisation: number;
  readonly inputsPerSecond: number;
}

/** A model that knows when each of its slots was at work. It takes an input a call, or several `instances`. */
export class MeteredModel {
  private readonly freeSlot: ReturnType<typeof limiter>;
  private readonly spans: { readonly from: number; readonly to: number; readonly inputs: number }[] = [];
  /** Calls that it was asked in. */
  calls = 0;
  /** Inputs that it has answered. */
  answered = 0;

  /** When it was last called, on the clock of `performance`. */
  lastCalledAt = 0;

  /**
   * @param callMilliseconds what a call takes beside the model, in which no slot is at work
   * @param onAnswer told of each input that is answered
   */
  constructor(
    private readonly props: EndpointProps,
    private readonly callMilliseconds = 0,
    private readonly onAnswer: (features: Features) => void = () => {},
  ) {
    this.freeSlot = limiter(props.slots);
  }

  /** Answers a call's body. As in SageMaker's container, one worker takes the whole call, in its own slot. */
  readonly answer = async (body: unknown): Promise<unknown> => {
    this.calls++;
    this.lastCalledAt = performance.now();
    if (this.callMilliseconds > 0) await setTimeout(jittered(this.callMilliseconds));
    const batch = instances.safeParse(body);
    if (batch.success) {
      await this.occupySlot(batch.data.instances.length);
      batch.data.instances.forEach(this.onAnswer);
      return { predictions: batch.data.instances.map(answerTo) };
    }
    const single = input.safeParse(body);
    if (!single.success) throw new ModelError(400, "neither an input nor instances");
    await this.occupySlot(1);
    this.onAnswer(single.data);
    return answerTo(single.data);
  };

  /** When a slot was first put to work, on the clock of `performance`. */
  get firstUsed() {
    return Math.min(...this.spans.map(({ from }) => from));
  }

  /** When the last slot came to rest, on the clock of `performance`. */
  get lastUsed() {
    return Math.max(...this.spans.map(({ to }) => to));
  }

  /** When a slot was put to work on the input of this number, counted from 1, on the clock of `performance`. */
  beganAt(count: number): number {
    let inputs = 0;
    for (const span of this.spans.toSorted((one, other) => one.from - other.from)) {
      inputs += span.inputs;
      if (inputs >= count) return span.from;
    }
    return this.lastUsed;
  }

  /** What was done from one time to another, on the clock of `performance`. */
  workOf(from: number, to: number): Work {
    let [busy, inputs] = [0, 0];
    for (const span of this.spans) {
      const overlap = Math.max(0, Math.min(to, span.to) - Math.max(from, span.from));
      busy += overlap;
      inputs += (span.inputs * overlap) / (span.to - span.from);
    }
    return { utilisation: busy / (this.props.slots * (to - from)), inputsPerSecond: (inputs * 1000) / (to - from) };
  }

  private occupySlot(inputs: number): Promise<void> {
    return this.freeSlot(async () => {
      const from = performance.now();
      await setTimeout(jittered(this.props.millisecondsPerInput * inputs));
      this.spans.push({ from, to: performance.now(), inputs });
      this.answered += inputs;
    });
  }
}
