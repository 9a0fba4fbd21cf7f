import { loadConfig } from "../../config";
import { labelOf } from "../../config/contract";
import { dev, faults, faultsWith, settings } from "../setup/settings";

const tabular = {
  features: { age: "Integral", income: "Fractional", city: { type: "String", optional: true } },
  request: "csv",
  answer: "json",
  outputs: { label: "text", score: "number" },
} as const;

const written = {
  features: [
    { name: "age", type: "Integral", optional: false },
    { name: "income", type: "Fractional", optional: false },
    { name: "city", type: "String", optional: true },
  ],
  request: "csv",
  answer: "json",
  outputs: [
    { name: "label", type: "text" },
    { name: "score", type: "number" },
  ],
};

const path = "environments.dev.model.contract";
const refused = (contract: object) => faultsWith("model.contract", contract);
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, place) => [`f${place}`, "String" as const]));

test("a contract is a list of features and outputs in the order in which they are written", () => {
  expect(dev({ model: { contract: tabular } }).model.contract).toEqual(written);
});

test("what a contract leaves out is as with the default model", () => {
  const { features, ...others } = dev().model.contract;
  expect(dev({ model: { contract: { request: "inputs", parameters: { top_k: 1 } } } }).model.contract).toEqual({
    features,
    ...others,
    request: "inputs",
    parameters: { top_k: 1 },
  });
  const image = { features: { image: "String" }, request: "raw", contentType: "image/jpeg; q=1" } as const;
  expect(dev({ model: { contract: image } }).model.contract).toMatchObject({
    request: "raw",
    contentType: "image/jpeg; q=1",
  });
});

test.each([
  ["pair", "json"],
  ["instances", "instances"],
])("what was %j once is refused with what to write instead", (contract, request) => {
  expect(faultsWith("model.contract", contract)).toEqual([
    `${path}: got "${contract}"; allowed: an object, here { request: "${request}" }`,
  ]);
});

test("a contract has 1 to 2498 features", () => {
  const contract = { features: many(2498) };
  expect(loadConfig(settings({ model: { contract } }), {}).environments.dev?.model.contract.features).toHaveLength(
    2498,
  );
  for (const count of [0, 2499]) {
    expect(refused({ features: many(count) })).toEqual([
      `${path}.features: got ${count} features; allowed: 1 to 2498 features, beside the record identifier and the event time (https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-quotas.html)`,
    ]);
  }
});

test("two environments have two contracts", () => {
  const both = { ...settings(), environments: { dev: { model: { contract: tabular } }, prod: {} } };
  const { environments } = loadConfig(both, {});
  expect(environments.dev?.model.contract).toEqual(written);
  expect(environments.prod?.model.contract.features).toHaveLength(2);
});

test.each([
  [
    "write_time",
    "another name than is_deleted, write_time, api_invocation_time, which Feature Store adds itself (https://",
  ],
  ["a b", "1 to 64 characters: letters, digits, hyphens and underscores, a letter or digit first and last (https://"],
  ["a".repeat(65), "1 to 64 characters"],
  ["7", "a name that is no whole number: JavaScript would move it before all others (https://"],
])("no feature is called %j", (name, allowed) => {
  expect(refused({ features: { [name]: "String" } })).toEqual([
    expect.stringContaining(`: got "${name}"; allowed: ${allowed}`),
  ]);
});

test("a feature has a type that Feature Store knows", () => {
  expect(
    refused({ features: { age: "int", city: { type: "text" }, income: { type: "Fractional", optinal: true } } }),
  ).toEqual([
    `${path}.features.age: got "int"; allowed: "String", "Integral", "Fractional", or an object of type and optional (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_FeatureDefinition.html)`,
    expect.stringContaining(
      `${path}.features.city.type: got "text"; allowed: "String", "Integral", "Fractional" (https://`,
    ),
    `${path}.features.income.optinal: got a field that does not exist, did you mean optional?; allowed: type, optional`,
  ]);
});

test("no feature is called like the record identifier or the event time, where there is a feature group", () => {
  const model = { contract: { features: { id: "String", event_time: "String" } } };
  expect(faults(settings({ model }))).toEqual(
    ["recordIdentifier", "eventTime"].map((key) =>
      expect.stringContaining(
        `environments.dev.features.${key}.name: got "${key === "eventTime" ? "event_time" : "id"}"; allowed: a name that is not taken, as those of model.contract.features are`,
      ),
    ),
  );
  expect(faults(settings({ model, features: false }))).toEqual([]);
});

test.each([
  [{ a: "Integral" }, '{"a":"Integral"}'],
  [{ a: "String", b: "String" }, '{"a":"String","b":"String"}'],
])("the body of a raw request is one feature of text: not %j", (features, given) => {
  expect(refused({ features, request: "raw" })).toEqual([
    `${path}.features: got ${given}; allowed: one feature of type String, which is the body of a raw request`,
  ]);
});

test.each([
  ["label-1", "1 to 127 characters: ASCII letters, digits and underscores, no digit first (https://"],
  ["1st", "1 to 127 characters"],
  ["größe", "1 to 127 characters"],
  ["a".repeat(128), "1 to 127 characters"],
  ["Order", "a name that SQL does not reserve (https://docs.aws.amazon.com/redshift/latest/dg/r_pg_keywords.html)"],
  ["ctid", "another name than oid, tableoid, xmin, cmin, xmax, cmax, ctid, which Redshift has itself (https://"],
  ["OUTPUT", "another name than request_id, input_id,"],
])("no output is called %j", (name, allowed) => {
  expect(refused({ outputs: { [name]: "text" } })).toEqual([
    expect.stringContaining(`: got "${name}"; allowed: ${allowed}`),
  ]);
});

test("two outputs differ by more than case, and have a type", () => {
  expect(refused({ outputs: { label: "text", Label: "text" } })).toEqual([
    expect.stringContaining(
      `${path}.outputs.Label: got "Label"; allowed: another name than label, whatever the case (https://`,
    ),
  ]);
  expect(refused({ outputs: { label: "string" } })).toEqual([
    expect.stringContaining(`${path}.outputs.label: got "string"; allowed: "text", "number" (`),
  ]);
});

test("outputs have room in a table of Redshift", () => {
  const outputs = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, place) => [`o${place}`, "number"]));
  expect(refused({ outputs: outputs(1591) })).toEqual([]);
  expect(refused({ outputs: outputs(1592) })).toEqual([
    `${path}.outputs: got 1592 outputs; allowed: 0 to 1591 outputs, beside the 9 columns that every prediction has (https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html)`,
  ]);
});

describe("the parameters of a call", () => {
  const circular: Record<string, unknown> = {};
  circular.itself = circular;
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];

  test.each([
    ["a list", [1]],
    ["a date", { at: new Date(0) }],
    ["no number", { top_k: Number.NaN }],
    ["a large whole number", { top_k: 1n }],
    ["a circle", circular],
    ["a value nested without end", { deep }],
  ])("are an object that JSON can hold, and not %s", (_, parameters) => {
    expect(refused({ request: "inputs", parameters })).toEqual([
      expect.stringMatching(
        /^environments\.dev\.model\.contract\.parameters: got .+; allowed: an object that JSON can hold \(https:/,
      ),
    ]);
  });

  test("have room in a call", () => {
    expect(refused({ request: "inputs", parameters: { prompt: "a".repeat(6_291_456) } })).toEqual([
      expect.stringContaining(
        `${path}.parameters: got 6291469 bytes; allowed: less than the 6291456 bytes that a call holds (`,
      ),
    ]);
  });
});

test("parameters and content type belong to their own requests", () => {
  expect(refused({ request: "csv", parameters: { top_k: 1 }, contentType: "text/csv" })).toEqual([
    `${path}.parameters: got {"top_k":1}; allowed: nothing beside request "csv": only "inputs" carries parameters`,
    `${path}.contentType: got "text/csv"; allowed: nothing beside request "csv", whose content type is its own`,
  ]);
  for (const contentType of ["jpeg", "image/", "image/jpeg\n", "image/jpeg; q", ""]) {
    expect(refused({ features: { image: "String" }, request: "raw", contentType })).toEqual([
      expect.stringContaining('; allowed: 1 to 1024 characters: a media type such as "image/jpeg" (https://'),
    ]);
  }
});

test("all faults of a contract are told at once", () => {
  const contract = {
    features: { write_time: "String", "8": "int" },
    request: "xml",
    answer: "csv",
    outputs: { select: "text" },
  };
  const told = faults(settings({ model: { contract, instanceCount: 0 } }));
  expect(told.map((fault) => fault.slice("environments.dev.model.".length, fault.indexOf(":")))).toEqual([
    "contract.features.8",
    "contract.request",
    "contract.answer",
    "contract.features.8",
    "contract.features.write_time",
    "contract.outputs.select",
    "instanceCount",
  ]);
});

describe("what a release is made for", () => {
  const { contract } = dev({ model: { contract: tabular } }).model;

  test("is told in words, however many features there are", () => {
    expect(labelOf(contract)).toMatch(/^csv of age, income, city, answered by json \([0-9a-f]{8}\)$/);
    const wide = dev({ model: { contract: { features: many(2498), answer: "json" } } }).model.contract;
    expect(labelOf(wide)).toMatch(/^json of f0, f1, f2 and 2495 more, answered by json \([0-9a-f]{8}\)$/);
  });

  test("changes with all that the model sees, and not with the columns of a view", () => {
    const [first, ...others] = contract.features;
    const labels = [
      contract,
      { ...contract, features: first ? [{ ...first, optional: true }, ...others] : [] },
      { ...contract, request: "jsonlines" as const },
      { ...contract, answer: "text" as const },
      { ...contract, parameters: { top_k: 1 } },
      { ...contract, contentType: "text/plain" },
    ].map(labelOf);
    expect(new Set(labels).size).toBe(labels.length);
    expect(labelOf({ ...contract, outputs: [] })).toBe(labels[0]);
  });
});
