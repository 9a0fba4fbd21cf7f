import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { ModelError } from "../local/sagemaker-runtime";
import { limiter } from "../pipeline/flow";
import { cores, jittered } from "./latencies";

const input = z.record(z.string(), z.string());
const instances = z.object({ instances: z.array(input) });

const answerTo = (features: z.infer<typeof input>) => (new Set(Object.values(features)).size === 1 ? "same" : "other");

/** What an endpoint did within a stretch of time. */
export interface Work {
  /** Busy time over capacity, from 0 to 1. */
  readonly utilisation: number;
  readonly inputsPerSecond: number;
}

/** A model on an instance with four cores, that knows when each was at work. It takes an input a call, or several `instances`. */
export class MeteredModel {
  private readonly freeCore = limiter(cores);
  private readonly spans: { readonly from: number; readonly to: number; readonly inputs: number }[] = [];

  constructor(private readonly millisecondsPerInput: number) {}

  /** Answers a call's body. As in SageMaker's container, one worker takes the whole call, on its own core. */
  readonly answer = async (body: unknown): Promise<unknown> => {
    const batch = instances.safeParse(body);
    if (batch.success) {
      await this.occupyCore(batch.data.instances.length);
      return { predictions: batch.data.instances.map(answerTo) };
    }
    const single = input.safeParse(body);
    if (!single.success) throw new ModelError(400, "neither an input nor instances");
    await this.occupyCore(1);
    return answerTo(single.data);
  };

  /** When a core was first put to work, on the clock of `performance`. */
  get firstUsed() {
    return Math.min(...this.spans.map(({ from }) => from));
  }

  /** What was done from one time to another, on the clock of `performance`. */
  workOf(from: number, to: number): Work {
    let [busy, inputs] = [0, 0];
    for (const span of this.spans) {
      const overlap = Math.max(0, Math.min(to, span.to) - Math.max(from, span.from));
      busy += overlap;
      inputs += (span.inputs * overlap) / (span.to - span.from);
    }
    return { utilisation: busy / (cores * (to - from)), inputsPerSecond: (inputs * 1000) / (to - from) };
  }

  private occupyCore(inputs: number): Promise<void> {
    return this.freeCore(async () => {
      const from = performance.now();
      await setTimeout(jittered(this.millisecondsPerInput * inputs));
      this.spans.push({ from, to: performance.now(), inputs });
    });
  }
}
