import { randomUUID } from "node:crypto";
import { z } from "zod";
import { serveSigned } from "./signature";
import { AwsError, json, jsonOf, parseBody, type StandIn } from "./stand-in";

const text = z.string().optional();
const putEvents = z.object({
  Entries: z
    .array(z.object({ Source: text, DetailType: text, Detail: text, EventBusName: text }))
    .min(1)
    .max(10), // https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
});
type Entry = z.infer<typeof putEvents>["Entries"][number];

/** An event that was taken. */
export interface TakenEvent {
  readonly id: string;
  readonly source: string;
  readonly detailType: string;
  readonly detail: unknown;
}

export interface EventBridge extends StandIn {
  /** What was taken, the oldest first. */
  readonly events: readonly TakenEvent[];
  /** Fails the next entries, so many, with 200 as AWS does. */
  fail(entries: number): void;
}

/** Starts EventBridge with its default bus, which takes events and keeps them here. There are no rules. */
export async function startEventBridge(): Promise<EventBridge> {
  const events: TakenEvent[] = [];
  let failing = 0;
  const take = (entry: Entry) => {
    const refusal = failing > 0 ? { ErrorCode: "InternalFailure", ErrorMessage: "for once" } : refusalOf(entry);
    failing = Math.max(0, failing - 1);
    if (refusal !== undefined) return refusal;
    const { Source: source = "", DetailType: detailType = "", Detail = "" } = entry;
    const id = randomUUID();
    events.push({ id, source, detailType, detail: JSON.parse(Detail) });
    return { EventId: id };
  };
  const service = await serveSigned((request) => {
    const operation = String(request.headers["x-amz-target"]).replace(/^AWSEvents\./, "");
    if (operation !== "PutEvents") throw new AwsError("UnknownOperationException", 404, `no operation ${operation}`);
    const Entries = parseBody(request, putEvents, "ValidationException").Entries.map(take);
    return json({ FailedEntryCount: Entries.filter((entry) => "ErrorCode" in entry).length, Entries });
  });
  return {
    ...service,
    events,
    fail: (entries) => {
      failing = entries;
    },
  };
}

const invalid = (ErrorMessage: string) => ({ ErrorCode: "InvalidArgument", ErrorMessage });

/** Why an entry is not taken. The others of its call are. */
function refusalOf({ Source, DetailType, Detail, EventBusName = "default" }: Entry) {
  for (const [name, value] of Object.entries({ Source, DetailType, Detail })) {
    if (!value) return invalid(`Parameter ${name} is not valid. Reason: ${name} is a required argument.`);
  }
  if (/^aws\./.test(Source ?? ""))
    return { ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized" };
  if (EventBusName !== "default") return invalid(`Event bus ${EventBusName} does not exist.`);
  const { success } = jsonOf(z.record(z.string(), z.unknown())).safeParse(Detail ?? "");
  return success ? undefined : { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." };
}
