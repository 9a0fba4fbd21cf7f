import { createHash } from "node:crypto";
import { z } from "zod";
import { describeRange, isWithin, limits, type NameLimit, type Range } from "../aws/limits";
import { listed } from "../contract/listed";
import {
  answerFormats,
  type Feature,
  featureTypes,
  type ModelContract,
  modelContractSchema,
  outputTypes,
  requestFormats,
} from "../contract/model-contract";
import { predictionColumns } from "../contract/prediction-table";
import { callBytes } from "../contract/wire-format";
import { defaultContract } from "./default-model";
import { group, nameRule, oneOf, type Refusal, refusalsBy, refuse, ruled, show, text, yesOrNo } from "./faults";

const { featureStore, redshift } = limits;

/** Record identifier and event time count too. */
const features: Range = {
  min: 1,
  max: featureStore.featuresOfGroup.max - 2,
  unit: "features, beside the record identifier and the event time",
  source: featureStore.featuresOfGroup.source,
};

/** The columns of `prediction_results`, which `prediction_values` has before those of the contract. */
const ownColumns: readonly string[] = Object.values(predictionColumns).map(({ name }) => name);

const outputs: Range = {
  min: 0,
  max: redshift.columnsOfTable.max - ownColumns.length,
  unit: `outputs, beside the ${ownColumns.length} columns that every prediction has`,
  source: redshift.columnsOfTable.source,
};

const mediaType: NameLimit = {
  pattern: /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+( *; *[\w!#$&^.+-]+=([\w!#$&^.+-]+|"[^"\\\p{C}]*"))*$/u,
  maximumLength: 1024,
  allowed: 'a media type such as "image/jpeg"',
  source: "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
};

const types = `${featureTypes.map(show).join(", ")}`;
const featureTypeSource = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_FeatureDefinition.html";

const feature = z
  .union(
    [
      z.literal(featureTypes),
      group({
        /** Feature Store's type of it. */
        type: oneOf(featureTypes, featureTypeSource),
        /** Whether an input may lack it. @default false */
        optional: yesOrNo().prefault(false),
      }),
    ],
    { error: refuse(`${types}, or an object of type and optional`, featureTypeSource) },
  )
  .transform((written) => (typeof written === "string" ? { type: written, optional: false } : written));

/** An array index comes before all other names in an object, wherever it is written. */
const orderSource = "https://tc39.es/ecma262/#sec-ordinaryownpropertykeys";

function featureNameRefusals(name: string): Refusal[] {
  const refusals = refusalsBy(featureStore.featureName, name);
  if (featureStore.reservedFeatureNames.some((reserved) => reserved === name)) {
    refusals.push([
      `another name than ${featureStore.reservedFeatureNames.join(", ")}, which Feature Store adds itself`,
      featureStore.source,
    ]);
  }
  if (/^(0|[1-9]\d*)$/.test(name)) {
    refusals.push(["a name that is no whole number: JavaScript would move it before all others", orderSource]);
  }
  return refusals;
}

function outputNameRefusals(name: string, earlier: readonly string[]): Refusal[] {
  const column = name.toLowerCase();
  const refusals = refusalsBy(redshift.columnName, name);
  if (redshift.reservedWords.has(column)) {
    refusals.push(["a name that SQL does not reserve", redshift.reservedWordsSource]);
  }
  if (redshift.systemColumns.some((taken) => taken === column)) {
    const taken = redshift.systemColumns.join(", ");
    refusals.push([`another name than ${taken}, which Redshift has itself`, redshift.columnName.source]);
  }
  if (ownColumns.includes(column)) {
    refusals.push([`another name than ${ownColumns.join(", ")}, which every prediction has`, "prediction_results"]);
  }
  const same = earlier.find((other) => other.toLowerCase() === column);
  if (same !== undefined) {
    refusals.push([`another name than ${same}, whatever the case`, redshift.columnName.source]);
  }
  return refusals;
}

/** Whether a value is an object that JSON can hold; false too where it is nested too deeply to be read. */
function isJsonObject(value: unknown): boolean {
  try {
    // A circle is no JSON either.
    return JSON.stringify(value) !== undefined && modelContractSchema.shape.parameters.safeParse(value).success;
  } catch {
    return false;
  }
}

const instead: Readonly<Record<string, string>> = { pair: "json", instances: "instances" };

/** What the pipeline and the model agree on. */
export const contractSection = ruled(
  group(
    {
      /**
       * The features of an input by their names: the type that Feature Store knows, or type and `optional`. They are sent
       * in this order. @default those of the model that is there by default (config/default-model.ts)
       */
      features: z
        .record(z.string(), feature, { error: refuse("an object of features by their names") })
        .prefault(Object.fromEntries(defaultContract.features.map(({ name, type }) => [name, type]))),
      /**
       * How the model is asked: `json`, an object a call; `instances`, `{"instances":[…]}`, answered by
       * `{"predictions":[…]}`; `jsonlines` or `csv`, a line an input, answered by as many; `inputs`, `{"inputs":[…]}`,
       * answered by a list; `raw`, the one feature is the body. @default json
       */
      request: oneOf(requestFormats, "what this pipeline speaks").prefault(defaultContract.request),
      /** What is kept of an answer: its `text`, or the exact characters of its JSON, `json`. @default text */
      answer: oneOf(answerFormats, "what this pipeline speaks").prefault(defaultContract.answer),
      /**
       * Columns of the view prediction_values, each `text` or `number`: fields of an answer's object by their names, of a
       * line of CSV by their places. @default none
       */
      outputs: z
        .record(z.string(), oneOf(outputTypes, "what prediction_values has"), {
          error: refuse("an object of outputs by their names"),
        })
        .prefault({}),
      /** What each call carries as its `parameters`, where the request is `inputs`. @default nothing */
      parameters: z
        .custom<NonNullable<ModelContract["parameters"]>>(isJsonObject, {
          error: refuse("an object that JSON can hold", "https://www.rfc-editor.org/rfc/rfc8259"),
        })
        .optional(),
      /** The content type of a body, where the request is `raw`. @default application/octet-stream */
      contentType: text(mediaType).optional(),
    },
    (written) => {
      const request = typeof written === "string" ? instead[written] : undefined;
      return request && `an object, here { request: "${request}" }`;
    },
  ),
  [
    {
      of: ["features"],
      holds: ({ features: given }) => isWithin(Object.keys(given).length, features),
      given: ({ features: given }) => `${Object.keys(given).length} features`,
      allowed: describeRange(features),
      source: features.source,
    },
    nameRule("features", featureNameRefusals),
    {
      of: ["features", "request"],
      holds: ({ features, request }) => {
        const [first, ...others] = Object.values(features);
        return request !== "raw" || (first?.type === "String" && others.length === 0);
      },
      given: ({ features }) =>
        show(Object.fromEntries(Object.entries(features).map(([name, { type }]) => [name, type]))),
      allowed: "one feature of type String, which is the body of a raw request",
    },
    {
      of: ["outputs"],
      holds: ({ outputs: given }) => isWithin(Object.keys(given).length, outputs),
      given: ({ outputs: given }) => `${Object.keys(given).length} outputs`,
      allowed: describeRange(outputs),
      source: outputs.source,
    },
    nameRule("outputs", outputNameRefusals),
    {
      of: ["parameters", "request"],
      holds: ({ parameters, request }) => parameters === undefined || request === "inputs",
      allowed: ({ request }) => `nothing beside request ${show(request)}: only "inputs" carries parameters`,
    },
    {
      of: ["parameters"],
      holds: ({ parameters = {} }) => bytesOf(parameters) < callBytes,
      given: ({ parameters }) => `${bytesOf(parameters)} bytes`,
      allowed: `less than the ${callBytes} bytes that a call holds`,
      source: mediaType.source,
    },
    {
      of: ["contentType", "request"],
      holds: ({ contentType, request }) => contentType === undefined || request === "raw",
      allowed: ({ request }) => `nothing beside request ${show(request)}, whose content type is its own`,
    },
  ],
).transform(
  ({ features, outputs, parameters, contentType, ...contract }): ModelContract => ({
    features: Object.entries(features).map(([name, feature]) => ({ name, ...feature })),
    ...contract,
    outputs: Object.entries(outputs).map(([name, type]) => ({ name, type })),
    ...(parameters && { parameters }),
    ...(contentType !== undefined && { contentType }),
  }),
);

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

const hashOf = (value: unknown) => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 8);

/** Names what a feature group holds: another set of features, or another order, has another id. */
export const featuresIdOf = (features: readonly Feature[]) => hashOf(features.map(({ name, type }) => [name, type]));

/** What a release is made for, in words and to the letter: all of a contract that the model sees. */
export function labelOf({ features, request, answer, parameters, contentType }: ModelContract): string {
  const names = features.map(({ name }) => name);
  const id = hashOf([
    features.map(({ name, type, optional }) => [name, type, optional]),
    request,
    answer,
    parameters,
    contentType,
  ]);
  return `${request} of ${listed(names, 3)}, answered by ${answer} (${id})`;
}
