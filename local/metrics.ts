import type { LocalFunction } from "./lambda";
import { type Model, type ModelCall, ModelError } from "./sagemaker-runtime";

/** What CloudWatch keeps of a minute: the values that were put in it, added up, and the highest of them. */
export interface Minute {
  /** When it began, in seconds of Unix time. */
  readonly at: number;
  readonly sum: number;
  readonly maximum: number;
}

/** A metric as CloudWatch names it. */
export interface MetricName {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface Metric extends MetricName {
  /** The minutes that something was put in, oldest first. */
  minutes(): Promise<readonly Minute[]> | readonly Minute[];
}

const minuteNow = () => Math.floor(Date.now() / 60_000) * 60;

/** A metric that values are put in as things happen. */
class Series implements Metric {
  private readonly kept: Minute[] = [];
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;

  constructor({ namespace, name, dimensions }: MetricName) {
    this.namespace = namespace;
    this.name = name;
    this.dimensions = dimensions;
  }

  minutes() {
    return this.kept;
  }

  put(value: number) {
    const at = minuteNow();
    const last = this.kept.at(-1);
    if (last?.at !== at) this.kept.push({ at, sum: value, maximum: value });
    else this.kept.splice(-1, 1, { at, sum: last.sum + value, maximum: Math.max(last.maximum, value) });
  }
}

/** A metric that is looked up whenever it is asked for. */
export const gauge = (name: MetricName, look: () => Promise<number>): Metric => ({
  ...name,
  minutes: async () => {
    const value = await look();
    return [{ at: minuteNow(), sum: value, maximum: value }];
  },
});

/** A function, with what Lambda counts of it. None is throttled here. */
export function counted(local: LocalFunction): { readonly local: LocalFunction; readonly metrics: readonly Metric[] } {
  const dimensions = { FunctionName: local.name };
  const series = (name: string) => new Series({ namespace: "AWS/Lambda", name, dimensions });
  const [invocations, errors, throttles] = [series("Invocations"), series("Errors"), series("Throttles")];
  const concurrency = series("ConcurrentExecutions");
  let running = 0;
  const invoke = async (event: unknown) => {
    running += 1;
    invocations.put(1);
    throttles.put(0);
    concurrency.put(running);
    let failed = 1;
    try {
      const result = await local.invoke(event);
      failed = 0;
      return result;
    } finally {
      errors.put(failed);
      running -= 1;
    }
  };
  return { local: { ...local, invoke }, metrics: [invocations, errors, throttles, concurrency] };
}

/** The model behind an endpoint's variant, with what SageMaker counts of it. */
export function countedModel(
  { endpointName, variantName }: { readonly endpointName: string; readonly variantName: string },
  ask: Model,
): { readonly model: Model; readonly metrics: readonly Metric[] } {
  const dimensions = { EndpointName: endpointName, VariantName: variantName };
  const series = (name: string) => new Series({ namespace: "AWS/SageMaker", name, dimensions });
  const [invocations, clientErrors] = [series("Invocations"), series("Invocation4XXErrors")];
  const serverErrors = series("Invocation5XXErrors");
  const model = async (call: ModelCall) => {
    let status = 200;
    try {
      return await ask(call);
    } catch (error) {
      status = error instanceof ModelError ? error.status : 500;
      throw error;
    } finally {
      invocations.put(1);
      clientErrors.put(status >= 400 && status < 500 ? 1 : 0);
      serverErrors.put(status >= 500 ? 1 : 0);
    }
  };
  return { model, metrics: [invocations, clientErrors, serverErrors] };
}
