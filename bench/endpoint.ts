import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { ModelError } from "../local/sagemaker-runtime";
import { limiter } from "../pipeline/flow";
import { cores, jittered } from "./latencies";

const pair = z.object({ seq_0: z.string(), seq_1: z.string() });
const instances = z.object({ instances: z.array(pair) });

const answerTo = ({ seq_0, seq_1 }: z.infer<typeof pair>) =>
  seq_0 === seq_1 ? "It's a paraphrase" : "Not a paraphrase";

/** What an endpoint did within a stretch of time. */
export interface Work {
  /** Busy time over capacity, from 0 to 1. */
  readonly utilisation: number;
  readonly pairsPerSecond: number;
}

/** A model on an instance with four cores, that knows when each was at work. It speaks both contracts. */
export class MeteredModel {
  private readonly freeCore = limiter(cores);
  private readonly spans: { readonly from: number; readonly to: number; readonly pairs: number }[] = [];

  constructor(private readonly millisecondsPerPair: number) {}

  /** Answers a call's body. As in SageMaker's container, one worker takes the whole call, on its own core. */
  readonly answer = async (body: unknown): Promise<unknown> => {
    const batch = instances.safeParse(body);
    if (batch.success) {
      await this.occupyCore(batch.data.instances.length);
      return { predictions: batch.data.instances.map(answerTo) };
    }
    const single = pair.safeParse(body);
    if (!single.success) throw new ModelError(400, "neither a pair nor instances");
    await this.occupyCore(1);
    return answerTo(single.data);
  };

  /** When a core was first put to work, on the clock of `performance`. */
  get firstUsed() {
    return Math.min(...this.spans.map(({ from }) => from));
  }

  /** What was done from one time to another, on the clock of `performance`. */
  workOf(from: number, to: number): Work {
    let [busy, pairs] = [0, 0];
    for (const span of this.spans) {
      const overlap = Math.max(0, Math.min(to, span.to) - Math.max(from, span.from));
      busy += overlap;
      pairs += (span.pairs * overlap) / (span.to - span.from);
    }
    return { utilisation: busy / (cores * (to - from)), pairsPerSecond: (pairs * 1000) / (to - from) };
  }

  private occupyCore(pairs: number): Promise<void> {
    return this.freeCore(async () => {
      const from = performance.now();
      await setTimeout(jittered(this.millisecondsPerPair * pairs));
      this.spans.push({ from, to: performance.now(), pairs });
    });
  }
}
