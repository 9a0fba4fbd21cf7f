import { z } from "zod";
import { s3Error } from "../../local/s3";
import { type Answer, AwsError, ConnectionCut, json, type Request } from "../../local/stand-in";

/** A call on its way to AWS. */
export interface Call {
  readonly request: Request;
  /** Has it done, with another body where one is given. */
  readonly forward: (body?: Buffer) => Promise<Answer>;
  /** Kills the function that made it; all loaders, where the cluster made it. */
  readonly kill: () => void;
  /** When nobody waits for an answer any more. */
  readonly abandoned: Promise<unknown>;
  /** Deletes an object that waits to be loaded, as by hand. */
  readonly deleteByHand: () => Promise<void>;
  /** Whether the COPY that reads this manifest does not find every second object. */
  readonly skipObjects: (skips: boolean) => void;
}

type Hindering = (call: Call) => Promise<Answer>;

const bodyOf = <Schema extends z.ZodType>({ body }: { body?: string | Buffer }, schema: Schema): z.output<Schema> =>
  schema.parse(JSON.parse(String(body)));

const refusing =
  (name: string, status: number, details: Record<string, unknown> = {}): Hindering =>
  async () => {
    throw new AwsError(name, status, "on purpose", details);
  };

/** Goes wrong in the same way whatever the call is for, and never says more than it was asked. */
const onTheNetwork = {
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

const anywhere = {
  ...onTheNetwork,
  "a refusal": refusing("AccessDeniedException", 400),
  "a throttling": refusing("ThrottlingException", 400),
  "an error of the service": refusing("ServiceUnavailable", 503),
  "an answer that is no JSON": async ({ forward }) => ({ ...(await forward()), body: "<html>busy</html>" }),
  "an answer that says nothing": async ({ forward }) => ({ ...(await forward()), body: "{}" }),
} satisfies Record<string, Hindering>;

const refusedByS3 = {
  "a refusal": async () => s3Error(403, "AccessDenied", "Access Denied"),
  "a throttling": async () => s3Error(503, "SlowDown", "Please reduce your request rate."),
  "an error of the service": async () => s3Error(500, "InternalError", "We encountered an internal error."),
} satisfies Record<string, Hindering>;

const inS3 = {
  ...onTheNetwork,
  ...refusedByS3,
  "an answer that is no XML": async ({ forward }) => ({ ...(await forward()), body: "busy" }),
  "an answer that says nothing": async ({ forward }) => ({ ...(await forward()), body: "" }),
} satisfies Record<string, Hindering>;

/** The cluster asks S3. What it is answered is never spoiled: S3 does not change what it keeps. */
const ofTheCluster = { ...onTheNetwork, ...refusedByS3 };

/** The statement goes on for longer than a hasty loader has. */
const beyondItsTime = "a transaction beyond the loader's time";

/** A loader asks for them again until its time is over. */
const objectsNotFound = "every second object that is not found";

/** Those for which a function waits until it gives up. */
const silent = new Set([
  ...Object.keys(onTheNetwork).filter((what) => what.startsWith("no answer")),
  beyondItsTime,
  objectsNotFound,
]);

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

/** All that can go wrong, by the call that it befalls. */
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
  PutOutcomes: inS3,
  PutSample: inS3,
  GetSample: inS3,
  SendMessageBatch: queueOperation,
  DeleteMessageBatch: queueOperation,
  ChangeMessageVisibilityBatch: queueOperation,
  ListStaged: inS3,
  ListOpen: inS3,
  GetFact: inS3,
  PutCounts: inS3,
  PutManifest: {
    ...inS3,
    "an object that is deleted by hand": async ({ forward, deleteByHand }) => {
      const answer = await forward();
      await deleteByHand();
      return answer;
    },
  },
  BatchExecuteStatement: {
    ...anywhere,
    "too many statements": refusing("ActiveStatementsExceededException", 400),
    "a manifest that is loaded twice": async ({ forward }) => {
      await forward();
      return forward();
    },
    "a statement that fails": endingWith("SELECT 1 / 0"),
    "a statement that is stopped": endingWith("SELECT pg_cancel_backend(pg_backend_pid())"),
    "a conflict with another writer": endingWith("SELECT conflict()"),
    "a right that it lacks": endingWith("SELECT 1 FROM pg_authid"),
    "a slow transaction": endingWith("SELECT pg_sleep(0.1)"),
    "a statement still running": impatient,
    [beyondItsTime]: ({ request, forward, ...call }) =>
      endingWith("SELECT pg_sleep(4)")({
        ...call,
        request,
        forward: (body = request.body) => impatient({ ...call, request: { ...request, body }, forward }),
      }),
  },
  DescribeStatement: { ...anywhere, "a statement still running": impatient },
  DeleteLoaded: {
    ...inS3,
    "half of the keys": async ({ request, forward }) => {
      const keys = [...request.body.toString().matchAll(/<Object><Key>([^<]*)<\/Key><\/Object>/g)];
      const kept = keys.filter((_, place) => place % 2 === 1).map(([object]) => object);
      if (kept.length > 0) await forward(Buffer.from(`<Delete>${kept.join("")}<Quiet>true</Quiet></Delete>`));
      const left = keys.filter((_, place) => place % 2 === 0);
      const errors = left.map(([, key]) => `<Error><Key>${key}</Key><Code>InternalError</Code></Error>`);
      const body = `<DeleteResult>${errors.join("")}</DeleteResult>`;
      return { status: 200, headers: { "content-type": "application/xml" }, body };
    },
  },
  ExecuteStatement: anywhere,
  GetStatementResult: anywhere,
  CancelStatement: anywhere,
  CopyRejected: {
    ...inS3,
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    "an error in an answer of success": async () => s3Error(200, "InternalError", "We encountered an internal error."),
  },
  CopyOfManifest: {
    ...ofTheCluster,
    [objectsNotFound]: async ({ forward, skipObjects }) => {
      skipObjects(true);
      return forward();
    },
  },
  CopyOfObject: ofTheCluster,
} satisfies Record<string, Record<string, Hindering>>;

const awsOperations = [
  "BatchGetRecord",
  "InvokeEndpoint",
  "SendMessageBatch",
  "DeleteMessageBatch",
  "ChangeMessageVisibilityBatch",
  "BatchExecuteStatement",
  "DescribeStatement",
  "ExecuteStatement",
  "GetStatementResult",
  "CancelStatement",
] as const;
const awsOperation = z.enum(awsOperations);

/** The calls of S3, by what they are for. */
const s3Operations = {
  PutOutcomes: /^PUT \/[^/]+\/staged\//,
  PutSample: /^PUT \/[^/]+\/sample\.json/,
  GetSample: /^GET \/[^/]+\/sample\.json/,
  ListStaged: /^GET \/[^/]+\/?\?.*prefix=staged/,
  ListOpen: /^GET \/[^/]+\/?\?.*prefix=open/,
  GetFact: /^GET \/[^/]+\/jobs\//,
  PutCounts: /^PUT \/[^/]+\/jobs\/[^/]+\/counts\.json/,
  PutManifest: /^PUT \/[^/]+\/manifests\//,
  DeleteLoaded: /^POST \/[^/]+\/?\?delete/,
  CopyRejected: /^PUT \/[^/]+\/rejected\//,
  CopyOfManifest: /^GET \/[^/]+\/manifests\//,
  CopyOfObject: /^GET \/[^/]+\/staged\//,
} as const;

/** What worker, loader and cluster ask of AWS. */
export type Operation = keyof typeof hinderings;

const isS3Operation = (name: string): name is keyof typeof s3Operations => name in s3Operations;

/** @throws when it is none that is known */
export const operationOf = ({ method, headers, url }: Request): Operation => {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return awsOperation.parse(target.replace(/^.*\./, ""));
  if (url.pathname.endsWith("/invocations")) return "InvokeEndpoint";
  const call = `${method} ${url.pathname}${url.search}`;
  const found = Object.entries(s3Operations).find(([, pattern]) => pattern.test(call))?.[0];
  if (found !== undefined && isS3Operation(found)) return found;
  return awsOperation.parse(url.pathname.slice(1));
};

/** Something that goes wrong, at the calls of an operation from the one of this number on, the first being 1. */
export interface Fault {
  readonly operation: Operation;
  readonly what: string;
  readonly from: number;
  readonly count: number;
}

const operations = {
  worker: [
    "BatchGetRecord",
    "InvokeEndpoint",
    "PutOutcomes",
    "PutSample",
    "GetSample",
    "ListOpen",
    "SendMessageBatch",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
  ],
  loader: [
    "ListStaged",
    "PutManifest",
    "BatchExecuteStatement",
    "DescribeStatement",
    "GetFact",
    "PutCounts",
    "DeleteLoaded",
    "ExecuteStatement",
    "GetStatementResult",
    "CancelStatement",
    "CopyRejected",
    "CopyOfManifest",
    "CopyOfObject",
  ],
} as const satisfies Record<string, readonly Operation[]>;

/** All faults of a function's calls, and of the cluster's for it, each by its operation and its name. */
export const faultsOf = (name: keyof typeof operations): { readonly operation: Operation; readonly what: string }[] =>
  operations[name].flatMap((operation) => Object.keys(hinderings[operation]).map((what) => ({ operation, what })));

export const allFaults = [...faultsOf("worker"), ...faultsOf("loader")];

export const always = { from: 1, count: Number.POSITIVE_INFINITY };

const closedBucket = { operation: "PutOutcomes", what: "a refusal", ...always } as const;
const prerequisites: Partial<Record<Operation, Fault>> = {
  DeleteMessageBatch: closedBucket,
  ChangeMessageVisibilityBatch: closedBucket,
  GetSample: { operation: "InvokeEndpoint", what: "a model that breaks", ...always },
  CancelStatement: { operation: "BatchExecuteStatement", what: beyondItsTime, ...always },
};

/** A fault, after it the one that makes a function call the operation, where it does not as long as all is well. */
export const withPrerequisite = (fault: Fault): Fault[] => [fault, ...[prerequisites[fault.operation] ?? []].flat()];

const named: Record<Operation, Record<string, Hindering>> = hinderings;

/** @throws when the operation has no such fault */
export const hinderingOf = ({ operation, what }: Pick<Fault, "operation" | "what">): Hindering => {
  const hindering = named[operation][what];
  if (!hindering) throw new Error(`${operation} knows no fault "${what}"`);
  return hindering;
};

/** Whether a function waits in vain for an answer. */
export const isSilent = ({ what }: Pick<Fault, "what">) => silent.has(what);
