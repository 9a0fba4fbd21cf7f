import * as z from "zod";
import { bytesOf } from "../contract/bytes";
import type { FailureCode } from "../contract/failure-table";
import { type FeatureValues, featureForms, featureOfJson } from "../contract/feature-values";
import { elementsOf, isJson, type Member, membersOf } from "../contract/json-text";
import { listed } from "../contract/listed";
import type { Feature } from "../contract/model-contract";
import { predictionColumns } from "../contract/prediction-table";
import { shapeOf } from "../contract/wire-format";
import { messageBytes } from "./queues";

/** A request that can never be answered, whoever asks again. */
export class InvalidRequest extends Error {
  override readonly name = "InvalidRequest";

  constructor(
    message: string,
    readonly code: FailureCode = "malformed",
  ) {
    super(message);
  }
}

/** The features that a request may carry. */
export interface CarriedFeatures {
  /** The contract's. */
  readonly features: readonly Feature[];
  /** Whether each request must carry them, since there is no feature group. */
  readonly required: boolean;
}

/** A request as a client asks for it. */
export interface AskedRequest {
  readonly id: string;
  readonly requestId?: string;
  readonly jobId?: string;
  readonly tenant?: string;
  /** The values of the features that it carries. @default they are looked up */
  readonly features?: FeatureValues;
}

/** A request as the worker takes it from the queue. */
export interface PredictionRequest {
  readonly requestId: string;
  readonly inputId: string;
  readonly jobId?: string;
  readonly tenant?: string;
  readonly requestedAt: Date;
  /** When an answer comes too late. @default never */
  readonly deadline?: Date;
  /** The values of the features that it carries, where it was read by a contract. @default it carries none */
  readonly features?: FeatureValues;
  /** The message under which it is put on a queue again: its own text, with the id and time of its first message. */
  readonly body: string;
}

/** An id that the warehouse stores exactly. Redshift holds "a" and "a " to be equal, so none ends in a space. */
const identifier = (maxBytes: number) =>
  z
    .string()
    .min(1)
    .refine((text) => bytesOf(text) <= maxBytes)
    .refine((text) => !text.endsWith(" "))
    .refine((text) => !/\0|\p{Surrogate}/u.test(text));

export const requestIdSchema = identifier(predictionColumns.requestId.maxBytes);

/** As many as a job's name may have, in UTF-8 bytes. */
const tenantBytes = predictionColumns.jobId.maxBytes;

const time = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .pipe(z.date().min(new Date(0)).max(new Date("9999-12-31T23:59:59.999Z")))
  .optional();

const schemas = {
  id: identifier(predictionColumns.inputId.maxBytes),
  requestId: requestIdSchema.optional(),
  jobId: identifier(predictionColumns.jobId.maxBytes).optional(),
  tenant: identifier(tenantBytes).optional(),
  requestedAt: time,
  deadline: time,
};

const idRule = (maxBytes: number) =>
  `Unicode text of 1 to ${maxBytes.toLocaleString("en")} UTF-8 bytes, without NUL and without a space at its end`;

const timeRule = "an ISO 8601 time from 1970 to 9999, such as 2026-01-31T12:00:00Z";

const allowed = {
  id: idRule(predictionColumns.inputId.maxBytes),
  requestId: idRule(predictionColumns.requestId.maxBytes),
  jobId: idRule(predictionColumns.jobId.maxBytes),
  tenant: idRule(tenantBytes),
  requestedAt: timeRule,
  deadline: timeRule,
};

type Field = keyof typeof schemas;

const charactersShown = 80;

/** A text as an error shows it: cut where it is long, and where features begin, whose content is never shown. */
const shown = (text: string): string => {
  const features = text.search(/feature/i);
  const end = Math.min(charactersShown, features === -1 ? text.length : features);
  return end < text.length ? `${text.slice(0, end)}…` : text;
};

/** The same of any text, in quotes. */
const quoted = (text: string): string => shown(JSON.stringify(text.slice(0, 2 * charactersShown)));

const namesShown = 10;

/** Names for people, as many as one reads. */
const namesOf = (names: readonly string[]): string => listed(names.map(shortened), namesShown);

/** A text that is no feature's, cut where it is long. */
export const shortened = (text: string) =>
  text.length > charactersShown ? `${text.slice(0, charactersShown)}…` : text;

/** The fault of a request's field; undefined where it has none. @param given as an error shows it */
export const faultOfField = (name: Field, value: unknown, given: string): string | undefined =>
  schemas[name].safeParse(value).success ? undefined : `${name} must be ${allowed[name]}, got ${given}`;

/** @throws InvalidRequest when no input can have this id. */
export const parseInputId = (id: string): string => parseId("id", id);

/** @throws InvalidRequest when no request can have this id. */
export const parseRequestId = (id: string): string => parseId("requestId", id);

const parseId = (name: Field, id: string): string => {
  const fault = faultOfField(name, id, quotedId(id));
  if (fault !== undefined) throw new InvalidRequest(fault);
  return id;
};

/** An id as an error shows it. */
export const quotedId = (id: string): string => shortened(JSON.stringify(id.slice(0, 2 * charactersShown)));

const isText = (json: string | undefined): json is string => json?.startsWith('"') ?? false;

/** What others wrap messages in, each with how to have them unwrapped. */
const envelopes: readonly { readonly is: (has: (name: string) => boolean) => boolean; readonly named: string }[] = [
  {
    is: (has) => has("Type") && has("TopicArn") && has("Message"),
    named: "this is an SNS notification: turn on raw message delivery",
  },
  {
    is: (has) => has("detail-type") && has("source"),
    named: "this is an EventBridge event: make the request of it by the input transformer of the rule's target",
  },
  {
    is: (has) => has("Event") && has("Service") && has("Bucket"),
    named: "this is a test event of S3, whose notifications are no requests",
  },
];

/** Names the envelope that a JSON text with these members is; undefined where it is none. */
const envelopeOf = (json: string, members: readonly Member[] | undefined): string | undefined => {
  const names = new Set(members?.map(({ name }) => name));
  const named = envelopes.find(({ is }) => is((name) => names.has(name)))?.named;
  if (named !== undefined) return named;
  const records = members?.find(({ name }) => name === "Records")?.text;
  const first = elementsOf(records ?? json)?.[0];
  const record = first === undefined ? members : membersOf(first);
  const source = record?.find(({ name }) => name === "eventSource")?.text;
  if (source === '"aws:s3"') return "this is an S3 event notification, which is no request";
  if (!isText(source)) return undefined;
  return "this is a record of EventBridge Pipes: let the input template of the pipe's target be <$.body>";
};

const none = 'a request must be a JSON object such as {"id": "7"}, got';

/** @throws InvalidRequest where a request's text is no JSON */
const asJson = (text: string): string => {
  if (isJson(text)) return text;
  throw new InvalidRequest(`${none} ${quoted(text)}`);
};

/** The members of a request's JSON. @throws InvalidRequest where it is no object, or an envelope */
const readMembers = (text: string): readonly Member[] => {
  const members = membersOf(text);
  const envelope = envelopeOf(text, members);
  if (envelope !== undefined) throw new InvalidRequest(envelope);
  if (members === undefined) throw new InvalidRequest(`${none} ${shown(text.trim())}`);
  return members;
};

/** What is there twice, and what is not known. @param what as `a request has` @param only the names that are known */
export const faultsOfNames = (
  what: string,
  names: readonly string[],
  known: (name: string) => boolean,
  only: string,
) => {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) twice.add(name);
    seen.add(name);
  }
  const unknown = [...seen].filter((name) => !known(name));
  const inQuotes = (some: readonly string[]) => namesOf(some.map((name) => JSON.stringify(name)));
  return [
    ...(twice.size > 0 ? [`${what} ${inQuotes([...twice])} twice`] : []),
    ...(unknown.length > 0 ? [`${what} no ${inQuotes(unknown)}, only ${only}`] : []),
  ];
};

/** Reads the features that a request carries. All faults are added to `faults`, none with a value. */
const readFeatures = (json: string, features: readonly Feature[], faults: string[]): FeatureValues => {
  const members = membersOf(json);
  if (members === undefined) {
    faults.push(`features must be a JSON object with the contract's features, got ${shapeOf(json)}`);
    return [];
  }
  const given = new Map(members.map(({ name, text }) => [name, text]));
  const known = new Set(features.map(({ name }) => name));
  const names = features.map(({ name }) => name);
  const missing: string[] = [];
  const wrong: string[] = [];
  const values = features.map(({ name, type, optional }) => {
    const text = given.get(name) ?? "null";
    if (text === "null") {
      if (!optional) missing.push(name);
      return null;
    }
    const value = featureOfJson(type, text);
    if (value === undefined) wrong.push(`${name} must be ${featureForms[type]}, got ${kindOf(text)}`);
    return value ?? null;
  });
  if (missing.length > 0) faults.push(`features must have ${namesOf(missing)}`);
  if (wrong.length > 0) faults.push(`features: ${listed(wrong, namesShown)}`);
  faults.push(
    ...faultsOfNames(
      "features has",
      members.map(({ name }) => name),
      (name) => known.has(name),
      namesOf(names),
    ),
  );
  return values;
};

/** What a value of a feature is instead, without its content. */
const kindOf = (json: string) =>
  /^[{[]/.test(json) ? `a ${json.startsWith("[") ? "list" : "JSON object"}` : shapeOf(json);

const requestNames: readonly string[] = ["id", "requestId", "jobId", "tenant", "features"];

/**
 * Reads a request of these fields from JSON.
 * @param what it is called in faults
 * @throws InvalidRequest with all its faults
 */
const readRequest = (
  text: string,
  fields: readonly string[],
  carried: CarriedFeatures | undefined,
  { what, only } = { what: "a request", only: "id, requestId, jobId, tenant and features" },
) => {
  const members = readMembers(text);
  const given = new Map(members.map(({ name, text }) => [name, text]));
  const faults: string[] = [];
  const textOf = (name: Field) => {
    const json = given.get(name);
    const value: unknown = isText(json) ? JSON.parse(json) : json === undefined ? undefined : null;
    const fault = faultOfField(name, value, json === undefined ? "nothing" : shortened(json));
    if (fault !== undefined) faults.push(fault);
    return typeof value === "string" ? value : undefined;
  };
  const ids = {
    id: textOf("id") ?? "",
    requestId: textOf("requestId"),
    jobId: textOf("jobId"),
    tenant: textOf("tenant"),
  };
  const timeAt = (name: "requestedAt" | "deadline") => {
    const text = fields.includes(name) ? textOf(name) : undefined;
    return text === undefined ? undefined : new Date(text);
  };
  const times = { requestedAt: timeAt("requestedAt"), deadline: timeAt("deadline") };
  const json = given.get("features");
  const features = json !== undefined && carried ? readFeatures(json, carried.features, faults) : undefined;
  if (json === undefined && carried?.required) {
    faults.push("features is missing: there is no feature group, so every request carries its features");
  }
  const names = members.map(({ name }) => name);
  faults.push(...faultsOfNames(`${what} has`, names, (name) => fields.includes(name), only));
  if (faults.length > 0) throw new InvalidRequest(faults.join("; "));
  return { ...ids, ...times, features, members };
};

/** What reads one text, so that whatever that does to it is told of that text alone. */
const guarded = <T>(read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidRequest) throw error;
    throw new InvalidRequest(`it could not be read: ${error instanceof Error ? error.name : "an unknown error"}`);
  }
};

const readNewRequest = (text: string, carried: CarriedFeatures): AskedRequest | InvalidRequest => {
  try {
    return guarded(() => {
      const { id, requestId, jobId, tenant, features } = readRequest(text, requestNames, carried);
      return { id, requestId, jobId, tenant, features };
    });
  } catch (error) {
    if (error instanceof InvalidRequest) return error;
    throw error;
  }
};

/**
 * Reads what a client asks for: a request in JSON with `id`, and `requestId`, `jobId`, `tenant` and `features` where it
 * has them,
 * or an array of up to 1,000 of them. Each is given as it was asked for, or as an InvalidRequest with every fault of it.
 * @throws InvalidRequest for what is no JSON, and for an array that is empty or longer
 */
export const parseNewRequests = (
  text: string,
  carried: CarriedFeatures,
): AskedRequest | InvalidRequest | (AskedRequest | InvalidRequest)[] => {
  const elements = guarded(() => elementsOf(asJson(text)));
  if (elements === undefined) return readNewRequest(text, carried);
  if (elements.length >= 1 && elements.length <= 1_000) {
    return elements.map((element) => readNewRequest(element, carried));
  }
  throw new InvalidRequest(`an array must hold 1 to 1,000 requests, got ${elements.length.toLocaleString("en")}`);
};

const rowNames: readonly string[] = ["id", "features"];

/**
 * Reads a row of a job's input, which is a request of `id` and, where it has them, `features`.
 * @throws InvalidRequest with every fault of it, without a word of what is no id
 */
export const parseRow = (text: string, carried: CarriedFeatures): Pick<AskedRequest, "id" | "features"> =>
  guarded(() => {
    if (!isJson(text) || !text.trimStart().startsWith("{")) {
      throw new InvalidRequest('a row must be a JSON object such as {"id": "7"}');
    }
    const { id, features } = readRequest(text, rowNames, carried, { what: "a row", only: "id and features" });
    return { id, features };
  });

/** What is needed of a message of the queue. */
export interface Message {
  readonly messageId: string;
  readonly body: string;
  /** When it was put on the queue. */
  readonly sentAt: Date;
}

const messageNames = [...requestNames, "requestedAt", "deadline"];

/**
 * Reads a request off the queue. Its key is its `requestId`, or else the id of the message.
 * @param carried the features that it may carry @default any: they are not looked at
 * @throws InvalidRequest with every fault, what was given and what is allowed.
 */
export const parseRequest = (message: Message, carried?: CarriedFeatures): PredictionRequest =>
  guarded(() => {
    const { messageId, sentAt } = message;
    const read = readRequest(asJson(message.body), messageNames, carried);
    const { id: inputId, requestId = messageId, jobId, tenant, requestedAt = sentAt, deadline, features } = read;
    const body = signed(message, read.members);
    const bytes = bytesOf(body);
    if (bytes > messageBytes) {
      throw new InvalidRequest(
        `a message must be at most ${messageBytes.toLocaleString("en")} UTF-8 bytes with its requestId and requestedAt, so that it can be set aside, got ${bytes.toLocaleString("en")}`,
        "too_large",
      );
    }
    return { requestId, inputId, jobId, tenant, requestedAt, deadline, features, body };
  });

/** The text of a message that is an object, with the message's id and time before the rest where it has none itself. */
const signed = ({ messageId, body, sentAt }: Message, members: readonly Member[]): string => {
  const names = new Set(members.map(({ name }) => name));
  const added = [
    ...(names.has("requestId") ? [] : [`"requestId":${JSON.stringify(messageId)}`]),
    ...(names.has("requestedAt") ? [] : [`"requestedAt":"${sentAt.toISOString()}"`]),
  ];
  if (added.length === 0) return body;
  return `{${[...added, ...(members.length > 0 ? [""] : [])].join(",")}${body.trimStart().slice(1)}`;
};

/**
 * The body under which what is no request is set aside: its own text, with the id and time of its message where it had
 * none, so that these stay however often it comes.
 */
export const bodyOfInvalid = (message: Message): string => {
  const { messageId: requestId, body, sentAt } = message;
  const members = isJson(body) ? membersOf(body) : undefined;
  if (members) return signed(message, members);
  return JSON.stringify({ requestId, requestedAt: sentAt.toISOString(), body });
};

/** The ids that a message names, as far as they can be read. */
export const idsIn = (body: string): { id?: string; requestId?: string; jobId?: string } => {
  const members = isJson(body) ? (membersOf(body) ?? []) : [];
  const textOf = (name: Field) => {
    const json = members.findLast((member) => member.name === name)?.text;
    return isText(json) ? String(JSON.parse(json)) : undefined;
  };
  return { id: textOf("id"), requestId: textOf("requestId"), jobId: textOf("jobId") };
};
