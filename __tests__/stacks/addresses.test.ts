import { renamed } from "../../stacks/moved";
import { addressFaults } from "../setup/address-inventory";
import { synthesizedStacks } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";

const stacks = synthesizedStacks();
const addressesOf = (stack: string) => resourcesOf(stacks[stack] ?? "{}").map(({ address }) => address);

test.each([
  ["state", "state"],
  ["inference-dev", "inference"],
  ["inference-prod", "inference"],
] as const)("every resource of %s is where it was, or the moved table says where it went", (stack, kind) => {
  expect(addressFaults(kind, addressesOf(stack), renamed[kind])).toEqual([]);
});

test("a renamed construct id is found, with what to do", () => {
  const queue = "aws_sqs_queue.inference_queue";
  const after = addressesOf("inference-dev").map((address) => (address === queue ? "aws_sqs_queue.requests" : address));
  const added =
    "aws_sqs_queue.requests: new; add it to __tests__/fixtures/addresses/inference.txt, so that nobody renames it unnoticed";
  expect(addressFaults("inference", after, {})).toEqual([
    `${queue}: this replaces ${queue}; add it to the moved table (stacks/moved.ts)`,
    added,
  ]);
  expect(addressFaults("inference", after, { [queue]: "aws_sqs_queue.requests" })).toEqual([added]);
});
