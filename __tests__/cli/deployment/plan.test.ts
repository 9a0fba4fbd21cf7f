import { readPlan } from "../../../cli/deployment/plan";
import { type PlannedChange, planJson, planOf } from "../../setup/plans";

/** The attributes that change, of a plan of one change. */
const attributesOf = (change: Omit<PlannedChange, "address">) => {
  const { changes } = planOf({ address: "aws_x.a", ...change });
  return changes.flatMap(({ attributes }) =>
    attributes.map(({ path, before, after }) => `${path}: ${before} → ${after}`),
  );
};

test.each([
  { actions: ["create"], kind: "create", createBeforeDestroy: false },
  { actions: ["update"], kind: "update", createBeforeDestroy: false },
  { actions: ["delete"], kind: "destroy", createBeforeDestroy: false },
  { actions: ["delete", "create"], kind: "replace", createBeforeDestroy: false },
  { actions: ["create", "delete"], kind: "replace", createBeforeDestroy: true },
  { actions: ["forget"], kind: "forget", createBeforeDestroy: false },
])("$actions is to $kind", ({ actions, ...expected }) => {
  expect(planOf({ address: "aws_x.a", actions }).changes).toMatchObject([{ address: "aws_x.a", ...expected }]);
});

test("resources that stay as and where they are, and data sources, are no changes", () => {
  const { changes } = planOf(
    { address: "aws_x.same", actions: ["no-op"] },
    { address: "data.aws_x.read", mode: "data", actions: ["read"] },
    { address: "aws_x.new", actions: ["no-op"], previous_address: "aws_x.old" },
    { address: "aws_x.found", actions: ["no-op"], importing: { id: "abc" } },
  );
  expect(changes).toMatchObject([
    { address: "aws_x.new", kind: "none", previousAddress: "aws_x.old" },
    { address: "aws_x.found", kind: "none", importId: "abc" },
  ]);
});

test("an action that nobody knows is refused, since it might be a loss", () => {
  expect(() => planOf({ address: "aws_x.a", actions: ["forget", "create"] })).toThrow(
    '"forget,create" is no action that this program knows',
  );
});

test("a plan of another format is refused", () => {
  expect(() => readPlan(planJson([], { format_version: "2.0" }))).toThrow("none that this program knows");
});

test("attributes that change are named by their innermost path, others not at all", () => {
  const before = { name: "a", nested: [{ size: 1, kept: true }], tags: { Owner: "x" }, gone: "g" };
  const after = { name: "a", nested: [{ size: 2, kept: true }], tags: { Owner: "x", Team: "y" }, gone: null };
  expect(attributesOf({ before, after })).toEqual([
    'gone: "g" → null',
    "nested[0].size: 1 → 2",
    'tags.Team: null → "y"',
  ]);
});

test("lists of another length, and of plain values, are shown whole", () => {
  const before = { ids: ["a"], rules: [{ port: 1 }] };
  const after = { ids: ["a", "b"], rules: [{ port: 1 }, { port: 2 }] };
  expect(attributesOf({ before, after })).toEqual([
    'ids: ["a"] → ["a","b"]',
    'rules: [{"port":1}] → [{"port":1},{"port":2}]',
  ]);
});

test("nothing in place of nothing is no change", () => {
  expect(attributesOf({ before: { a: "", b: null, c: {} }, after: { a: null, b: [], c: null } })).toEqual([]);
});

test("what is known after apply only says so, alone and inside a value", () => {
  const after_unknown = { arn: true, made: true, ids: [false, true] };
  expect(attributesOf({ before: { arn: "old", ids: ["a", "b"] }, after: { ids: ["a", null] }, after_unknown })).toEqual(
    [
      'arn: "old" → (known after apply)',
      'ids: ["a","b"] → ["a","(known after apply)"]',
      "made: null → (known after apply)",
    ],
  );
});

test("long values are cut, and stand on one line", () => {
  const [shown] = attributesOf({ before: { sql: null }, after: { sql: `SELECT\n  ${"x, ".repeat(100)}` } });
  expect(shown).toMatch(/^sql: null → "SELECT x, x, .{40,60} …$/);
});

describe("a secret", () => {
  test("is never shown, whichever side says that it is one", () => {
    const values = { before: { a: "secret-1", b: "secret-2" }, after: { a: "secret-3", b: "secret-4" } };
    expect(attributesOf({ ...values, before_sensitive: { a: true }, after_sensitive: { b: true } })).toEqual([
      "a: (sensitive) → (sensitive)",
      "b: (sensitive) → (sensitive)",
    ]);
  });

  test("inside a value hides itself alone", () => {
    const before = { list: [{ user: "u", password: "secret-1" }] };
    const after = { list: [] };
    expect(attributesOf({ before, after, before_sensitive: { list: [{ password: true }] } })).toEqual([
      'list: [{"user":"u","password":"(sensitive)"}] → []',
    ]);
  });

  test("in a list of plain values is told of when it changes", () => {
    const values = { before: { list: ["secret-1", "a"] }, after: { list: ["secret-2", "a"] } };
    const marks = { list: [true, false] };
    expect(attributesOf({ ...values, before_sensitive: marks, after_sensitive: marks })).toEqual([
      'list: ["(sensitive)","a"] → ["(sensitive)","a"]',
    ]);
  });

  test("that stays is no change", () => {
    const same = { before: { a: "secret-1" }, after: { a: "secret-1" } };
    expect(attributesOf({ ...same, before_sensitive: { a: true }, after_sensitive: { a: true } })).toEqual([]);
  });

  test("is hidden in its copies that nothing marks, in values, before they are cut, and in other texts", () => {
    const word = 'a"secret" of two\nlines of text';
    const marked = {
      address: "aws_x.a",
      before: { password: word },
      after: { password: "" },
      before_sensitive: { password: true },
    };
    const padding = "x".repeat(60);
    const copy = { address: "aws_x.b", before: { text: `${padding}${word}` }, after: { text: "t" } };
    const plan = planOf(marked, copy);
    expect(plan.changes[1]?.attributes).toEqual([{ path: "text", before: expect.any(String), after: '"t"' }]);
    expect(JSON.stringify(plan.changes.map(({ attributes }) => attributes))).not.toMatch(/a\\*"sec|lines of/);
    expect(plan.redact(`<<EOT\n    ${word.replace("\n", "\n    ")}\nEOT`)).toBe(
      "<<EOT\n    (sensitive)\n    (sensitive)\nEOT",
    );
  });

  test("that only the state, an output or drift marks is hidden too", () => {
    const change = { before: { p: "from-drift" }, before_sensitive: { p: true } };
    const { redact } = readPlan(
      planJson([], {
        resource_drift: [{ change }],
        output_changes: { o: { actions: ["no-op"], after: "from-output", after_sensitive: true } },
        prior_state: {
          values: {
            root_module: {
              resources: [{ values: { p: ["from-root"] }, sensitive_values: { p: true } }],
              child_modules: [{ resources: [{ values: { p: 12345678 }, sensitive_values: { p: true } }] }],
            },
          },
        },
      }),
    );
    expect(redact("from-drift from-output from-root 12345678 rest")).toBe(
      "(sensitive) (sensitive) (sensitive) (sensitive) rest",
    );
  });
});

test("what forces a replacement is told with its values, or in words", () => {
  const replaced = { actions: ["delete", "create"], before: { name: "a" }, after: { name: "b" } };
  const { changes } = planOf(
    { address: "aws_x.a", ...replaced, replace_paths: [["name"]] },
    { address: "aws_x.b", ...replaced, action_reason: "replace_because_tainted" },
    { address: "aws_x.c", actions: ["delete"], deposed: "12ab34cd" },
  );
  expect(changes).toMatchObject([
    { forcedBy: [{ path: "name", before: '"a"', after: '"b"' }] },
    { forcedBy: [], reason: expect.stringContaining("tainted") },
    { reason: "an earlier replacement left it behind" },
  ]);
});

test("outputs that change are named, and a plan of nothing is empty", () => {
  const output_changes = { same: { actions: ["no-op"] }, other: { actions: ["update"], before: 1, after: 2 } };
  expect(readPlan(planJson([], { output_changes, applyable: true }))).toMatchObject({
    outputs: ["other"],
    isEmpty: false,
  });
  expect(readPlan(planJson([]))).toMatchObject({ changes: [], isEmpty: true });
});
