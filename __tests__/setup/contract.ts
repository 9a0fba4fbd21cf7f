import { z } from "zod";
import type { FeatureValues } from "../../contract/feature-values";
import type { ModelContract, RequestFormat } from "../../contract/model-contract";
import type { Model } from "../../local/sagemaker-runtime";

/** A contract that no environment here has, for what works with any. */
export const contract: ModelContract = {
  features: [
    { name: "age", type: "Integral", optional: false },
    { name: "income", type: "Fractional", optional: true },
    { name: "city", type: "String", optional: false },
  ],
  request: "json",
  answer: "text",
  outputs: [],
};

/** The same with answers that are typed columns of the warehouse. */
export const typedContract: ModelContract = {
  ...contract,
  request: "csv",
  answer: "json",
  outputs: [
    { name: "label", type: "text" },
    { name: "score", type: "number" },
  ],
};

/** The values of an input of that contract. */
export const valuesIn = (city: string): FeatureValues => ["36", null, city];

/** The same contract with a model that is asked in another format; `raw` has just the city. */
export const contractIn = (request: RequestFormat): ModelContract => {
  const features = request === "raw" ? contract.features.slice(2) : contract.features;
  return { ...contract, request, features, ...(request === "raw" && { contentType: "text/plain" }) };
};

const json = "application/json";
const row = z.object({ city: z.string() });
const call = z.union([z.object({ instances: z.array(row) }), z.object({ inputs: z.array(row) }), row]);

/** The last of the three fields of a line of CSV, which may stand between double quotes. */
const lastField = (line: string) => {
  const field = line.split(",").slice(2).join(",");
  return field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
};

/** The cities that a call asks about, and how their answers are framed: what stands before, between and after them. */
const readCall = (text: string, contentType: string) => {
  const lines = text.split("\n");
  if (contentType === "text/plain") return { cities: [text], frame: ["", "", ""] };
  if (contentType === "text/csv") {
    return { cities: lines.map(lastField), frame: ["", "\n", "\n"] };
  }
  if (contentType === "application/jsonlines") {
    return { cities: lines.map((line) => row.parse(JSON.parse(line)).city), frame: ["", "\n", ""] };
  }
  const given = call.parse(JSON.parse(text));
  if ("instances" in given) {
    return { cities: given.instances.map(({ city }) => city), frame: ['{"predictions":[', ",", "]}"] };
  }
  if ("inputs" in given) return { cities: given.inputs.map(({ city }) => city), frame: ["[", ",", "]"] };
  return { cities: [given.city], frame: ["", "", ""] };
};

/** A model of that contract that speaks every format. It is told the cities of a call, and answers each. */
export const modelOf =
  (answer: (cities: string[]) => unknown[] | Promise<unknown[]>): Model =>
  async ({ body, contentType }) => {
    const { cities, frame } = readCall(body.toString(), contentType);
    const [start, between, end] = frame;
    const answers = (await answer(cities)).map((one) => JSON.stringify(one));
    const isJson = contentType === "text/plain" || contentType === json;
    return { body: `${start}${answers.join(between)}${end}`, contentType: isJson ? json : contentType };
  };
