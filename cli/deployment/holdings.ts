import { SQSClient } from "@aws-sdk/client-sqs";
import { folders } from "../../contract/answers-bucket";
import { jobFolders } from "../../contract/job";
import { clientSettings, type Until } from "../../pipeline/clients";
import { QueueWalk } from "../../pipeline/queue-walk";
import { awsError } from "../shared/aws-error";
import { messageOf } from "../shared/findings";
import { counted } from "../shared/numbers";
import { AnswersBucket } from "./answers-bucket";
import type { ClusterAccess } from "./cluster";
import { isRecord, type Plan } from "./plan";

/** A text attribute of each resource of a type that a plan destroys. */
export const attributesIn = ({ changes }: Plan, type: string, attribute: string): string[] =>
  changes.flatMap(({ type: found, kind, before }) => {
    const value = found === type && kind === "destroy" && isRecord(before) ? before[attribute] : undefined;
    return typeof value === "string" ? [value] : [];
  });

/** What a stack holds that is destroyed, as far as that is cheap to know: a line each. Its rows are not counted. */
export async function holdingsOf(
  plan: Plan,
  answersBucket: string,
  as: ClusterAccess,
  until: Until,
): Promise<string[]> {
  const looks = [
    ...(attributesIn(plan, "aws_s3_bucket", "bucket").includes(answersBucket)
      ? [() => inBucket(answersBucket, as, until)]
      : []),
    ...attributesIn(plan, "aws_sqs_queue", "url").map((url) => () => inQueue(url, as, until)),
  ];
  const lines = await Promise.all(
    looks.map((look) =>
      look().catch((error: unknown) => {
        until.signal.throwIfAborted();
        return [`what could not be counted: ${messageOf(error)}`];
      }),
    ),
  );
  return lines.flat();
}

async function inBucket(name: string, { region = "", profile }: ClusterAccess, until: Until): Promise<string[]> {
  const bucket = new AnswersBucket({ bucket: name, region, profile });
  try {
    const staged = await bucket.look(folders.staged, until);
    const rejected = await bucket.look(folders.rejected, until);
    const [jobs, results] = [
      await bucket.foldersIn(jobFolders.jobs, until),
      await bucket.foldersIn(jobFolders.results, until),
    ];
    return [
      ...(staged.objects > 0
        ? [`${counted(staged.objects, "batch", "batches")} of answers that are in no table yet: they are loaded first`]
        : []),
      ...(rejected.objects > 0
        ? [
            `${counted(rejected.objects, "batch", "batches")} of answers that were set aside: nothing is destroyed while they are there`,
          ]
        : []),
      ...(jobs > 0
        ? [`${counted(jobs, "job")}, ${counted(results, "result")} of them: save what is needed by \`results\``]
        : []),
    ];
  } finally {
    bucket.close();
  }
}

async function inQueue(url: string, { region, profile }: ClusterAccess, until: Until): Promise<string[]> {
  const client = new SQSClient({ ...clientSettings({ requestTimeout: 10_000 }), region, profile });
  const name = url.split("/").at(-1) ?? "";
  try {
    const { visible, hidden } = await new QueueWalk(url, client).counts(until);
    return visible + hidden > 0
      ? [`about ${counted(visible + hidden, "message")} on ${name}, which are in no bucket`]
      : [];
  } catch (error) {
    throw awsError(`look at the queue ${name}`, error);
  } finally {
    client.destroy();
  }
}

/** What stays when a stack is destroyed, and what does not though it could: a line each. */
export function keptOf(plan: Plan, answersBucket: string): string[] {
  const snapshots = attributesIn(plan, "aws_redshift_cluster", "final_snapshot_identifier").filter(Boolean);
  const clusters = attributesIn(plan, "aws_redshift_cluster", "cluster_identifier");
  const namespaces = attributesIn(plan, "aws_redshiftserverless_namespace", "namespace_name");
  return [
    ...snapshots.map(
      (name) =>
        `The warehouse leaves the snapshot ${name}. It costs money until somebody deletes it, and nothing of this name can be destroyed again before: aws redshift delete-cluster-snapshot --snapshot-identifier ${name}`,
    ),
    ...(snapshots.length > 0 ? [] : clusters).map(
      (name) =>
        `The warehouse leaves no snapshot, for \`warehouse.finalSnapshot\` is false. To keep its data: aws redshift create-cluster-snapshot --cluster-identifier ${name} --snapshot-identifier ${name}-kept`,
    ),
    ...namespaces.map(
      (name) =>
        `The warehouse leaves no snapshot: Terraform takes none of a namespace. To keep its data: aws redshift-serverless create-snapshot --namespace-name ${name} --snapshot-name ${name}-kept`,
    ),
    ...(attributesIn(plan, "aws_s3_bucket", "bucket").includes(answersBucket)
      ? [
          `The bucket ${answersBucket} is emptied, with all old versions, and deleted, for \`preventDestroy\` is false. The buckets for states and models, with the releases, stay.`,
        ]
      : []),
  ];
}
