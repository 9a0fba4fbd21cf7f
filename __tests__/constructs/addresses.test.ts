import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { Construct } from "constructs";
import { resourcesOf, synth } from "../setup/synth";

test("the address of a resource is its path in the stack", () => {
  const json = synth((scope) => new SqsQueue(new Construct(scope, "inference"), "queue", {}));
  expect(resourcesOf(json).map(({ address }) => address)).toEqual(["aws_sqs_queue.inference_queue"]);
});

test("two constructs that would share an address are refused, both named", () => {
  expect(() =>
    synth((scope) => {
      new SqsQueue(new Construct(scope, "a_b"), "c", {});
      new SqsQueue(new Construct(scope, "a"), "b_c", {});
    }),
  ).toThrow('test/a_b/c and test/a/b_c would share the Terraform address "a_b_c"');
});
