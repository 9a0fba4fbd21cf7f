import { setTimeout } from "node:timers/promises";
import { LambdaClient, paginateListEventSourceMappings, UpdateEventSourceMappingCommand } from "@aws-sdk/client-lambda";
import { z } from "zod";
import { clientSettings, type Until } from "../../pipeline/clients";
import { sqsClient } from "../../pipeline/queues";
import { failedTo, namingActions } from "../shared/aws-error";
import type { Connection } from "../shared/connection";
import { whole } from "../shared/numbers";
import { queueCounts } from "../shared/queue-counts";

/** Between two looks, in milliseconds. */
const interval = 2_000;

const mappings = z.array(z.object({ UUID: z.string(), State: z.string() }));

/** What the queue of requests hands to the worker. */
export class Deliveries {
  private readonly lambda = namingActions(new LambdaClient(clientSettings({ requestTimeout: 10_000 })));
  private readonly sqs = namingActions(sqsClient());

  constructor(private readonly connection: Connection) {}

  /** How many requests wait, and how many the worker has or has given back. */
  async waiting({ signal }: Until): Promise<{ waiting: number; inFlight: number }> {
    const counting = queueCounts(this.sqs, this.connection.pipeline.queueUrl, signal);
    const { waiting, inFlight, delayed } = await counting.catch(failedTo("look at the queue"));
    return { waiting: waiting + delayed, inFlight };
  }

  /** Hands the worker nothing more, and waits until it is through with what it has. */
  async stop(until: Until): Promise<void> {
    await this.enable(false, until);
    // What is in flight after that was given back, and comes again when its time is over.
    const end = performance.now() + 1_000 * this.connection.environment.inference.timeoutSeconds;
    for (let said = false; performance.now() < end; said = true) {
      const { inFlight } = await this.waiting(until);
      if (inFlight === 0) return;
      if (!said) console.error(`${whole(inFlight)} requests are in flight ...`);
      await setTimeout(interval, undefined, { signal: until.signal });
    }
  }

  /** Hands requests to the worker again. */
  start(until: Until): Promise<void> {
    return this.enable(true, until);
  }

  private async enable(Enabled: boolean, until: Until): Promise<void> {
    const wanted = Enabled ? "Enabled" : "Disabled";
    for (let isTold = false; ; isTold = true) {
      const others = (await this.mappings(until)).filter(({ State }) => State !== wanted);
      if (others.length === 0) return;
      // One that is on its way from one state to another takes no change: it is told the next time.
      for (const { UUID } of others.filter(({ State }) => !State.endsWith("ing"))) {
        const command = new UpdateEventSourceMappingCommand({ UUID, Enabled });
        await this.lambda.send(command).catch(failedTo(`change the event source mapping ${UUID}`));
      }
      if (isTold) await setTimeout(interval, undefined, { signal: until.signal });
    }
  }

  /** Those of the worker, which has one queue. */
  private async mappings({ signal: abortSignal }: Until) {
    const { workerFunctionName: FunctionName } = this.connection.pipeline;
    const found: z.infer<typeof mappings> = [];
    const list = async () => {
      const pages = paginateListEventSourceMappings({ client: this.lambda }, { FunctionName }, { abortSignal });
      for await (const { EventSourceMappings } of pages) found.push(...mappings.parse(EventSourceMappings ?? []));
    };
    await list().catch(failedTo(`list the event source mappings of ${FunctionName}`));
    return found;
  }

  close() {
    this.lambda.destroy();
    this.sqs.destroy();
  }
}
