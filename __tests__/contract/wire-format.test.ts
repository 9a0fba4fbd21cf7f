import type { FeatureValues } from "../../contract/feature-values";
import type { ModelContract } from "../../contract/model-contract";
import { shapeOf, wireFormatOf } from "../../contract/wire-format";
import { contract } from "../setup/contract";

const contractOf = (more: Partial<ModelContract>): ModelContract => ({ ...contract, ...more });

const rows: FeatureValues[] = [
  ["9223372036854775807", "1.50", 'Lyon, "La Croix"'],
  ["7", null, "Ham\nburg"],
];

const bodyOf = (more: Partial<ModelContract>, values = rows) => {
  const format = wireFormatOf(contractOf(more));
  return format.bodyOf(values.map(format.inputOf));
};

const answersTo = (more: Partial<ModelContract>, body: string | Buffer, count: number) =>
  wireFormatOf(contractOf(more)).answersOf(Buffer.from(body), count);

const outputs = (...texts: string[]) => texts.map((output) => ({ output }));

describe("a call", () => {
  const [first, second] = [
    '{"age":9223372036854775807,"income":1.50,"city":"Lyon, \\"La Croix\\""}',
    '{"age":7,"income":null,"city":"Ham\\nburg"}',
  ];

  test.each([
    ["json", {}, rows.slice(0, 1), first],
    ["instances", {}, rows, `{"instances":[${first},${second}]}`],
    ["jsonlines", {}, rows, `${first}\n${second}`],
    ["csv", {}, rows, '9223372036854775807,1.50,"Lyon, ""La Croix"""\n7,,"Ham\nburg"'],
    ["inputs", {}, rows, `{"inputs":[${first},${second}]}`],
    ["inputs", { parameters: { top_k: 1 } }, rows.slice(1), `{"inputs":[${second}],"parameters":{"top_k":1}}`],
    ["inputs", { features: [{ name: "t", type: "String", optional: false }] }, [["a"], ["b"]], '{"inputs":["a","b"]}'],
    ["raw", { features: [{ name: "t", type: "String", optional: false }] }, [["as it is"]], "as it is"],
  ] as const)("of the format %s carries every value to the digit", (request, more, values, body) => {
    expect(bodyOf({ request, ...more }, [...values])).toBe(body);
  });

  test("says what it carries", () => {
    const typeOf = (more: Partial<ModelContract>) => wireFormatOf(contractOf(more)).contentType;
    expect(typeOf({ request: "csv" })).toBe("text/csv");
    expect(typeOf({ request: "jsonlines" })).toBe("application/jsonlines");
    expect(typeOf({ request: "raw", contentType: "text/plain" })).toBe("text/plain");
  });

  test.each(["instances", "jsonlines", "csv", "inputs"] as const)(
    "of the format %s holds many, and its frame is counted",
    (request) => {
      const format = wireFormatOf(contractOf({ request }));
      const inputs = rows.map(format.inputOf);
      expect(format.holdsMany).toBe(true);
      expect(Buffer.byteLength(format.bodyOf(inputs))).toBeLessThanOrEqual(
        format.frameBytes + inputs.reduce((sum, input) => sum + Buffer.byteLength(input) + 1, 0),
      );
    },
  );
});

describe("an answer", () => {
  test.each([
    ["json", '"It\\u0027s"', 1, outputs("It's")],
    ["json", "0.30", 1, outputs("0.30")],
    ["json", "positive\n", 1, outputs("positive\n")],
    ["raw", "[1, 2]", 1, outputs("[1, 2]")],
    ["instances", '{ "predictions": ["a", 1.0, {"b": 2}] }', 3, outputs("a", "1.0", '{"b": 2}')],
    ["inputs", '[{"label":"x"},"y"]', 2, outputs('{"label":"x"}', "y")],
    ["jsonlines", '"a"\r\n{"b":"c\\"d"}\n', 2, outputs("a", '{"b":"c\\"d"}')],
    ["csv", 'a,0.5\n"b\nc",0.25\n', 2, outputs("a,0.5", '"b\nc",0.25')],
    ["csv", '5" tall\n6" tall', 2, outputs('5" tall', '6" tall')],
  ] as const)("of the format %s as text: %s", (request, body, count, expected) => {
    expect(answersTo({ request }, body, count)).toEqual(expected);
  });

  test.each([
    ["json", ' {"score": 1.50, "id": 9007199254740993} ', 1, outputs('{"score": 1.50, "id": 9007199254740993}')],
    ["instances", '{"predictions":[1e400, "a\\/b" ,{"x":[1,[2]]}]}', 3, outputs("1e400", '"a\\/b"', '{"x":[1,[2]]}')],
    ["inputs", '[[{"generated_text":"}]"}]]', 1, outputs('[{"generated_text":"}]"}]')],
    ["jsonlines", "0.10\n", 1, outputs("0.10")],
    ["csv", "0.10\n0.20", 2, outputs("0.10", "0.20")],
  ] as const)("of the format %s as JSON keeps the exact characters of %s", (request, body, count, expected) => {
    expect(answersTo({ request, answer: "json" }, body, count)).toEqual(expected);
  });

  test.each(["json", "instances", "inputs", "jsonlines", "csv", "raw"] as const)(
    "of the format %s may refuse an input",
    (request) => {
      const refusal = '{"error": "what the input said"}';
      const body = { instances: `{"predictions":[${refusal}]}`, inputs: `[${refusal}]` };
      expect(answersTo({ request }, request in body ? body[request as keyof typeof body] : refusal, 1)).toEqual([
        { refused: true },
      ]);
    },
  );

  test.each([
    [
      "instances",
      '{"predictions":["a"]}',
      2,
      'the model must answer with {"predictions":[…]}, with 2 for 2 inputs, got 1: an object with predictions',
    ],
    [
      "instances",
      '{"predictions":["a"],"predictions":["b"]}',
      1,
      'the model must answer with {"predictions":[…]}, with 1 for 1 input, got an object with predictions, predictions',
    ],
    [
      "inputs",
      '[{"label":"a","score":1},{"label":"b","score":2},{"label":"c","score":3}]',
      2,
      "the model must answer with a list, with 2 for 2 inputs, got 3: a list of 3 objects with label, score",
    ],
    ["inputs", '{"label":"a"}', 1, "the model must answer with a list, with 1 for 1 input, got an object with label"],
    ["csv", "a\nb\n", 3, "the model must answer with lines, with 3 for 3 inputs, got 2: text that is no JSON"],
  ] as const)(
    "of the format %s that answers another number of inputs is a fault that names its shape",
    (request, body, count, unexpected) => {
      expect(answersTo({ request }, body, count)).toEqual({ unexpected });
    },
  );

  test.each(["json", "csv", "instances", "raw"] as const)(
    "of the format %s that is not UTF-8 is a fault",
    (request) => {
      expect(answersTo({ request }, Buffer.from([0x22, 0xff, 0x22]), 1)).toEqual({
        unexpected: "the model must answer in UTF-8, got other bytes",
      });
    },
  );

  test("as JSON that is none is a fault of its own", () => {
    expect(answersTo({ request: "jsonlines", answer: "json" }, '{"a":1}\nsecret', 2)).toEqual([
      { output: '{"a":1}' },
      { unexpected: "the model must answer with JSON, got text that is no JSON" },
    ]);
  });

  test("that is empty is never a prediction", () => {
    expect(answersTo({ request: "raw" }, "", 1)).toEqual([
      { unexpected: "the model must answer each input, got nothing" },
    ]);
  });

  test("nested a hundred thousand deep is kept as it is", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(answersTo({ request: "inputs", answer: "json" }, `[${deep},1]`, 2)).toEqual(outputs(deep, "1"));
  });
});

test.each([
  ["[1,2]", "a list of 2 numbers"],
  ["[1]", "a list of 1 number"],
  ["[]", "an empty list"],
  ['[{"label":"a"}]', "a list of 1 object with label"],
  ['{"a sentence of the input":1}', "an object with 1 fields"],
  ["null", "a null value"],
  ['[1,"a"]', "a list of 2 values of several kinds"],
  ["secret", "text that is no JSON"],
])("the shape of %s is %s", (text, shape) => {
  expect(shapeOf(text)).toBe(shape);
});
