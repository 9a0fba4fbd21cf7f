import { review } from "../../../cli/deployment/review";
import { markdownOf, textOf } from "../../../cli/deployment/review-text";
import { type PlannedChange, planOf } from "../../setup/plans";

const changes: PlannedChange[] = [
  { address: "aws_iam_role.gone", actions: ["delete"], action_reason: "delete_because_no_resource_config" },
  { address: "aws_redshift_cluster.old", actions: ["delete"], action_reason: "delete_because_no_resource_config" },
  { address: "aws_redshift_cluster.new", actions: ["create"] },
  {
    address: "aws_sagemaker_model.m",
    actions: ["create", "delete"],
    before: { name: "a" },
    after: { name: "b" },
    replace_paths: [["name"]],
  },
  {
    address: "aws_sqs_queue.q",
    before: { delay_seconds: 0, tags_all: {}, arn: "a" },
    after: { delay_seconds: 1, tags_all: { Owner: "x", Team: "y" } },
    after_unknown: { arn: true },
    previous_address: "aws_sqs_queue.p",
  },
  { address: "aws_vpc.v", actions: ["no-op"], importing: { id: "vpc-1" } },
  { address: "aws_subnet.s", actions: ["forget"] },
];

const reviewOf = (allowed: string[] = [], planned = changes) =>
  review(planOf(...planned), { stack: "inference-dev", allowed });

test("people read the losses first, then a section for each kind of change, stateful resources first", () => {
  expect(textOf(reviewOf(), false).split("\n")).toEqual([
    "inference-dev: 1 created, 1 changed in place, 1 replaced, 2 destroyed, 1 moved, 1 imported, 1 forgotten",
    "",
    "! aws_redshift_cluster.old",
    "    destroyed: it holds the predictions",
    "    Is aws_redshift_cluster.new the same one, renamed? Then add aws_redshift_cluster.old to the moved table (stacks/moved.ts)",
    "",
    "Replaced",
    "  ± aws_sagemaker_model.m  the new one is there before the old one goes",
    '      forced by name: "a" → "b"',
    "",
    "Destroyed: it is no longer in the stack",
    "  - aws_redshift_cluster.old",
    "  - aws_iam_role.gone",
    "",
    "Changed in place",
    "  ~ aws_sqs_queue.q",
    "      delay_seconds: 0 → 1",
    "      tags: Owner, Team",
    "      known after apply: arn",
    "",
    "Created",
    "  + aws_redshift_cluster.new",
    "",
    "Moved in the state",
    "  → aws_sqs_queue.q  from aws_sqs_queue.p",
    "",
    "Imported",
    "  ← aws_vpc.v  by vpc-1",
    "",
    "Forgotten: they stay, and Terraform no longer knows them",
    "  . aws_subnet.s",
    "",
    "To apply it usually takes about 12 minutes (assumed), most of them for aws_redshift_cluster.new.",
    "",
    "Not safe: 1 resource would be lost, or lose something, for good.",
    "Where that is meant: --allow-destroy 'aws_redshift_cluster.old'",
  ]);
});

test("a loss is red on a terminal", () => {
  const [, , loss] = textOf(reviewOf(), true).split("\n");
  expect(loss).toContain("aws_redshift_cluster.old");
  expect(loss?.startsWith("\x1b[31m! ")).toBe(true);
  expect(textOf(reviewOf(), false)).not.toContain("\x1b");
});

test("a loss that is allowed is said, and is no reason to stop", () => {
  const text = textOf(reviewOf(["aws_redshift_cluster.old"]), false);
  expect(text).toContain("! aws_redshift_cluster.old (allowed)");
  expect(text).toMatch(/\n1 loss, allowed by name\. Nothing else stateful is lost\.$/);
});

test("no changes are said in a line", () => {
  expect(textOf(reviewOf([], []), false)).toBe("inference-dev: no changes\n\nSafe: nothing stateful is lost.");
});

test("a first deployment is shown by part of the stack, with counts and what holds something", () => {
  const roles = (part: string, count: number): PlannedChange[] =>
    Array.from({ length: count }, (_, index) => ({ address: `aws_iam_role.${part}_r${index}`, actions: ["create"] }));
  const made: PlannedChange[] = [
    ...roles("warehouse", 3),
    { address: "aws_redshift_cluster.warehouse_cluster", actions: ["create"] },
    ...roles("api", 10),
  ];
  expect(textOf(reviewOf([], made), false).split("\n")).toEqual([
    "inference-dev: 14 created",
    "",
    "Created, by part of the stack, with those that hold something",
    "  + api         10",
    "  + warehouse    4  aws_redshift_cluster.warehouse_cluster",
    "",
    "To apply it usually takes about 12 minutes (assumed), most of them for aws_redshift_cluster.warehouse_cluster.",
    "",
    "Safe: nothing stateful is lost.",
  ]);
  expect(textOf(reviewOf([], [...made, ...changes]), false)).toContain("\n  + aws_iam_role.api_r9\n");
});

test("types that are in no list are warned of", () => {
  const text = textOf(reviewOf([], [{ address: "aws_thing.a", actions: ["delete"] }]), false);
  expect(text).toContain("Warning: aws_thing is in no list");
});

describe("for a pull request", () => {
  test("the first line names the stack, losses stand on top, and the whole plan is folded away", () => {
    const markdown = markdownOf(reviewOf(), "# the plan of Terraform\n");
    const lines = markdown.split("\n");
    expect(lines[0]).toBe("<!-- offline-inference plan: inference-dev -->");
    expect(lines.slice(2, 7)).toEqual([
      "",
      "> [!CAUTION]",
      "> **Not safe: 1 resource would be lost, or lose something, for good.**",
      "> - `aws_redshift_cluster.old`",
      ">   - destroyed: it holds the predictions",
    ]);
    expect(markdown).toContain(
      '- `aws_sagemaker_model.m` the new one is there before the old one goes\n  - `forced by name: "a" → "b"`',
    );
    expect(markdown).toMatch(
      /<details><summary>The whole plan<\/summary>\n\n```text\n# the plan of Terraform\n```\n\n<\/details>$/,
    );
  });

  test("long lists are folded", () => {
    const roles = Array.from({ length: 13 }, (_, index) => ({
      address: `aws_iam_role.r${index}`,
      actions: ["create"],
    }));
    expect(markdownOf(reviewOf([], roles), "")).toContain("<details><summary><b>Created</b> (13)</summary>");
    expect(markdownOf(reviewOf([], roles.slice(1)), "")).toContain("\n**Created**\n");
  });

  test("it fits into a comment however long the plan and the summary are, folds closed, losses kept", () => {
    const attribute = (index: number) => ({ [`attribute_${index}`]: "x".repeat(60) });
    const after = Object.assign({}, ...Array.from({ length: 20 }, (_, index) => attribute(index)));
    const many = Array.from({ length: 500 }, (_, index) => ({ address: `aws_iam_role.r${index}`, before: {}, after }));
    const whole = "a line of the plan\n".repeat(10_000);
    const markdown = markdownOf(reviewOf([], [...many, ...changes]), whole);
    expect(markdown.length).toBeLessThanOrEqual(65_536);
    expect(markdown.length).toBeGreaterThan(65_000);
    expect(markdown).toContain("> - `aws_redshift_cluster.old`");
    expect(markdown).toMatch(/_\d+ more lines of this summary do not fit into a comment\._/);
    expect(markdown).toMatch(/```\n\n_\d+ more lines of the plan do not fit into a comment\._\n\n<\/details>$/);
    expect(markdown.match(/^<\/details>/gm)).toHaveLength(markdown.match(/^<details>/gm)?.length ?? -1);
  });

  test("values end neither the code that they stand in nor the fold, and mention nobody", () => {
    const tricky = "`` @everyone </details> <script> ```";
    const planned = [{ address: "aws_iam_role.r", before: { text: "" }, after: { text: tricky } }];
    const markdown = markdownOf(reviewOf([], planned), `text = "${tricky}"`);
    expect(markdown).toContain(`  - \`\`\`\` text: "" → "${tricky}" \`\`\`\``);
    expect(markdown).toContain(`\n\`\`\`\`text\ntext = "${tricky}"\n\`\`\`\`\n`);
  });

  test("secrets are in no part of it", () => {
    const secret = "correct-horse-battery";
    const planned = [
      { address: "aws_iam_role.r", before: { p: secret }, after: { p: "" }, before_sensitive: { p: true } },
      { address: "aws_iam_role.s", before: { copy: "" }, after: { copy: `${secret}!` } },
    ];
    const markdown = markdownOf(reviewOf([], planned), `copy = "${secret}!"`);
    expect(markdown).not.toContain(secret);
    expect(markdown).toContain('copy = "(sensitive)!"');
    expect(textOf(reviewOf([], planned), false)).not.toContain(secret);
  });
});

test("people read what the plan changes in the cost", () => {
  const grown = (node_type: string): PlannedChange => ({
    address: "aws_redshift_cluster.c",
    before: { node_type: "ra3.large", number_of_nodes: 1 },
    after: { node_type, number_of_nodes: 1 },
  });
  const alarm: PlannedChange = { address: "aws_cloudwatch_metric_alarm.a", actions: ["delete"], before: {} };
  const said = (...planned: PlannedChange[]) => textOf(reviewOf([], planned), false);
  expect(said(grown("ra3.xlplus"))).toContain("\nAt rest it costs about $396.39 a month more ($0.54 an hour).\n");
  expect(said(alarm)).toContain("\nAt rest it costs about $0.10 a month less ($0.000137 an hour).\n");
  expect(said(grown("ra3.4xlarge"))).toContain(
    "\nAt rest it costs about $396.39 a month less ($0.54 an hour), and something else for ra3.4xlarge, of which no price is known.\n",
  );
  expect(markdownOf(reviewOf([], [grown("ra3.xlplus")]), "")).toContain(
    "> At rest it costs about $396.39 a month more",
  );
});

test("an endpoint costs what the configuration has that it serves, also where that stays without it", () => {
  const configured = (name: string, instance_type: string) => ({
    name,
    production_variants: [{ instance_type, initial_instance_count: 2 }],
  });
  const [old, next] = [configured("old", "ml.inf1.xlarge"), configured("next", "ml.m5.xlarge")];
  const configuration = (of: typeof old, actions: string[], before: unknown = of, after: unknown = of) => ({
    address: `aws_sagemaker_endpoint_configuration.${of.name}`,
    actions,
    before,
    after,
  });
  const kept = configuration(old, ["no-op"]);
  const serving = ({ name }: typeof old) => ({ name: "theirs", endpoint_config_name: name });
  const endpoint = (actions: string[], before: unknown, after: unknown) => ({
    address: "aws_sagemaker_endpoint.e",
    actions,
    before,
    after,
  });
  const said = (...planned: PlannedChange[]) => textOf(reviewOf([], planned), false).match(/At rest .*(?= \()/)?.[0];
  expect(said(kept, endpoint(["delete"], serving(old), null))).toBe("At rest it costs about $433.62 a month less");
  expect(said(kept, endpoint(["create"], null, serving(old)))).toBe("At rest it costs about $433.62 a month more");
  const made = configuration(next, ["create"], null);
  expect(said(kept, made, endpoint(["update"], serving(old), serving(next)))).toBe(
    "At rest it costs about $97.82 a month less",
  );
  expect(said(kept, made)).toBeUndefined();
});
