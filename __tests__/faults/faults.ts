import { z } from "zod";
import { type Answer, AwsError, ConnectionCut, json, type Request } from "../../local/stand-in";

/** A call of a worker, on its way to AWS. */
export interface Call {
  readonly request: Request;
  /** Has it done, with another body where one is given. */
  readonly forward: (body?: Buffer) => Promise<Answer>;
  /** Kills the worker that made it. */
  readonly kill: () => void;
  /** When no worker waits for an answer any more. */
  readonly abandoned: Promise<void>;
}

type Hindering = (call: Call) => Promise<Answer>;

const bodyOf = <Schema extends z.ZodType>({ body }: { body?: string | Buffer }, schema: Schema): z.output<Schema> =>
  schema.parse(JSON.parse(String(body)));

const refusing =
  (name: string, status: number, details: Record<string, unknown> = {}): Hindering =>
  async () => {
    throw new AwsError(name, status, "on purpose", details);
  };

/** Goes wrong in the same way whatever the call is for. */
const anywhere = {
  "a throttling": refusing("ThrottlingException", 400),
  "an error of the service": refusing("InternalFailure", 500),
  "a connection cut before the work": async () => {
    throw new ConnectionCut();
  },
  "a connection cut after the work": async ({ forward }) => {
    await forward();
    throw new ConnectionCut();
  },
  "a kill before the work": async ({ kill }) => {
    kill();
    throw new ConnectionCut();
  },
  "a kill after the work": async ({ forward, kill }) => {
    await forward();
    kill();
    throw new ConnectionCut();
  },
  "an answer that is no JSON": async ({ forward }) => ({ ...(await forward()), body: "<html>busy</html>" }),
  "an answer that says nothing": async ({ forward }) => ({ ...(await forward()), body: "{}" }),
  "no answer": async ({ abandoned }) => {
    await abandoned;
    throw new ConnectionCut();
  },
  "no answer, though the work is done": async ({ forward, abandoned }) => {
    await forward();
    await abandoned;
    throw new ConnectionCut();
  },
  "no answer, and the work done later": async ({ forward, abandoned }) => {
    await abandoned;
    return forward();
  },
} satisfies Record<string, Hindering>;

/** Those for which a worker waits until it gives up. */
const silent = new Set(Object.keys(anywhere).filter((what) => what.startsWith("no answer")));

const features = z.looseObject({
  Records: z.array(z.looseObject({ FeatureGroupName: z.string(), RecordIdentifierValueAsString: z.string() })),
});

/** Every second record, the first of them too, is taken out of what was read. */
const takenOut = async ({ forward }: Call) => {
  const { Records, ...rest } = bodyOf(await forward(), features);
  const kept = Records.filter((_, place) => place % 2 === 1);
  const taken = Records.filter((_, place) => place % 2 === 0);
  return { ...rest, Records: kept, taken };
};

const batchOfEntries = z.looseObject({ Entries: z.array(z.looseObject({ Id: z.string() })) });
const batchAnswer = z.looseObject({
  Successful: z.array(z.looseObject({})).default([]),
  Failed: z.array(z.looseObject({})).default([]),
});

const partial: Hindering = async ({ request, forward }) => {
  const { Entries, ...rest } = bodyOf(request, batchOfEntries);
  const kept = Entries.filter((_, place) => place % 2 === 1);
  const left = Entries.filter((_, place) => place % 2 === 0);
  const forwarded =
    kept.length > 0 ? await forward(Buffer.from(JSON.stringify({ ...rest, Entries: kept }))) : undefined;
  const { Successful, Failed } = batchAnswer.parse(forwarded ? bodyOf(forwarded, batchAnswer) : {});
  const failures = left.map(({ Id }) => ({ Id, Code: "InternalError", SenderFault: false }));
  return json({ Successful, Failed: [...Failed, ...failures] });
};

const transaction = z.looseObject({ Sqls: z.array(z.string()) });

/** Has the transaction end with one statement more. */
const endingWith =
  (sql: string): Hindering =>
  ({ request, forward }) => {
    const { Sqls, ...rest } = bodyOf(request, transaction);
    return forward(Buffer.from(JSON.stringify({ ...rest, Sqls: [...Sqls, sql] })));
  };

/** The answer comes at once, whether the statement is through or not. */
const impatient: Hindering = ({ request, forward }) => {
  const { WaitTimeSeconds: _, ...rest } = bodyOf(request, z.looseObject({}));
  return forward(Buffer.from(JSON.stringify(rest)));
};

const queueOperation = { ...anywhere, "a throttling": refusing("RequestThrottled", 403), "half of the batch": partial };

/** What the database is to have for the faults that it makes itself. */
export const createConflict = `CREATE FUNCTION conflict() RETURNS INT AS $$
BEGIN
  RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
END;
$$ LANGUAGE plpgsql`;

/** All that can go wrong, by the operation that it befalls. */
const hinderings = {
  BatchGetRecord: {
    ...anywhere,
    "some left unprocessed": async (call) => {
      const { taken, ...answer } = await takenOut(call);
      const UnprocessedIdentifiers = taken.map(({ FeatureGroupName, RecordIdentifierValueAsString }) => {
        return { FeatureGroupName, RecordIdentifiersValueAsString: [RecordIdentifierValueAsString] };
      });
      return json({ ...answer, UnprocessedIdentifiers });
    },
    "errors for some": async (call) => {
      const { taken, ...answer } = await takenOut(call);
      const Errors = taken.map(({ FeatureGroupName, RecordIdentifierValueAsString }) => {
        const named = { FeatureGroupName, RecordIdentifierValueAsString };
        return { ...named, ErrorCode: "InternalFailure", ErrorMessage: "on purpose" };
      });
      return json({ ...answer, Errors });
    },
  },
  InvokeEndpoint: {
    ...anywhere,
    "an answer that says nothing": async ({ forward }) => ({ ...(await forward()), body: "" }), // a model may mean {}
    "an endpoint that is not there": refusing("ValidationError", 400),
    "a model that is not ready": refusing("ModelNotReadyException", 429),
    "a model that breaks": refusing("ModelError", 424, { OriginalStatusCode: 500 }),
    "a model that is busy": refusing("ModelError", 424, { OriginalStatusCode: 429 }),
  },
  BatchExecuteStatement: {
    ...anywhere,
    "too many statements": refusing("ActiveStatementsExceededException", 400),
    "a statement that fails": endingWith("SELECT 1 / 0"),
    "a statement that is stopped": endingWith("SELECT pg_cancel_backend(pg_backend_pid())"),
    "a conflict with another writer": endingWith("SELECT conflict()"),
    "a slow transaction": endingWith("SELECT pg_sleep(0.1)"),
    "a statement still running": impatient,
  },
  DescribeStatement: { ...anywhere, "a statement still running": impatient },
  SendMessageBatch: queueOperation,
  DeleteMessageBatch: queueOperation,
  ChangeMessageVisibilityBatch: queueOperation,
} satisfies Record<string, Record<string, Hindering>>;

const operationSchema = z.enum([
  "BatchGetRecord",
  "InvokeEndpoint",
  "BatchExecuteStatement",
  "DescribeStatement",
  "SendMessageBatch",
  "DeleteMessageBatch",
  "ChangeMessageVisibilityBatch",
]);

/** What a worker asks of AWS. */
export type Operation = z.infer<typeof operationSchema>;

export const operationOf = ({ headers, url }: Request): Operation => {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return operationSchema.parse(target.replace(/^.*\./, ""));
  return url.pathname.endsWith("/invocations") ? "InvokeEndpoint" : operationSchema.parse(url.pathname.slice(1));
};

/** Something that goes wrong, at the calls of an operation from the one of this number on, the first being 1. */
export interface Fault {
  readonly operation: Operation;
  readonly what: string;
  readonly from: number;
  readonly count: number;
}

/** All faults there are, each by its operation and its name. */
export const allFaults = operationSchema.options.flatMap((operation) =>
  Object.keys(hinderings[operation]).map((what) => ({ operation, what })),
);

export const always = { from: 1, count: Number.POSITIVE_INFINITY };

const brokenWarehouse = { operation: "BatchExecuteStatement", what: "a statement that fails", ...always } as const;
const prerequisites: Partial<Record<Operation, Fault>> = {
  DescribeStatement: { operation: "BatchExecuteStatement", what: "a statement still running", ...always },
  DeleteMessageBatch: brokenWarehouse,
  ChangeMessageVisibilityBatch: brokenWarehouse,
};

/** A fault, after it the one that makes a worker call the operation, where it does not as long as all is well. */
export const withPrerequisite = (fault: Fault): Fault[] => [fault, ...[prerequisites[fault.operation] ?? []].flat()];

const named: Record<Operation, Record<string, Hindering>> = hinderings;

/** @throws when the operation has no such fault */
export const hinderingOf = ({ operation, what }: Pick<Fault, "operation" | "what">): Hindering => {
  const hindering = named[operation][what];
  if (!hindering) throw new Error(`${operation} knows no fault "${what}"`);
  return hindering;
};

/** Whether a worker waits in vain for an answer. */
export const isSilent = ({ what }: Pick<Fault, "what">) => silent.has(what);
