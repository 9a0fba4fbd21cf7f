import { z } from "zod";
import { listed } from "../contract/listed";
import { answerFormats, type ModelContract, requestFormats } from "../contract/model-contract";
import { contractSection, labelOf } from "./contract";
import { fault, group, oneOf, refuse, show } from "./faults";

/**
 * What a model says that it speaks: `model.contract` of config.ts, but that it may be asked in several formats. Its golden
 * requests are in the first.
 */
export const spokenContract = group({
  /** As `model.contract.features` has them. */
  features: z.record(z.string(), z.json(), { error: refuse("an object of features by their names") }),
  request: z
    .array(oneOf(requestFormats, "what this pipeline speaks"), { error: refuse("a list of formats") })
    .min(1, { error: refuse("one format or more") }),
  answer: oneOf(answerFormats, "what this pipeline speaks"),
  /** What config.ts may say, for people. @default nothing */
  outputs: z.record(z.string(), z.json()).optional(),
  /** As `model.contract.contentType` has it. */
  contentType: z.string({ error: refuse("a media type") }).optional(),
}).superRefine(
  (spoken, context) => {
    const issues = spoken.request.flatMap(
      (request) => contractSection.safeParse({ ...spoken, request }).error?.issues ?? [],
    );
    const said = new Map(issues.map(({ path, message }) => [`${path.join(".")} ${message}`, fault(path, message)]));
    for (const issue of said.values()) context.addIssue(issue);
  },
  { when: ({ issues }) => issues.length === 0 },
);

export type SpokenContract = z.infer<typeof spokenContract>;

/** The contracts that a model can be asked by, the one of its golden requests first. */
export const contractsOf = (spoken: SpokenContract): ModelContract[] =>
  spoken.request.map((request) => contractSection.parse({ ...spoken, request }));

/**
 * Whether a model speaks a contract: features, format and answer are the same. config.ts alone says which outputs get
 * columns, what parameters a call carries, and whether an input that the model could do without must be there.
 */
export function speaks(spoken: SpokenContract, contract: ModelContract): boolean {
  const { parameters, features: wanted } = contract;
  return contractsOf(spoken).some((one) => {
    const features = one.features.map((feature, place) => ({
      ...feature,
      optional: feature.optional && (wanted[place]?.optional ?? false),
    }));
    return labelOf({ ...one, features, parameters }) === labelOf(contract);
  });
}

/** The lines for config.ts that fit a model. @param request the format to ask it by @default its first */
export function contractLines(spoken: SpokenContract, request = spoken.request[0]): string[] {
  const { features, answer, outputs = {}, contentType } = spoken;
  return [
    "model: {",
    "  contract: {",
    `    features: ${sourceOf(features)},`,
    `    request: ${show(request)},`,
    `    answer: ${show(answer)},`,
    ...(Object.keys(outputs).length > 0 ? [`    outputs: ${sourceOf(outputs)},`] : []),
    ...(contentType === undefined ? [] : [`    contentType: ${show(contentType)},`]),
    "  },",
    "},",
  ];
}

/** A value as config.ts has it, on a line. */
export function sourceOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return show(value);
  const fields = Object.entries(z.record(z.string(), z.unknown()).parse(value));
  if (fields.length === 0) return "{}";
  return `{ ${fields.map(([name, one]) => `${nameIn(name)}: ${sourceOf(one)}`).join(", ")} }`;
}

/** The name of a field, in quotes where it needs them. */
export const nameIn = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

/** What is said where a model does not speak the contract of config.ts, with the lines that fit it; undefined where it does. */
export function mismatch(model: string, spoken: SpokenContract, contract: ModelContract): string | undefined {
  if (speaks(spoken, contract)) return undefined;
  const request = spoken.request.find((one) => one === contract.request);
  return [
    `${model} does not speak the contract of config.ts, ${labelOf(contract)}: it speaks ${spokenLabel(spoken)}.`,
    "config.ts decides. These lines of it fit the model:",
    ...contractLines(spoken, request).map((line) => `  ${line}`),
  ].join("\n");
}

const spokenLabel = ({ features, request, answer }: SpokenContract) =>
  `${request.join(" or ")} of ${listed(Object.keys(features), 3)}, answered by ${answer}`;
