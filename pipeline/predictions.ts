import { InvokeEndpointCommand, ModelError, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import * as z from "zod";
import { bytesOf } from "../contract/bytes";
import type { FeatureValues } from "../contract/feature-values";
import type { ModelContract } from "../contract/model-contract";
import { callBytes, type ModelAnswer, type WireFormat, wireFormatOf } from "../contract/wire-format";
import { clientSettings, reasonOf, type Until } from "./clients";
import { Busy, Failure } from "./failures";
import { followingLimiter, runsOf } from "./flow";

export interface ModelEndpointProps {
  readonly endpointName: string;
  /** The production variant that is asked. @default the endpoint chooses by its weights */
  readonly variantName?: string;
  readonly contract: ModelContract;
  /** The most inputs in a call, where its format holds many. */
  readonly instancesPerCall: number;
  /** Calls in flight at the endpoint at once; further ones wait. Fewer, while it turns calls away or does not answer. */
  readonly concurrency: number;
  /** The longest that a call may take, in seconds. */
  readonly callSeconds: number;
  /** Statuses from 400 to 499 by which the model tells of a fault of its own. @default none */
  readonly faultStatuses?: readonly number[];
  /** The most of a call's body, in bytes. @default what an endpoint of instances takes */
  readonly largestBodyBytes?: number;
}

export interface Question {
  readonly values: FeatureValues;
  /** Whether to ask in a call of its own, so that no other's fault is held to be this one's. */
  readonly alone: boolean;
  /** Why it is not to be asked any more, as it is right before its call. @default it is asked */
  readonly over?: () => Promise<Failure | undefined>;
}

/** What the model said of an input. */
export interface Answer {
  readonly output: string;
  /** The production variant that answered. */
  readonly variant: string;
  /** How long the call took that the input was part of, in milliseconds. */
  readonly latency: number;
}

/** @default for ever */
export interface AskingTime {
  /** When no further call is begun. */
  readonly beginning?: Until;
  /** When the calls under way are given up. */
  readonly asking?: Until;
}

/** Of a model's statuses, those that speak of the caller or the moment rather than of the input. */
const notTheInput = new Set([401, 403, 404, 405, 408, 415, 429, 503]);

const failed = (reason: string, retry: "alone" | "later") => new Failure("endpoint_failed", reason, retry);

/** Statuses by which a model, or SageMaker, says that it has enough to do, or is still starting. */
const busyStatuses = [429, 503];

const statusSchema = z.object({
  name: z.string(),
  message: z.string(),
  $metadata: z.object({ httpStatusCode: z.number() }),
});

/**
 * Whether SageMaker turned a call away for it has enough to do, or has no model yet: one on demand starts for minutes after a
 * rest, and says ModelNotReadyException
 * (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html). A throttling may be a 400, too,
 * also one without a word (https://github.com/opensearch-project/ml-commons/issues/2429), of which the SDK says UnknownError.
 */
const isBusy = (error: unknown) => {
  const { data } = statusSchema.safeParse(error);
  if (data === undefined) return false;
  const { name, message, $metadata } = data;
  const isWordless = $metadata.httpStatusCode === 400 && /^(UnknownError)?$/.test(message);
  return busyStatuses.includes($metadata.httpStatusCode) || /throttl/i.test(name) || isWordless;
};

const busy = (reason: string) => new Busy("endpoint_failed", reason, "later");

const tooLarge = new Failure("too_large", "the input is larger than a call to the endpoint may be", "never");

/** Why a call failed. What the model said stays out of it, for it may quote the input. */
const failureOf = (error: unknown, single: boolean, cut: boolean, faultStatuses: readonly number[] = []): Failure => {
  if (error instanceof ModelError) {
    const { OriginalStatusCode: status = 500 } = error;
    if (busyStatuses.includes(status)) return busy(`the model failed (${status})`);
    if (notTheInput.has(status)) return failed(`the model failed (${status})`, "later");
    const isFault = status >= 500 || status < 400 || faultStatuses.includes(status);
    if (isFault) return failed(`the model failed (${status})`, single ? "alone" : "later");
    const code = status === 413 ? "too_large" : "refused_by_model";
    return new Failure(code, `the model refused the input (${status})`, "never");
  }
  if (statusSchema.safeParse(error).data?.$metadata.httpStatusCode === 413) return tooLarge;
  const reason = cut ? "the endpoint did not answer in time" : `the endpoint failed: ${reasonOf(error)}`;
  return isBusy(error) ? busy(reason) : failed(reason, "later");
};

/** Whether fewer calls at once may get answers in the place of a failure. */
const isTooMuch = (found: unknown) => found instanceof Failure && found.code === "endpoint_failed";

const responseSchema = z.object({
  /** The SDK has none where the body is empty. */
  Body: z
    .instanceof(Uint8Array)
    .nullish()
    .transform((body) => body ?? new Uint8Array()),
  InvokedProductionVariant: z.string().min(1),
});

const unexpected = (reason: string, retry: "alone" | "later") => new Failure("unexpected_answer", reason, retry);

/** A question on its way, with its place among all and its part of a call. */
interface Asked {
  readonly place: number;
  readonly input: string;
}

/** The endpoint that the model answers at. */
export class ModelEndpoint {
  private readonly inFlight;
  private readonly format: WireFormat;
  private readonly mostBytes: number;

  constructor(
    private readonly props: ModelEndpointProps,
    private readonly client = new SageMakerRuntimeClient(clientSettings({ requestTimeout: props.callSeconds * 1_000 })),
  ) {
    this.inFlight = followingLimiter(props.concurrency);
    this.format = wireFormatOf(props.contract);
    this.mostBytes = props.largestBodyBytes ?? callBytes;
  }

  /**
   * Asks the model, and gives its answer to each question or why there is none, in their order. A call that the model
   * refuses is asked again in halves, until what it refuses stands alone. Never throws.
   */
  async ask(questions: readonly Question[], time: AskingTime = {}): Promise<(Answer | Failure)[]> {
    const answers = new Array<Answer | Failure>(questions.length);
    const askAll = async (all: readonly Asked[]): Promise<void> => {
      const call: Asked[] = [];
      const found = await this.inFlight(async () => {
        for (const one of all) {
          const failure = await questions[one.place]?.over?.();
          if (failure === undefined) call.push(one);
          else answers[one.place] = failure;
        }
        return call.length === 0 ? [] : this.call(call, time);
      }, isTooMuch);
      if (found instanceof Failure && found.retry === "never" && call.length > 1) {
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
    const { holdsMany, frameBytes } = this.format;
    const asked = questions.map(({ values, alone }, place) => {
      return { place, alone, input: this.format.inputOf(values) };
    });
    const most = holdsMany ? this.props.instancesPerCall : 1;
    const together = asked.filter(({ alone }) => !alone);
    const calls = Math.ceil(together.length / most);
    const limits = { count: Math.ceil(together.length / calls), size: this.mostBytes - frameBytes };
    const apart = asked.filter(({ alone }) => alone).map((one) => [one]);
    return [...runsOf(together, limits, ({ input }) => bytesOf(input) + 1), ...apart];
  }

  private async call(
    call: readonly Asked[],
    { beginning, asking }: AskingTime,
  ): Promise<Failure | (Answer | Failure)[]> {
    if (beginning?.signal.aborted) return new Failure("out_of_time", "there was no time left to ask", "later");
    const { contentType, accept } = this.format;
    const Body = this.format.bodyOf(call.map(({ input }) => input));
    if (bytesOf(Body) > this.mostBytes) return tooLarge;
    const command = new InvokeEndpointCommand({
      EndpointName: this.props.endpointName,
      TargetVariant: this.props.variantName,
      ContentType: contentType,
      Accept: accept,
      Body,
    });
    const started = performance.now();
    try {
      const response = await this.client.send(command, { abortSignal: asking?.signal });
      return this.answersOf(response, call.length, performance.now() - started);
    } catch (error) {
      return failureOf(error, call.length === 1, asking?.signal.aborted ?? false, this.props.faultStatuses);
    }
  }

  /** What a response says to each of so many questions. */
  private answersOf(response: unknown, count: number, latency: number): Failure | (Answer | Failure)[] {
    const { data } = responseSchema.safeParse(response);
    if (data === undefined) return unexpected("the endpoint's answer names no variant", "later");
    const { Body, InvokedProductionVariant: variant } = data;
    const answers = this.format.answersOf(Body, count);
    if ("unexpected" in answers) return unexpected(answers.unexpected, count === 1 ? "alone" : "later");
    return answers.map((answer: ModelAnswer) => {
      if ("output" in answer) return { output: answer.output, variant, latency };
      if ("refused" in answer) return new Failure("refused_by_model", "the model refused the input", "never");
      return unexpected(answer.unexpected, "alone");
    });
  }
}
