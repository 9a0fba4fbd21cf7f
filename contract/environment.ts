import * as z from "zod";
import { featureTypes } from "./model-contract";
import { callBytes } from "./wire-format";

const text = z.string().min(1);
const whole = (least: number, most?: number) => {
  const number = z.coerce.number().int().min(least);
  return most === undefined ? number : number.max(most);
};

/** Where the warehouse is. */
const warehouse = {
  /** There exactly where capacity is `steady`. */
  CLUSTER_ID: text.optional(),
  /** There exactly where it is `on-demand`. */
  WORKGROUP_NAME: text.optional(),
  DB_NAME: text,
};

const isOneWarehouse = ({ CLUSTER_ID, WORKGROUP_NAME }: { CLUSTER_ID?: string; WORKGROUP_NAME?: string }) =>
  (CLUSTER_ID === undefined) !== (WORKGROUP_NAME === undefined);
const noWarehouse = { path: ["WORKGROUP_NAME"], message: "must be there exactly where CLUSTER_ID is not" };

/** The bucket that outcomes go through on their way to the warehouse. */
const answers = { ANSWERS_BUCKET: text };

/** How long the queue keeps a message, and how long it hides one that was received. */
const queueTimes = { MESSAGE_RETENTION_SECONDS: whole(60), VISIBILITY_TIMEOUT_SECONDS: whole(0) };

/** The feature group that a function looks features up in. @default there is none: every request carries its features */
const featureGroup = { FEATURE_GROUP_NAME: text.optional() };

/** The feature by which the feature group knows its records. @default there is no group: every row carries its features */
const recordIdentifier = {
  RECORD_IDENTIFIER_NAME: text.optional(),
  RECORD_IDENTIFIER_TYPE: z.enum(featureTypes).optional(),
};

/** What the worker is told by its environment. */
export const workerEnvironment = z
  .object({
    ...featureGroup,
    /** There exactly where the group is. */
    RECORD_IDENTIFIER_TYPE: z.enum(featureTypes).optional(),
    ENDPOINT_NAME: text,
    /** The production variant that is asked. @default the endpoint chooses by its weights */
    ENDPOINT_VARIANT: text.optional(),
    /** Says which model answers. @default the name of the endpoint's configuration, which is looked up */
    MODEL_RELEASE: text.optional(),
    ENDPOINT_CONCURRENCY: whole(1),
    INSTANCES_PER_CALL: whole(1),
    /** The longest that a call of the endpoint may take. */
    ENDPOINT_CALL_SECONDS: z.coerce.number().positive().max(60),
    /** Statuses from 400 to 499 by which the model tells of a fault of its own, `400,422`. @default none */
    ENDPOINT_FAULT_STATUSES: text
      .transform((list) => list.split(",").map(Number))
      .pipe(z.array(z.int().min(400).max(499)))
      .optional(),
    /** The most of a call's body, in bytes. @default what an endpoint of instances takes */
    LARGEST_BODY_BYTES: whole(1, callBytes).default(callBytes),
    /** The answer whose share is measured. @default none is */
    WATCHED_ANSWER: text.optional(),
    ...answers,
    DEAD_LETTER_QUEUE_URL: text,
    QUEUE_URL: text,
    /** Deliveries after which SQS itself moves a message to the dead letters. */
    MAX_RECEIVE_COUNT: whole(1, 1_000),
    MESSAGE_RETENTION_SECONDS: whole(60),
    FIRST_RETURN_DELAY_SECONDS: whole(0),
    LONGEST_RETURN_DELAY_SECONDS: whole(0, 900),
  })
  .refine(
    ({ FEATURE_GROUP_NAME: group, RECORD_IDENTIFIER_TYPE: type }) => (group === undefined) === (type === undefined),
    {
      path: ["RECORD_IDENTIFIER_TYPE"],
      message: "must be there exactly where FEATURE_GROUP_NAME is",
    },
  );

/** What the API is told by its environment. */
export const apiEnvironment = z
  .object({
    ...featureGroup,
    QUEUE_URL: text,
    ...queueTimes,
    ...answers,
    ...warehouse,
    /** The function that sends the rows of jobs. */
    STARTER_FUNCTION_NAME: text,
    /** What a million rows of a job cost, beside what the environment costs at rest, in US dollars. */
    MILLION_ROWS_USD: z.coerce.number().min(0),
    /** Whether something in it has no price that is known. */
    MILLION_ROWS_USD_IS_AT_LEAST: z.enum(["true", "false"]).transform((text) => text === "true"),
  })
  .refine(isOneWarehouse, noWarehouse);

/** What the starter is told by its environment. */
export const starterEnvironment = z.object({
  ...answers,
  ...recordIdentifier,
  QUEUE_URL: text,
  /** Rows that a job may have. */
  MAX_ROWS: whole(1),
});

/** What the loader is told by its environment. */
export const loaderEnvironment = z
  .object({
    ...answers,
    ...warehouse,
    /** The role by which the warehouse reads what is staged. */
    COPY_ROLE_ARN: text,
    /** The role by which the warehouse writes large results. */
    UNLOAD_ROLE_ARN: text,
    /** The KMS key that it encrypts them with. @default S3's own */
    UNLOAD_KMS_KEY_ID: text.optional(),
    /** The database user that people read as. @default a role's, which the loader does not take on */
    READER: text.optional(),
    /** How old the oldest object may be that is staged for a workgroup, in minutes. At a cluster each run loads. */
    LOAD_EVERY_MINUTES: whole(1).default(1),
  })
  .refine(isOneWarehouse, noWarehouse);

/** What the writer of results is told by its environment. */
export const writerEnvironment = z
  .object({
    ...answers,
    ...warehouse,
    /** The role by which the warehouse writes the outcomes of a job. */
    UNLOAD_ROLE_ARN: text,
    /** The KMS key that it encrypts them with. @default S3's own */
    UNLOAD_KMS_KEY_ID: text.optional(),
    ...recordIdentifier,
    ...queueTimes,
    /** The longest that a run of the worker takes. */
    WORKER_TIMEOUT_SECONDS: whole(1),
  })
  .refine(isOneWarehouse, noWarehouse);

/** What the function that makes the tables is told by its environment. */
export const schemaEnvironment = z
  .object({
    ...warehouse,
    /** The database user that it signs in as, at a cluster. */
    ADMIN_USER: text.optional(),
    /** The secret of the administrator, at a workgroup, which lends no user's name. */
    ADMIN_SECRET_ARN: text.optional(),
  })
  .refine(isOneWarehouse, noWarehouse)
  .refine(({ CLUSTER_ID, ADMIN_USER }) => (CLUSTER_ID === undefined) === (ADMIN_USER === undefined), {
    path: ["ADMIN_USER"],
    message: "must be there exactly where CLUSTER_ID is",
  })
  .refine(({ ADMIN_USER, ADMIN_SECRET_ARN }) => (ADMIN_USER === undefined) !== (ADMIN_SECRET_ARN === undefined), {
    path: ["ADMIN_SECRET_ARN"],
    message: "must be there exactly where ADMIN_USER is not",
  });

/** The variables of the functions, each of which a construct sets. */
type Variable =
  | keyof z.input<typeof workerEnvironment>
  | keyof z.input<typeof starterEnvironment>
  | keyof z.input<typeof loaderEnvironment>
  | keyof z.input<typeof writerEnvironment>
  | keyof z.input<typeof schemaEnvironment>
  | keyof z.input<typeof apiEnvironment>;

/** Variables of a function, for its construct. */
export type FunctionEnvironment = Readonly<Partial<Record<Variable, string>>>;
