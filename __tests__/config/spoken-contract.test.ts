import { defaultContract } from "../../config/default-model";
import { faultsOf } from "../../config/faults";
import {
  contractLines,
  contractsOf,
  mismatch,
  type SpokenContract,
  speaks,
  spokenContract,
} from "../../config/spoken-contract";

const spoken: SpokenContract = {
  features: { seq_0: "String", seq_1: "String" },
  request: ["json", "instances"],
  answer: "text",
};

test("a model speaks a contract in each of its formats, whatever config.ts says of outputs and parameters", () => {
  expect(contractsOf(spoken)).toEqual([defaultContract, { ...defaultContract, request: "instances" }]);
  expect(speaks(spoken, defaultContract)).toBe(true);
  expect(speaks(spoken, { ...defaultContract, request: "instances" })).toBe(true);
  expect(speaks(spoken, { ...defaultContract, outputs: [{ name: "label", type: "text" }] })).toBe(true);
  const inputs = { ...spoken, request: ["inputs" as const] };
  expect(speaks(inputs, { ...defaultContract, request: "inputs", parameters: { top_k: 1 } })).toBe(true);
  expect(mismatch("model.tar.gz", spoken, defaultContract)).toBeUndefined();
});

test("another format, another answer, other features and another order are another contract", () => {
  const [first, second] = defaultContract.features;
  if (first === undefined || second === undefined) throw new Error("the default contract has two features");
  const others = [
    { ...defaultContract, request: "csv" as const },
    { ...defaultContract, answer: "json" as const },
    { ...defaultContract, features: [first] },
    { ...defaultContract, features: [second, first] },
    { ...defaultContract, features: [first, { ...second, type: "Integral" as const }] },
    { ...defaultContract, features: [first, { ...second, optional: true }] },
  ];
  expect(others.filter((contract) => speaks(spoken, contract))).toEqual([]);
});

test("what a model could do without may be asked of every input", () => {
  const lenient = { ...spoken, features: { ...spoken.features, seq_1: { type: "String", optional: true } } };
  expect(speaks(lenient, defaultContract)).toBe(true);
});

test("the lines for config.ts say all of it, and quote only what must be", () => {
  const outputs = { label: "text", score: "number" };
  const wide = {
    ...spoken,
    features: { "net-income": { type: "Fractional", optional: true }, age: "Integral" },
    outputs,
  };
  expect(contractLines(wide, "instances")).toEqual([
    "model: {",
    "  contract: {",
    '    features: { "net-income": { type: "Fractional", optional: true }, age: "Integral" },',
    '    request: "instances",',
    '    answer: "text",',
    '    outputs: { label: "text", score: "number" },',
    "  },",
    "},",
  ]);
});

test("what no config.ts could say, no model may speak", () => {
  const faults = (changed: object) => faultsOf([], spokenContract.safeParse({ ...spoken, ...changed }).error);
  expect(faults({})).toEqual([]);
  expect(faults({ request: [] })).toEqual(["request: got []; allowed: one format or more"]);
  expect(faults({ request: ["raw"] })).toEqual([
    expect.stringMatching(/^features: .* allowed: one feature of type String, which is the body of a raw request$/),
  ]);
  expect(faults({ features: { a: "Text" } })).toEqual([expect.stringMatching(/^features\.a: got "Text"; allowed: /)]);
});
