import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import type * as z from "zod";
import { endedEvent } from "../contract/job";
import { clientSettings, type Until } from "./clients";

/** The default bus of EventBridge. */
export class Events {
  constructor(private readonly client = new EventBridgeClient(clientSettings({ requestTimeout: 10_000 }))) {}

  /** Tells that a job has ended. It may come more than once. @throws where it is not known that EventBridge took it */
  async tellEnd(detail: z.input<typeof endedEvent.detail>, { signal }: Until): Promise<void> {
    const { source: Source, detailType: DetailType } = endedEvent;
    const command = new PutEventsCommand({ Entries: [{ Source, DetailType, Detail: JSON.stringify(detail) }] });
    // EventBridge answers 200 where it has not taken an entry.
    const { FailedEntryCount, Entries: [entry] = [] } = await this.client.send(command, { abortSignal: signal });
    if (FailedEntryCount !== 0 || entry?.EventId === undefined) {
      throw new Error(`EventBridge did not take the event: ${entry?.ErrorCode} ${entry?.ErrorMessage}`);
    }
  }
}
