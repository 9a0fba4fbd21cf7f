import { InvokeEndpointCommand, ModelError, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import * as z from "zod";
import { clientSettings, reasonOf, type Until } from "./clients";
import { Failure } from "./failures";
import type { SentencePair } from "./features";
import { limiter, runsOf } from "./flow";
import { bytesOf } from "./results";

/**
 * What a call carries. `pair`: one pair, answered by a JSON string. `instances`: `{"instances":[<pair>, …]}`, answered
 * by `{"predictions":["…" | {"error":"…"}, …]}` in the same order.
 */
export const modelContracts = ["pair", "instances"] as const;

export interface ModelEndpointProps {
  readonly endpointName: string;
  readonly contract: (typeof modelContracts)[number];
  /** The most pairs in a call, where the contract is `instances`. */
  readonly instancesPerCall: number;
  /** Calls in flight at the endpoint at once; further ones wait. */
  readonly concurrency: number;
}

export interface Question {
  readonly pair: SentencePair;
  /** Whether to ask in a call of its own, so that no other's fault is held to be this one's. */
  readonly alone: boolean;
}

/** What the model said of a pair. */
export interface Answer {
  readonly output: string;
  /** The production variant that answered. */
  readonly variant: string;
  /** How long the call took that the pair was part of, in milliseconds. */
  readonly latency: number;
}

/** @default for ever */
export interface AskingTime {
  /** When no further call is begun. */
  readonly beginning?: Until;
  /** When the calls under way are given up. */
  readonly asking?: Until;
}

/** The most that the endpoint takes in a call. */
const bodyBytes = 6_291_456;

/** Of a model's statuses, those that speak of the caller or the moment rather than of the input. */
const notTheInput = new Set([401, 403, 404, 405, 408, 415, 429, 503]);

const failed = (reason: string, kind: "own" | "shared") => new Failure("endpoint_failed", reason, kind);

const statusSchema = z.object({ $metadata: z.object({ httpStatusCode: z.number() }) });

/** Why a call failed. What the model said stays out of it, for it may quote the input. */
const failureOf = (error: unknown, single: boolean, cut: boolean): Failure => {
  if (error instanceof ModelError) {
    const { OriginalStatusCode: status = 500 } = error;
    if (notTheInput.has(status)) return failed(`the model failed (${status})`, "shared");
    if (status >= 500 || status < 400) return failed(`the model failed (${status})`, single ? "own" : "shared");
    const code = status === 413 ? "too_large" : "refused_by_model";
    return new Failure(code, `the model refused the input (${status})`, "final");
  }
  if (statusSchema.safeParse(error).data?.$metadata.httpStatusCode === 413) {
    return new Failure("too_large", "the input is larger than a call to the endpoint may be", "final");
  }
  return failed(cut ? "the endpoint did not answer in time" : `the endpoint failed: ${reasonOf(error)}`, "shared");
};

/** How each contract writes a call, and how it reads what comes back. */
const contracts = {
  pair: {
    start: "",
    end: "",
    answers: z.string().transform((answer): unknown[] => [answer]),
    rule: "the model must answer with a JSON string",
  },
  instances: {
    start: '{"instances":[',
    end: "]}",
    answers: z.object({ predictions: z.array(z.unknown()) }).transform(({ predictions }) => predictions),
    rule: 'the model must answer {"predictions":[…]}, with one for each instance',
  },
};

const responseSchema = z.object({
  Body: z.instanceof(Uint8Array).transform((bytes, context): unknown => {
    try {
      return JSON.parse(Buffer.from(bytes).toString("utf8"));
    } catch {
      context.addIssue("it is no JSON");
      return z.NEVER;
    }
  }),
  InvokedProductionVariant: z.string().min(1),
});

const refusalSchema = z.object({ error: z.string() });

const unexpected = (reason: string, kind: "own" | "shared") => new Failure("unexpected_answer", reason, kind);

/** A question on its way, with its place among all and its pair in JSON. */
interface Asked {
  readonly place: number;
  readonly json: string;
}

/** The endpoint that the model answers at. */
export class ModelEndpoint {
  private readonly inFlight;

  constructor(
    private readonly props: ModelEndpointProps,
    private readonly client = new SageMakerRuntimeClient(clientSettings({ requestTimeout: 10_000 })),
  ) {
    this.inFlight = limiter(props.concurrency);
  }

  /**
   * Asks the model, and gives its answer to each question or why there is none, in their order. A call that the model
   * refuses is asked again in halves, until what it refuses stands alone. Never throws.
   */
  async ask(questions: readonly Question[], time: AskingTime = {}): Promise<(Answer | Failure)[]> {
    const answers = new Array<Answer | Failure>(questions.length);
    const askAll = async (call: readonly Asked[]): Promise<void> => {
      const found = await this.inFlight(() => this.call(call, time));
      if (found instanceof Failure && found.kind === "final" && call.length > 1) {
        const half = Math.ceil(call.length / 2);
        await Promise.all([askAll(call.slice(0, half)), askAll(call.slice(half))]);
        return;
      }
      for (const [index, { place }] of call.entries()) {
        const answer = found instanceof Failure ? found : found[index];
        if (answer) answers[place] = answer;
      }
    };
    await Promise.all(this.callsOf(questions).map(askAll));
    return answers;
  }

  /** The calls to make: as few as there may be, of about the same number of questions each. */
  private callsOf(questions: readonly Question[]): Asked[][] {
    const asked = questions.map(({ pair: { seq_0, seq_1 }, alone }, place) => {
      return { place, alone, json: JSON.stringify({ seq_0, seq_1 }) };
    });
    const { contract, instancesPerCall } = this.props;
    const { start, end } = contracts[contract];
    const most = contract === "pair" ? 1 : instancesPerCall;
    const together = asked.filter(({ alone }) => !alone);
    const calls = Math.ceil(together.length / most);
    const limits = { count: Math.ceil(together.length / calls), size: bodyBytes - bytesOf(start + end) };
    const apart = asked.filter(({ alone }) => alone).map((one) => [one]);
    return [...runsOf(together, limits, ({ json }) => bytesOf(json) + 1), ...apart];
  }

  private async call(
    call: readonly Asked[],
    { beginning, asking }: AskingTime,
  ): Promise<Failure | (Answer | Failure)[]> {
    if (beginning?.signal.aborted) return new Failure("out_of_time", "there was no time left to ask", "shared");
    const { endpointName, contract } = this.props;
    const { start, end } = contracts[contract];
    const command = new InvokeEndpointCommand({
      EndpointName: endpointName,
      ContentType: "application/json",
      Accept: "application/json",
      Body: start + call.map(({ json }) => json).join(",") + end,
    });
    const started = performance.now();
    try {
      const response = await this.client.send(command, { abortSignal: asking?.signal });
      return this.answersOf(response, call.length, performance.now() - started);
    } catch (error) {
      return failureOf(error, call.length === 1, asking?.signal.aborted ?? false);
    }
  }

  /** What a response says to each of so many questions. */
  private answersOf(response: unknown, count: number, latency: number): Failure | (Answer | Failure)[] {
    const { answers, rule } = contracts[this.props.contract];
    const { data } = responseSchema.safeParse(response);
    const found = answers.safeParse(data?.Body).data;
    if (data === undefined || found?.length !== count) return unexpected(rule, count === 1 ? "own" : "shared");
    return found.map((output) => {
      if (typeof output === "string") return { output, variant: data.InvokedProductionVariant, latency };
      if (refusalSchema.safeParse(output).success) {
        return new Failure("refused_by_model", "the model refused the input", "final");
      }
      return unexpected('the model must answer an instance with a string or {"error":"…"}', "own");
    });
  }
}
