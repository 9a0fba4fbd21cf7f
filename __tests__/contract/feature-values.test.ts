import { featureOfJson, featureText } from "../../contract/feature-values";

test.each([
  ["String", " a\n", " a\n"],
  ["String", "", undefined],
  ["String", "\ud800", undefined],
  ["String", "a".repeat(358_401), undefined],
  ["Integral", "9223372036854775807", "9223372036854775807"],
  ["Integral", "-9223372036854775808", "-9223372036854775808"],
  ["Integral", "9223372036854775808", undefined],
  ["Integral", "+007", "7"],
  ["Integral", "7.0", undefined],
  ["Integral", " 7", undefined],
  ["Fractional", "1.50", "1.50"],
  ["Fractional", ".5", "0.5"],
  ["Fractional", "1e400", undefined],
  ["Fractional", "NaN", undefined],
  ["Fractional", "Infinity", undefined],
  ["Fractional", "0x10", undefined],
] as const)("of the type %s the text %j is kept as %j", (type, text, kept) => {
  expect(featureText(type, text)).toBe(kept);
});

test.each([
  ["String", '"a\\u0062"', "ab"],
  ["String", "7", undefined],
  ["String", "null", undefined],
  ["Integral", "9007199254740993", "9007199254740993"],
  ["Integral", '"9007199254740993"', "9007199254740993"],
  ["Integral", "1e3", undefined],
  ["Integral", "[7]", undefined],
  ["Fractional", "-0.10", "-0.10"],
  ["Fractional", "true", undefined],
] as const)("of the type %s the JSON %s is kept as %j", (type, json, kept) => {
  expect(featureOfJson(type, json)).toBe(kept);
});
