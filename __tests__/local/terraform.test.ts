import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { readStack } from "../../local/terraform";

const named = z.object({ name: z.string() });

function stackOf(resource: object, data: object = {}) {
  const directory = mkdtempSync(join(tmpdir(), "offline-inference-stack-"));
  const stack = { provider: { aws: [{ region: "eu-west-1" }] }, resource, data };
  writeFileSync(join(directory, "cdk.tf.json"), JSON.stringify(stack));
  return readStack(directory);
}

test("gives all resources of a type, with their addresses and what was asked for", () => {
  const stack = stackOf({ aws_sqs_queue: { one: { name: "first", tags: {} }, two: { name: "second" } } });
  expect(stack.all("aws_sqs_queue", named)).toEqual([
    { address: "aws_sqs_queue.one", name: "first" },
    { address: "aws_sqs_queue.two", name: "second" },
  ]);
  expect(stack.region).toBe("eu-west-1");
});

test("gives data sources, and nothing for a type that is not there", () => {
  const stack = stackOf({}, { archive_file: { code: { source_dir: "assets/code" } } });
  expect(stack.all("data.archive_file", z.object({ source_dir: z.string() }))).toEqual([
    { address: "data.archive_file.code", source_dir: "assets/code" },
  ]);
  expect(stack.all("archive_file", z.object({}))).toEqual([]);
});

test("puts other resources' attributes in place of references, in lists and in longer text too", () => {
  const stack = stackOf({
    a: { role: { name: "reader", settings: [{ depth: 7 }] } },
    b: {
      user: { name: "IAMR:${a.role.name}/${a.role.settings[0].depth}", list: [{ of: "${b.other.name}" }] },
      other: { name: "${a.role.name}" },
    },
  });
  const [user] = stack.all("b", z.object({ name: z.string(), list: z.array(z.object({ of: z.string() })).optional() }));
  expect(user).toEqual({ address: "b.user", name: "IAMR:reader/7", list: [{ of: "reader" }] });
});

test("puts in what only AWS would know once it is told", () => {
  const stack = stackOf({ a: { queue: { name: "requests" } }, b: { user: { name: "at ${a.queue.url}" } } });
  stack.supply({ "a.queue.url": "http://127.0.0.1/queue" });
  expect(stack.only("b", named).name).toBe("at http://127.0.0.1/queue");
});

test("refuses a reference to what it cannot know, and names it", () => {
  const stack = stackOf({ a: { queue: { name: "requests" } }, b: { user: { name: "at ${a.queue.url}" } } });
  expect(() => stack.only("b", named)).toThrow("b.user in");
  expect(() => stack.only("b", named)).toThrow("refers to ${a.queue.url}, which is known only on AWS");
});

test("does not look at references in what was not asked for", () => {
  const stack = stackOf({ b: { user: { name: "plain", arn: "${a.queue.arn}" } } });
  expect(stack.only("b", named).name).toBe("plain");
});

test("leaves dollars that begin no reference, and escaped references as they are meant", () => {
  const stack = stackOf({ b: { user: { name: "$$ BEGIN $${aws:userid} %%{if} %% $1 END $$" } } });
  expect(stack.only("b", named).name).toBe("$$ BEGIN ${aws:userid} %{if} %% $1 END $$");
});

test.each([
  ["none", {}],
  ["b.one, b.two", { one: { name: "1" }, two: { name: "2" } }],
])("refuses %s where there must be one", (found, resources) => {
  expect(() => stackOf({ b: resources }).only("b", named)).toThrow(`must have one b, it has ${found}`);
});

test("refuses attributes in another form, and says where", () => {
  expect(() => stackOf({ b: { user: { name: 7 } } }).only("b", named)).toThrow(/^b\.user in .*expected string/s);
});

test("refuses a stack that is not there", () => {
  expect(() => readStack(join(tmpdir(), "no-such-stack"))).toThrow("no-such-stack");
});
