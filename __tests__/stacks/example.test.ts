import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { synthesizedStacks } from "../setup/stacks";

const { "inference-dev": dev = "" } = synthesizedStacks();

test("requests outlast a long weekend", () => {
  expect(dev).toHaveResourceWithProperties(SqsQueue, { message_retention_seconds: 4 * 24 * 60 * 60 });
});
