import { parseState } from "../../../cli/state/state-file";

/** A state as Terraform writes it. */
const stateFile = (fields: object = {}) =>
  JSON.stringify(
    {
      version: 4,
      terraform_version: "1.11.4",
      serial: 7,
      lineage: "one",
      outputs: { url: { value: "https://example.com", type: "string" } },
      resources: [],
      check_results: null,
      ...fields,
    },
    undefined,
    2,
  );

const resource = (fields: object) => ({
  mode: "managed",
  type: "aws_sqs_queue",
  name: "queue",
  provider: 'provider["registry.terraform.io/hashicorp/aws"]',
  instances: [{ schema_version: 0, attributes: { id: "queue" } }],
  ...fields,
});

test("names what Terraform manages as Terraform does, and nothing that it only reads", () => {
  const { resources } = parseState(
    stateFile({
      resources: [
        resource({}),
        resource({ name: "each", instances: [{ index_key: "a" }, { index_key: 1 }] }),
        resource({ module: "module.inner", name: "within" }),
        resource({ name: "replaced", instances: [{}, { deposed: "5d0e" }] }),
        resource({ mode: "data" }),
      ],
    }),
  );
  expect([...resources.keys()]).toEqual([
    "aws_sqs_queue.queue",
    'aws_sqs_queue.each["a"]',
    "aws_sqs_queue.each[1]",
    "module.inner.aws_sqs_queue.within",
    "aws_sqs_queue.replaced",
    "aws_sqs_queue.replaced (deposed 5d0e)",
  ]);
  expect(resources.get("aws_sqs_queue.queue")).toEqual({ id: "queue" });
});

test.each([
  ["no JSON", '{"password": "hunter2'],
  ["no state", '{"password": "hunter2"}'],
  ["a state of another format", stateFile({ version: 5, outputs: { password: { value: "hunter2" } } })],
])("refuses %s without quoting it", (_, text) => {
  const refusal = (() => {
    try {
      return String(parseState(text));
    } catch (error) {
      return String(error);
    }
  })();
  expect(refusal).toContain("it is no state of Terraform's that is known here");
  expect(refusal).not.toContain("hunter2");
});
