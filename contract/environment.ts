import * as z from "zod";
import { featureTypes } from "./model-contract";

const text = z.string().min(1);
const whole = (least: number, most?: number) => {
  const number = z.coerce.number().int().min(least);
  return most === undefined ? number : number.max(most);
};

const warehouse = { CLUSTER_ID: text, DB_NAME: text };

/** The feature group that a function looks features up in. @default there is none: every request carries its features */
const featureGroup = { FEATURE_GROUP_NAME: text.optional() };

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
    ...warehouse,
    DEAD_LETTER_QUEUE_URL: text,
    QUEUE_URL: text,
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
export const apiEnvironment = z.object({ ...featureGroup, QUEUE_URL: text, ...warehouse });

/** The variables of the functions, each of which a construct sets. */
export type Variable = keyof z.input<typeof workerEnvironment> | keyof z.input<typeof apiEnvironment>;

/** Variables of a function, for its construct. */
export type FunctionEnvironment = Readonly<Partial<Record<Variable, string>>>;
