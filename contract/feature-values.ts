import type { Feature, FeatureType } from "./model-contract";

/** The values of an input's features in the contract's order; null where an optional one has none. */
export type FeatureValues = readonly (string | null)[];

/**
 * The most that the value of a feature holds, in UTF-8 bytes
 * (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_feature_store_FeatureValue.html).
 */
export const featureBytes = 358_400;

/** The forms of a feature's value, as an error names them. */
export const featureForms: Readonly<Record<FeatureType, string>> = {
  String: `Unicode text of 1 to ${featureBytes.toLocaleString("en")} UTF-8 bytes`,
  Integral: "a whole number of 64 bits",
  Fractional: "a number",
};

const integral = /^[+-]?\d{1,40}$/;
const fractional = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?$/i;
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i;
const longestNumber = 400;

/**
 * A feature's value as it is kept and sent: text as it is, a whole number in its shortest digits, any other number as
 * it is written, in the form that JSON knows. Undefined for what is no value of that type.
 */
export function featureText(type: FeatureType, text: string): string | undefined {
  if (type === "String") {
    const bytes = Buffer.byteLength(text);
    return bytes > 0 && bytes <= featureBytes && !/\p{Surrogate}/u.test(text) ? text : undefined;
  }
  if (text.length > longestNumber) return undefined;
  if (type === "Integral") {
    if (!integral.test(text)) return undefined;
    const value = BigInt(text.replace(/^\+/, ""));
    return BigInt.asIntN(64, value) === value ? String(value) : undefined;
  }
  if (!fractional.test(text) || !Number.isFinite(Number(text))) return undefined;
  return jsonNumber.test(text) ? text : String(Number(text));
}

/**
 * The same from the exact text of a JSON value: `"a"` of a String, `7` or `"7"` of a number. Undefined for any other
 * JSON.
 */
export function featureOfJson(type: FeatureType, json: string): string | undefined {
  if (json.startsWith('"')) return featureText(type, JSON.parse(json));
  return type !== "String" && jsonNumber.test(json) ? featureText(type, json) : undefined;
}

/** A feature's value as a JSON value: text in quotes, a number in its digits. */
export const jsonOf = ({ type }: Feature, value: string | null): string =>
  value === null ? "null" : type === "String" ? JSON.stringify(value) : value;

/** Values of features as a JSON object, in the contract's order. */
export const jsonObjectOf = (features: readonly Feature[], values: FeatureValues): string =>
  `{${features.map((feature, place) => `${JSON.stringify(feature.name)}:${jsonOf(feature, values[place] ?? null)}`).join(",")}}`;
