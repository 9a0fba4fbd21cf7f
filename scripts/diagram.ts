import { z } from "zod";

/** What a box of the diagram is: AWS's word for it, and Mermaid's form. */
const kinds: Record<string, { readonly service: string; readonly form: readonly [string, string] }> = {
  aws_api_gateway_rest_api: { service: "API Gateway", form: ["[", "]"] },
  aws_lambda_function: { service: "Lambda", form: ["[", "]"] },
  aws_redshift_cluster: { service: "Redshift", form: ["[(", ")]"] },
  aws_redshiftserverless_workgroup: { service: "Redshift Serverless", form: ["[(", ")]"] },
  aws_s3_bucket: { service: "S3", form: ["[(", ")]"] },
  aws_sagemaker_endpoint: { service: "SageMaker", form: ["[", "]"] },
  aws_sagemaker_feature_group: { service: "Feature Store", form: ["[(", ")]"] },
  aws_sqs_queue: { service: "SQS", form: ["[[", "]]"] },
};

/** What is done by who calls an action. Empty is what goes without saying beside the others. */
const verbs: Record<string, string> = {
  "lambda:InvokeFunction": "invokes",
  "redshift-data:BatchExecuteStatement": "runs SQL",
  "redshift-data:ExecuteStatement": "runs SQL",
  "redshift-serverless:GetCredentials": "",
  "s3:DeleteObject": "deletes",
  "s3:GetBucketLocation": "",
  "s3:GetObject": "reads",
  "s3:ListBucket": "",
  "s3:PutObject": "writes",
  "sagemaker:BatchGetRecord": "looks up",
  "sagemaker:InvokeEndpoint": "asks",
  "sqs:ChangeMessageVisibility": "",
  "sqs:DeleteMessage": "",
  "sqs:GetQueueAttributes": "",
  "sqs:ReceiveMessage": "",
  "sqs:SendMessage": "sends",
};

function verbOf(action: string): string {
  const verb = verbs[action];
  if (verb === undefined) throw new Error(`scripts/diagram.ts has no verb for ${action}`);
  return verb;
}

const attributes = z.looseObject({ "//": z.object({ metadata: z.object({ path: z.string() }) }) });
const stackJson = z.object({ resource: z.record(z.string(), z.record(z.string(), attributes)) });
const policyJson = z.object({
  Statement: z.array(z.object({ Action: z.array(z.string()), Resource: z.array(z.string()) })),
});

interface Resource {
  readonly type: string;
  readonly address: string;
  /** The ids of the constructs around it, below the stack, and its own. */
  readonly path: readonly string[];
  readonly attributes: z.infer<typeof attributes>;
}

const resourcesOf = (json: string): Resource[] =>
  Object.entries(stackJson.parse(JSON.parse(json)).resource).flatMap(([type, named]) =>
    Object.entries(named).map(([name, attributes]) => ({
      type,
      address: `${type}.${name}`,
      path: attributes["//"].metadata.path.split("/").slice(1),
      attributes,
    })),
  );

/** The construct that a box stands for, in words: what only says the resource's type is left out. */
const wordsOf = ({ path }: Resource): string =>
  path
    .filter(
      (id, place) => place === 0 || !["bucket", "cluster", "function", "group", "rest_api", "workgroup"].includes(id),
    )
    .slice(-1)
    .join("")
    .replaceAll("_", " ");

const isBeside = (one: Resource) => {
  const construct = one.path.slice(0, -1).join("/");
  return ({ path }: Resource) => path.slice(0, -1).join("/") === construct;
};

/** One box that may do something with another: each thing, with the folders of a bucket that it may do it in. */
interface Arrow {
  readonly from: Resource;
  readonly to: Resource;
  readonly may: Map<string, Set<string>>;
}

function arrowsOf(resources: readonly Resource[], boxes: readonly Resource[]): Arrow[] {
  const arrows = new Map<string, Arrow>();
  const add = (from: Resource | undefined, to: Resource | undefined, verb: string, where = "") => {
    if (from === undefined || to === undefined || verb === "") return;
    const key = `${from.address} ${to.address}`;
    const { may } = arrows.get(key) ?? { may: new Map<string, Set<string>>() };
    arrows.set(key, { from, to, may: may.set(verb, (may.get(verb) ?? new Set()).add(where)) });
  };
  /** The box that a text names, by its address or, from another stack, by a bucket's name. */
  const boxIn = (text: unknown) =>
    boxes.find(({ address, attributes: { bucket } }) => {
      const names = [`\${${address}.`, `:s3:::${bucket}/`];
      return names.some((name) => String(text).includes(name));
    });
  /** Who has a role: a box, or the one beside what has it. */
  const holderOf = (role: string) => {
    const holder = resources.find(({ type, attributes: { role: own, execution_role_arn, iam_roles } }) => {
      const roles = JSON.stringify([own, execution_role_arn, iam_roles]);
      return !type.startsWith("aws_iam_") && roles.includes(`\${${role}.`);
    });
    return holder && (boxes.find((box) => box === holder) ?? boxes.find(isBeside(holder)));
  };
  for (const { type, attributes } of resources) {
    if (type === "aws_api_gateway_integration") add(boxIn(attributes.rest_api_id), boxIn(attributes.uri), "invokes");
    if (type === "aws_lambda_event_source_mapping") {
      add(boxIn(attributes.event_source_arn), boxIn(attributes.function_name), "delivers to");
    }
    if (type !== "aws_iam_role_policy") continue;
    const from = holderOf(String(attributes.role).replace(/^\$\{(.+)\.\w+\}$/, "$1"));
    for (const { Action, Resource } of policyJson.parse(JSON.parse(String(attributes.policy))).Statement) {
      for (const resource of Resource) {
        const to = boxIn(resource);
        const [, where] = /^(?:\$\{.+?\}|.+:::[^/]+)\/(\w+\/|[\w.]+$)/.exec(resource) ?? [];
        for (const action of to === undefined ? [] : Action) add(from, to, verbOf(action), where);
      }
    }
  }
  for (const queue of boxes) add(queue, boxIn(queue.attributes.redrive_policy), "moves what keeps failing");
  return [...arrows.values()];
}

/**
 * A diagram in Mermaid's words: a box for each construct that does or keeps something, and an arrow from who may do
 * something, by the policies of the roles, to what it is done with. People's rights are no part of a stack: their arrows
 * stand here.
 * @param stacks the Terraform JSON of a deployment's stacks
 * @param withFolders whether an arrow to a bucket says which of its folders it is about
 * @throws when a role may do what there is no verb for
 */
export function diagramOf(stacks: readonly string[], withFolders: boolean): string {
  const resources = stacks.flatMap(resourcesOf);
  const boxes = resources.filter(({ type }) => type in kinds);
  const idOf = ({ path }: Resource) => path.join("_");
  const boxLine = (box: Resource) => {
    const { service, form } = kinds[box.type] ?? { service: box.type, form: ["[", "]"] };
    return `${idOf(box)}${form[0]}"${wordsOf(box)}<br/>${service}"${form[1]}`;
  };
  const sources = new Map<string, string[]>();
  for (const { from, to, may } of arrowsOf(resources, boxes)) {
    const lines = [...may].map(([verb, places]) => `${verb} ${withFolders ? [...places].join(", ") : ""}`.trim());
    const toTarget = `-- "${lines.sort().join(withFolders ? "<br/>" : ", ")}" --> ${idOf(to)}`;
    sources.set(toTarget, [...(sources.get(toTarget) ?? []), idOf(from)]);
  }
  const parts = new Set(boxes.map(({ path }) => path[0] ?? ""));
  return [
    "flowchart LR",
    '  you(["you"]) -- "send requests and jobs" --> api_rest_api',
    '  you -- "send requests" --> inference_queue',
    ...[...parts].flatMap((part) => {
      const lines = boxes.filter(({ path }) => path[0] === part).map(boxLine);
      return lines.length === 1 ? [`  ${lines[0]}`] : [`  subgraph ${part}`, `    ${lines.join("; ")}`, "  end"];
    }),
    ...[...sources].map(([toTarget, ids]) => `  ${ids.join(" & ")} ${toTarget}`),
  ].join("\n");
}
