import { jsonOf, type ReviewOptions, review, reviewJson, typesToLookUp } from "../../../cli/deployment/review";
import { type PlannedChange, planOf } from "../../setup/plans";

const reviewOf = (changes: PlannedChange[], options: Partial<ReviewOptions> = {}) =>
  review(planOf(...changes), { stack: "inference-dev", ...options });

/** Why a change in place is a loss. */
const reasonsOf = (address: string, before: unknown, after: unknown, rest: Partial<PlannedChange> = {}) =>
  reviewOf([{ address, before, after, ...rest }]).losses.flatMap(({ reasons }) => reasons);

const cluster = "aws_redshift_cluster.warehouse_cluster";

describe("a stateful resource", () => {
  test.each([
    { actions: ["delete"], reason: "destroyed: it holds the predictions" },
    { actions: ["delete", "create"], reason: "replaced: it holds the predictions" },
    { actions: ["create", "delete"], reason: "replaced: it holds the predictions" },
  ])("is lost by $actions", ({ actions, reason }) => {
    const { isSafe, losses } = reviewOf([{ address: cluster, actions }]);
    expect({ isSafe, losses }).toEqual({
      isSafe: false,
      losses: [{ address: cluster, type: "aws_redshift_cluster", reasons: [reason], madeInstead: [], allowed: false }],
    });
  });

  test.each([
    { what: "made", change: { actions: ["create"] } },
    { what: "changed", change: { actions: ["update"], before: { port: 1 }, after: { port: 2 } } },
    { what: "moved", change: { actions: ["no-op"], previous_address: "aws_redshift_cluster.old" } },
    { what: "imported", change: { actions: ["no-op"], importing: { id: "warehouse" } } },
    { what: "forgotten", change: { actions: ["forget"] } },
  ])("is safe when it is $what", ({ change }) => {
    expect(reviewOf([{ address: cluster, ...change }])).toMatchObject({ isSafe: true, losses: [], warnings: [] });
  });

  test("that is destroyed while another of its type is made may have been renamed", () => {
    const { losses } = reviewOf([
      { address: "aws_sqs_queue.queue", actions: ["delete"] },
      { address: "aws_sqs_queue.requests", actions: ["create"] },
      { address: "aws_sqs_queue.kept", actions: ["update"] },
    ]);
    expect(losses).toMatchObject([{ address: "aws_sqs_queue.queue", madeInstead: ["aws_sqs_queue.requests"] }]);
  });
});

const namespace = "aws_redshiftserverless_namespace.warehouse_namespace";

test.each([
  ["steady", "on-demand", cluster, namespace],
  ["on-demand", "steady", namespace, cluster],
])("a deployed environment of capacity %s is never made %s, whatever is allowed", (from, to, lost, made) => {
  const changed = () =>
    reviewOf(
      [
        { address: lost, actions: ["delete"] },
        { address: made, actions: ["create"] },
      ],
      { allowed: [lost] },
    );
  expect(changed).toThrow(`dev is deployed with the capacity "${from}", and config.ts says "${to}".`);
  expect(changed).toThrow("give the other capacity to a second environment");
});

test("resources that Terraform makes anew are no loss", () => {
  expect(
    reviewOf([
      { address: "aws_iam_role.role", actions: ["delete"] },
      { address: "aws_lambda_function.worker", actions: ["delete", "create"] },
      { address: "aws_api_gateway_deployment.api", actions: ["create", "delete"], before: { stage_name: null } },
    ]),
  ).toMatchObject({ isSafe: true, losses: [], warnings: [] });
});

describe("a change in place", () => {
  test.each([
    [cluster, { number_of_nodes: 4 }, { number_of_nodes: 2 }, "number_of_nodes goes from 4 to 2: fewer nodes"],
    [cluster, { node_type: "ra3.4xlarge" }, { node_type: "ra3.large" }, "node_type goes from ra3.4xlarge to ra3.large"],
    [cluster, { node_type: "ra3.large" }, { node_type: "dc2.8xlarge" }, "node_type goes from ra3.large to dc2.8xlarge"],
    [cluster, { node_type: "ra3.large" }, { node_type: "zz9.tiny" }, "node_type goes from ra3.large to zz9.tiny"],
    [
      cluster,
      { automated_snapshot_retention_period: 7 },
      { automated_snapshot_retention_period: 1 },
      "AWS deletes older",
    ],
    [cluster, { skip_final_snapshot: false }, { skip_final_snapshot: true }, "skip_final_snapshot becomes true"],
    ["aws_sqs_queue.q", { message_retention_seconds: 86400 }, { message_retention_seconds: 60 }, "SQS deletes"],
    ["aws_sqs_queue.q", { redrive_policy: "{}" }, { redrive_policy: "" }, "redrive_policy is removed"],
    ["aws_cloudwatch_log_group.l", { retention_in_days: 365 }, { retention_in_days: 30 }, "goes from 365 to 30"],
    ["aws_cloudwatch_log_group.l", { retention_in_days: 0 }, { retention_in_days: 3653 }, "goes from no end to 3653"],
    ["aws_s3_bucket.b", { force_destroy: false }, { force_destroy: true }, "every object"],
    [
      "aws_s3_bucket_versioning.v",
      { versioning_configuration: [{ status: "Enabled" }] },
      { versioning_configuration: [{ status: "Suspended" }] },
      "versioning_configuration.status becomes Suspended",
    ],
    [
      "aws_s3_bucket_lifecycle_configuration.l",
      { rule: [{ noncurrent_version_expiration: [{ noncurrent_days: 90 }] }] },
      { rule: [{ noncurrent_version_expiration: [{ noncurrent_days: 90 }] }, { expiration: [{ days: 30 }] }] },
      "rule.expiration.days goes from no end to 30",
    ],
    [
      "aws_s3_bucket_lifecycle_configuration.l",
      { rule: [{ noncurrent_version_expiration: [{ noncurrent_days: 90 }] }] },
      { rule: [{ noncurrent_version_expiration: [{ noncurrent_days: 7 }] }] },
      "rule.noncurrent_version_expiration.noncurrent_days goes from 90 to 7",
    ],
    ["aws_api_gateway_deployment.d", { stage_name: "dev" }, { stage_name: null }, "stage_name is removed"],
  ])("of %s from %j to %j is a loss", (address, before, after, reason) => {
    expect(reasonsOf(address, before, after)).toEqual([expect.stringContaining(reason)]);
    expect(reasonsOf(address, after, after)).toEqual([]);
  });

  test.each([
    [cluster, { number_of_nodes: 2 }, { number_of_nodes: 4 }],
    [cluster, { node_type: "dc2.8xlarge" }, { node_type: "ra3.large" }],
    [cluster, { node_type: "ra3.large" }, { node_type: "ra3.xlplus" }],
    [cluster, { skip_final_snapshot: true }, { skip_final_snapshot: false }],
    [cluster, { encrypted: false }, { encrypted: true }],
    ["aws_sqs_queue.q", { message_retention_seconds: 60 }, { message_retention_seconds: 86400 }],
    ["aws_sqs_queue.q", { redrive_policy: "" }, { redrive_policy: "{}" }],
    ["aws_cloudwatch_log_group.l", { retention_in_days: 30 }, { retention_in_days: 0 }],
    [
      "aws_s3_bucket_versioning.v",
      { versioning_configuration: [{ status: "Suspended" }] },
      { versioning_configuration: [{ status: "Enabled" }] },
    ],
    [
      "aws_s3_bucket_lifecycle_configuration.l",
      { rule: [{ expiration: [{ days: 30 }] }] },
      { rule: [{ expiration: [] }] },
    ],
    ["aws_api_gateway_deployment.d", { stage_name: null }, { stage_name: "dev" }],
  ])("of %s from %j to %j is none", (address, before, after) => {
    expect(reasonsOf(address, before, after)).toEqual([]);
  });

  test("to what is only known after apply may be a loss, but not where it can be none", () => {
    const lowered = reasonsOf(cluster, { number_of_nodes: 4 }, {}, { after_unknown: { number_of_nodes: true } });
    expect(lowered).toEqual([expect.stringContaining("is known after apply only")]);
    expect(
      reasonsOf("aws_sqs_queue.q", { redrive_policy: "{}" }, {}, { after_unknown: { redrive_policy: true } }),
    ).toEqual([]);
  });

  test("counts as one loss with every reason", () => {
    const before = { number_of_nodes: 4, node_type: "ra3.4xlarge" };
    const { losses } = reviewOf([{ address: cluster, before, after: { number_of_nodes: 2, node_type: "ra3.large" } }]);
    expect(losses.map(({ reasons }) => reasons.length)).toEqual([2]);
  });
});

describe("the original's", () => {
  test.each([["delete"], ["create,delete"], ["delete,create"]])(
    "deployment is not to be lost by %s, as its stage goes with it",
    (actions) => {
      const change = {
        address: "aws_api_gateway_deployment.stage",
        actions: actions.split(","),
        before: { stage_name: "dev" },
      };
      expect(reviewOf([change]).losses).toMatchObject([
        {
          reasons: [expect.stringMatching(/^(destroyed|replaced) with stage_name dev: .*deletes the live stage/)],
          madeInstead: [],
        },
      ]);
      expect(reviewOf([{ ...change, actions: ["forget"] }]).isSafe).toBe(true);
    },
  );

  test.each([
    { enabled: true, actions: ["update"], isSafe: false },
    { enabled: true, actions: ["no-op"], isSafe: false },
    { enabled: false, actions: ["update"], isSafe: true },
  ])(
    "mapping that is taken over by $actions while enabled is $enabled: safe is $isSafe",
    ({ enabled, actions, isSafe }) => {
      const change = { address: "aws_lambda_event_source_mapping.inference_delivery", actions, before: { enabled } };
      const previous_address = "aws_lambda_event_source_mapping.sqs_lambda_trigger";
      expect(reviewOf([{ ...change, previous_address }]).isSafe).toBe(isSafe);
      expect(reviewOf([{ ...change, previous_address: "aws_lambda_event_source_mapping.other" }]).isSafe).toBe(true);
    },
  );
});

describe("a type in no list", () => {
  const address = "aws_thing.a";
  const schemas = (...names: string[]) => ({ schemas: new Map([["aws_thing", names]]) });

  test.each([["deletion_protection"], ["skip_final_snapshot"], ["force_destroy"], ["point_in_time_recovery"]])(
    "is taken for stateful when its schema has %s",
    (sign) => {
      expect(reviewOf([{ address, actions: ["delete"] }], schemas("name", sign))).toMatchObject({
        isSafe: false,
        losses: [{ reasons: [`destroyed: types with ${sign} hold something`] }],
        warnings: [`aws_thing is in no list of aws/stateful-types.ts. It is taken for stateful, since it has ${sign}`],
      });
    },
  );

  test("is taken for stateless when nothing in its schema says otherwise", () => {
    expect(reviewOf([{ address, actions: ["delete"] }], schemas("name", "arn"))).toMatchObject({
      isSafe: true,
      losses: [],
      warnings: [expect.stringContaining("It is taken for stateless")],
    });
  });

  test("is taken for stateful when its schema is not found", () => {
    expect(reviewOf([{ address, actions: ["delete", "create"] }])).toMatchObject({
      isSafe: false,
      warnings: [expect.stringContaining("its schema was not found")],
    });
  });

  test("is looked up only when it is destroyed or replaced", () => {
    const types = (actions: string[]) =>
      [...typesToLookUp(planOf({ address, actions }, { address: cluster, actions }))].map(([type]) => type);
    expect([["delete"], ["delete", "create"]].map(types)).toEqual([["aws_thing"], ["aws_thing"]]);
    expect([["create"], ["update"], ["forget"]].map(types)).toEqual([[], [], []]);
    expect(reviewOf([{ address, actions: ["update"] }]).warnings).toEqual([]);
  });
});

describe("a loss that is allowed by name", () => {
  const changes = [
    { address: cluster, actions: ["delete"] },
    { address: "aws_sqs_queue.q", before: { message_retention_seconds: 9 }, after: { message_retention_seconds: 8 } },
  ];

  test("is safe, and others are not", () => {
    expect(reviewOf(changes, { allowed: [cluster] })).toMatchObject({
      isSafe: false,
      losses: [{ allowed: true }, { allowed: false }],
    });
    expect(reviewOf(changes, { allowed: [cluster, "aws_sqs_queue.q"] })).toMatchObject({ isSafe: true });
  });

  test("must be one of the plan's", () => {
    expect(() => reviewOf(changes, { allowed: ["aws_vpc.a", cluster] })).toThrow(
      `--allow-destroy names aws_vpc.a, which this plan does not lose. It loses: ${cluster}, aws_sqs_queue.q`,
    );
    expect(() => reviewOf([], { allowed: ["aws_vpc.a"] })).toThrow("It loses: nothing");
  });
});

test("for machines it is JSON of a fixed shape, without the resources' values", () => {
  const json = jsonOf(
    reviewOf([
      { address: cluster, actions: ["delete"], before: { master_username: "the admin" } },
      {
        address: "aws_sqs_queue.q",
        before: { delay_seconds: 0 },
        after: { delay_seconds: 1 },
        previous_address: "aws_sqs_queue.p",
      },
    ]),
  );
  expect(json).not.toContain("the admin");
  expect(reviewJson.parse(JSON.parse(json))).toEqual({
    version: 1,
    notes: [],
    cost: null,
    stack: "inference-dev",
    safe: false,
    empty: false,
    counts: { created: 0, updated: 1, replaced: 0, destroyed: 1, moved: 1, imported: 0, forgotten: 0 },
    losses: [expect.objectContaining({ address: cluster, allowed: false })],
    changes: [
      expect.objectContaining({ address: cluster, kind: "destroy", previousAddress: null, attributes: [] }),
      {
        address: "aws_sqs_queue.q",
        type: "aws_sqs_queue",
        kind: "update",
        previousAddress: "aws_sqs_queue.p",
        importId: null,
        createBeforeDestroy: false,
        reason: null,
        attributes: [{ path: "delay_seconds", before: "0", after: "1" }],
        forcedBy: [],
      },
    ],
    outputs: [],
    warnings: [],
  });
});

describe("a group of features that leaves the state", () => {
  const group = (address: string, actions: string[], feature_group_name: string) => {
    const attributes = { feature_group_name };
    const side = actions[0] === "create" ? { after: attributes } : { before: attributes };
    return { address: `aws_sagemaker_feature_group.${address}`, actions, ...side };
  };
  const old = group("features_group", ["forget"], "pairs");

  test("for one of other features stays on AWS, and features must be ingested anew", () => {
    expect(reviewOf([old, group("features_group_0123abcd", ["create"], "pairs-0123abcd")]).notes).toEqual([
      "pairs stays on AWS with the features in it, and is no longer read. Features must be ingested anew, into pairs-0123abcd: npx offline-inference features ingest FILE --env dev",
    ]);
  });

  test("for none stays there too", () => {
    expect(reviewOf([old]).notes).toEqual(["pairs stays on AWS with the features in it, and is no longer read."]);
  });

  test("is told of to machines", () => {
    expect(reviewJson.parse(JSON.parse(jsonOf(reviewOf([old])))).notes).toHaveLength(1);
  });

  test("is nothing to tell of where it is only made", () => {
    expect(reviewOf([group("features_group", ["create"], "pairs")]).notes).toEqual([]);
  });
});

describe("what a plan changes in the cost at rest", () => {
  /** What changes where an endpoint serves so many instances, or none. */
  const serving = (before?: readonly [string, number], after?: readonly [string, number]): PlannedChange[] => {
    const name = (side?: readonly [string, number]) => side?.join("-");
    const configurationOf = (side?: readonly [string, number]) =>
      side && { name: name(side), production_variants: [{ instance_type: side[0], initial_instance_count: side[1] }] };
    const actions = [...(before ? ["delete"] : []), ...(after ? ["create"] : [])];
    const endpointOf = (side?: readonly [string, number]) => side && { endpoint_config_name: name(side) };
    return [
      {
        address: "aws_sagemaker_endpoint_configuration.model",
        actions,
        before: configurationOf(before),
        after: configurationOf(after),
      },
      {
        address: "aws_sagemaker_endpoint.model",
        actions: before && after ? ["update"] : actions,
        before: endpointOf(before),
        after: endpointOf(after),
      },
    ];
  };
  const costOf = (changes: PlannedChange[], prices = {}) => reviewOf(changes, { prices }).cost;

  test("is that of its instances, nodes and alarms", () => {
    const made: PlannedChange[] = [
      ...serving(undefined, ["ml.inf1.xlarge", 2]),
      { address: cluster, actions: ["create"], after: { node_type: "ra3.large", number_of_nodes: 1 } },
      { address: "aws_cloudwatch_metric_alarm.fails", actions: ["create"], after: { alarm_name: "fails" } },
      { address: "aws_sqs_queue.q", actions: ["create"], after: { name: "q" } },
    ];
    expect(costOf(made)).toEqual({ usd: expect.closeTo(730 * (2 * 0.297 + 0.543) + 0.1, 6), unpriced: [] });
    const gone = made.map(({ address, after }) => ({ address, actions: ["delete"], before: after }));
    expect(costOf(gone)?.usd).toBeCloseTo(-730 * (2 * 0.297 + 0.543) - 0.1, 6);
  });

  test("is the difference where something stays", () => {
    const one = ["ml.inf1.xlarge", 1] as const;
    expect(costOf(serving(one, ["ml.inf1.xlarge", 3]))?.usd).toBeCloseTo(730 * 0.594, 6);
    expect(costOf(serving(one, one))).toBeUndefined();
    expect(costOf([{ address: cluster, before: { node_type: "ra3.large" }, after: { node_type: "ra3.large" } }])).toBe(
      undefined,
    );
  });

  test("names what has no price, and takes a team's own", () => {
    const changes = serving(["ml.inf1.xlarge", 1], ["ml.p5.48xlarge", 1]);
    expect(costOf(changes)).toEqual({ usd: expect.closeTo(-730 * 0.297, 6), unpriced: ["ml.p5.48xlarge"] });
    expect(costOf(changes, { "ml.p5.48xlarge": 1 })).toEqual({ usd: expect.closeTo(730 * 0.703, 6), unpriced: [] });
  });

  test("is that of a bastion, which comes and goes", () => {
    const bastion = {
      address: "aws_instance.bastion_instance",
      actions: ["create"],
      after: { instance_type: "t4g.nano" },
    };
    expect(costOf([bastion])).toEqual({ usd: expect.closeTo(730 * 0.0042, 6), unpriced: [] });
  });

  test("is not known of what is known after apply", () => {
    expect(costOf([{ address: "aws_sagemaker_endpoint.model", actions: ["create"], after: {} }])).toBeUndefined();
  });
});
