import { mustAnswer } from "../../cli/local-model";
import type { ModelContract } from "../../contract/model-contract";
import { type Model, type ModelCall, ModelError } from "../../local/sagemaker-runtime";

const contract: ModelContract = {
  features: [
    { name: "age", type: "Integral", optional: false },
    { name: "city", type: "String", optional: false },
  ],
  request: "csv",
  answer: "text",
  outputs: [],
};
const rows = [
  ["34", "Lisbon"],
  ["51", "Porto"],
  ["28", "Faro"],
  ["19", "Braga"],
];

/** Asks a model of CSV that answers a call's lines as `answer` does, and gives the calls. */
async function asked(answer: (lines: string[]) => string) {
  const calls: ModelCall[] = [];
  const model: Model = (call) => {
    calls.push(call);
    return { body: answer(call.body.toString().split("\n")), contentType: "text/csv" };
  };
  const logEnd = () => " Its log ends:\n  ValueError";
  const outcome = await mustAnswer({ model, logEnd }, contract, rows).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { outcome, calls: calls.map(({ body }) => body.toString()) };
}
const refuse = (status: number) => {
  throw new ModelError(status, "no such city\nTraceback");
};

test("a model that fits is asked about one row, then about some in a call", async () => {
  const { outcome, calls } = await asked((lines) => lines.map(() => "yes").join("\n"));
  expect({ outcome, calls }).toEqual({ outcome: undefined, calls: ["34,Lisbon", "34,Lisbon\n51,Porto\n28,Faro"] });
});

test("a row that is refused is no fault of the model while another is answered", async () => {
  const { outcome } = await asked((lines) => (lines[0] === "34,Lisbon" ? refuse(400) : "yes"));
  expect(outcome).toBeUndefined();
});

test.each([
  ["refuses all", () => refuse(400), "The model refuses each of the first 3 rows: no such city (400)."],
  ["fails", () => refuse(500), "The model failed at the first row: no such city (500)."],
  [
    "answers another count",
    () => "yes",
    "The model does not fit the contract: the model must answer with lines, with 3",
  ],
])("a model that %s is told of, with the end of its log", async (_, answer, message) => {
  const { outcome } = await asked(answer);
  expect(outcome?.startsWith(message) ? message : outcome).toBe(message);
  expect(outcome).toContain("Its log ends:\n  ValueError");
});
