import * as z from "zod";

/** The types that Feature Store knows (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_FeatureDefinition.html). */
export const featureTypes = ["String", "Integral", "Fractional"] as const;
export type FeatureType = (typeof featureTypes)[number];

/**
 * What a call carries, and what comes back.
 * - `json`: one JSON object of the features a call; the whole body answers.
 * - `instances`: `{"instances":[{…}, …]}`, answered by `{"predictions":[…]}`.
 * - `jsonlines`, `csv`: a line an input, answered by as many lines.
 * - `inputs`: `{"inputs":[…]}`, as Hugging Face's images have it, answered by a list: of one feature its value, of several an object.
 * - `raw`: one feature is the body; the whole body answers.
 */
export const requestFormats = ["json", "instances", "jsonlines", "csv", "inputs", "raw"] as const;
export type RequestFormat = (typeof requestFormats)[number];

/** Of these a call holds one input. The others hold many. */
export const formatsOfOne: readonly RequestFormat[] = ["json", "raw"];

/**
 * What is kept of an answer. `text`: a JSON string gives its text, anything else the text itself. `json`: the exact
 * characters of a JSON value.
 */
export const answerFormats = ["text", "json"] as const;

/** The types of the columns of `prediction_values`. */
export const outputTypes = ["text", "number"] as const;
type OutputType = (typeof outputTypes)[number];

/** A feature of an input. */
export interface Feature {
  readonly name: string;
  readonly type: FeatureType;
  /** Whether an input may lack it: the model is then asked with `null` in JSON, with an empty field in CSV. */
  readonly optional: boolean;
}

/** A column of `prediction_values`. */
export interface Output {
  readonly name: string;
  readonly type: OutputType;
}

const feature = z.object({ name: z.string(), type: z.enum(featureTypes), optional: z.boolean() });
const output = z.object({ name: z.string(), type: z.enum(outputTypes) });

/** The contract with the model, as functions and commands read it from the file that the configuration is written into. */
export const modelContractSchema = z.object({
  /** The features in the order in which they are sent. */
  features: z.array(feature).min(1).readonly(),
  request: z.enum(requestFormats),
  answer: z.enum(answerFormats),
  /** The columns of `prediction_values`: fields of a JSON object by their names, of a line of CSV by their places. */
  outputs: z.array(output).readonly(),
  /** What every call of the format `inputs` carries as its `parameters`. */
  parameters: z.record(z.string(), z.json()).optional(),
  /** The content type of a `raw` body. */
  contentType: z.string().optional(),
});

/** What the pipeline and the model agree on: what an input is, how the model is asked, what it answers. */
export type ModelContract = z.infer<typeof modelContractSchema>;

/** The name of the contract's file in the archive of each function that reads it. */
export const contractFile = "contract.json";

/** The key of the contract's object in the model bucket, for a pipeline whose names start with a prefix. */
export const contractKey = (prefix: string) => `contracts/${prefix}.json`;
