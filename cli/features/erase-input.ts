import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { S3Client } from "@aws-sdk/client-s3";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { SQSClient } from "@aws-sdk/client-sqs";
import { folders, oldVersionDays } from "../../contract/answers-bucket";
import { clientSettings, type Until } from "../../pipeline/clients";
import { DeadLetters } from "../../pipeline/dead-letters";
import { type Found, type Place, placesOf } from "../../pipeline/erase";
import { filesOfJobs } from "../../pipeline/erase-jobs";
import { FeatureStore } from "../../pipeline/features";
import { Jobs } from "../../pipeline/jobs";
import { QueueWalk } from "../../pipeline/queue-walk";
import { type Database, RedshiftData } from "../../pipeline/redshift";
import { parseInputId } from "../../pipeline/request-reader";
import { objectsBelow } from "../../pipeline/s3";
import { ask, isYes, mustBeAskable } from "../shared/asking";
import { awsError, namingActions } from "../shared/aws-error";
import type { Connection } from "../shared/connection";
import { whole } from "../shared/numbers";

const settings = clientSettings({ requestTimeout: 30_000, maxAttempts: 6 });

/**
 * Says what is kept of an input, asks, and takes it out.
 * @param id to the letter
 * @param isSure whether nobody is asked
 * @returns whether nothing stood in the way
 * @throws where no input can have this id, and where nobody can be asked
 */
export async function eraseInput(
  connection: Connection,
  id: string,
  isSure: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  parseInputId(id);
  if (!isSure) mustBeAskable("--yes");
  const s3 = namingActions(new S3Client(settings));
  const sqs = namingActions(new SQSClient(settings));
  const { pipeline, environment } = connection;
  const jobs = new Jobs(pipeline.answers.bucket, s3);
  const inBucket = { id, bucket: pipeline.answers.bucket, s3, jobs };
  const ofRequests = placesOf({
    ...inBucket,
    database: new RedshiftData(asAdmin(connection), namingActions(new RedshiftDataClient(settings))),
    deadLetters: new DeadLetters(pipeline.deadLetterQueueUrl, sqs),
    features: featureStoreOf(connection),
  });
  const idColumn = pipeline.featureGroup?.recordIdentifier.name ?? "id";
  const { keepDays } = environment.jobs;
  const places = [...ofRequests, filesOfJobs({ ...inBucket, idColumn, keepDays })];
  try {
    const seen = await walkAll(places, false, signal);
    if (seen.counts.length > 0) console.log(`Of the input ${id} there is in ${environment.name}:\n${linesOf(seen)}`);
    else console.error(`Nothing was found of the input ${id} in ${environment.name}.`);
    console.error(await restOf(connection, s3, new QueueWalk(pipeline.queueUrl, sqs), { signal }));
    if (seen.counts.length === 0) return nothingInTheWay(seen);
    if (!isSure && !isYes(await ask("Take all of it out, for good? [y/N] ", signal))) {
      signal.throwIfAborted();
      throw new Error("That is no yes: nothing was taken out.");
    }
    const taken = await walkAll(places, true, signal);
    console.log(`Taken out:\n${linesOf(taken)}`);
    return nothingInTheWay(taken);
  } finally {
    s3.destroy();
    sqs.destroy();
  }
}

/** The warehouse as its administrator, who alone may delete. */
function asAdmin({ pipeline: { warehouse }, environment }: Connection): Database {
  const { databaseName } = warehouse;
  return "clusterId" in warehouse
    ? { clusterId: warehouse.clusterId, databaseName, databaseUser: environment.warehouse.adminUsername }
    : { workgroupName: warehouse.workgroupName, databaseName, secretArn: warehouse.adminSecretArn };
}

function featureStoreOf({ pipeline: { featureGroup } }: Connection): FeatureStore | undefined {
  if (featureGroup === undefined) return undefined;
  const { name: featureGroupName, features, recordIdentifier, eventTime } = featureGroup;
  const { name: recordIdentifierName, type: recordIdentifierType } = recordIdentifier;
  return new FeatureStore(
    { featureGroupName, features, recordIdentifierName, recordIdentifierType, eventTime },
    namingActions(new SageMakerFeatureStoreRuntimeClient(settings)),
  );
}

/** Goes through all places. What fails in one keeps none of the others from it. */
async function walkAll(places: readonly Place[], isTaken: boolean, signal: AbortSignal): Promise<Found> {
  const counts: Found["counts"][number][] = [];
  const inTheWay = new Set<string>();
  for (const place of places) {
    console.error(`${isTaken ? "Taking it out of" : "Looking through"} ${place.name} ...`);
    try {
      const found = await place.walk(isTaken, { signal });
      counts.push(...found.counts);
      for (const one of found.inTheWay) inTheWay.add(one);
    } catch (error) {
      signal.throwIfAborted();
      inTheWay.add(awsError(`${isTaken ? "take it out of" : "look through"} ${place.name}`, error).message);
    }
  }
  return { counts, inTheWay: [...inTheWay] };
}

const linesOf = ({ counts }: Found) =>
  counts.map(({ what, count }) => `  ${whole(count).padStart(9)}  ${what}`).join("\n");

function nothingInTheWay({ inTheWay }: Found): boolean {
  if (inTheWay.length > 0) console.error(["In the way:", ...inTheWay.map((one) => `  ${one}`)].join("\n"));
  return inTheWay.length === 0;
}

const day = 86_400_000;

/** How much later than after whole days S3 deletes (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html), in days. */
const midnight = 1;

/** How much later CloudWatch does (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html), in days. */
const logDelay = 3;

/** What is not taken out, each with the day by which it is gone. */
async function restOf(
  { pipeline, environment }: Connection,
  s3: S3Client,
  queue: QueueWalk,
  until: Until,
): Promise<string> {
  const { bucket } = pipeline.answers;
  const inDays = (days: number, from = new Date()) => new Date(from.getTime() + days * day).toISOString().slice(0, 10);
  const rest: [when: string, what: string][] = [];
  const { features, inference, model } = environment;

  const { visible, hidden } = await queue.counts(until);
  if (visible + hidden > 0) {
    const what = `about ${whole(visible + hidden)} requests on the queue, which are not looked at: one for this input is answered and kept anew. Run this again when they are gone`;
    rest.push([inDays(inference.messageRetentionSeconds / 86_400), what]);
  }
  const unloads: Date[] = [];
  for await (const { writtenAt } of objectsBelow(s3, bucket, folders.unloads, until)) unloads.push(writtenAt);
  const newest = unloads.sort((one, other) => other.getTime() - one.getTime())[0];
  if (newest) {
    const what = `${whole(unloads.length)} objects below s3://${bucket}/${folders.unloads}, large results on their way to a reader`;
    rest.push([inDays(oldVersionDays + midnight, newest), what]);
  }
  rest.push(
    [inDays(oldVersionDays + midnight), `old versions of objects in the bucket ${bucket}`],
    [inDays(1), "automated snapshots of the warehouse; those made by hand stay until somebody deletes them"],
    [
      inDays(7),
      "the warehouse's history of statements, with ids; rows that are deleted leave the disks by its own VACUUM",
    ],
    [
      inDays(environment.logRetentionDays + logDelay),
      "logs, which have ids: the API's those of its paths, the functions' those that were refused",
    ],
  );
  if (features && features.offlineStoreS3Uri !== undefined) {
    const how = "https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-delete-records.html";
    rest.push([
      "never",
      `the offline store ${features.offlineStoreS3Uri}, which keeps all that was ever written: ${how}`,
    ]);
  }
  const captured = "dataCapture" in model ? model.dataCapture : undefined;
  if (captured) rest.push(["never", `requests and answers that the endpoint has captured in ${captured.s3Uri}`]);
  rest.push(["never", "files that people have saved, of results say"]);
  if (features) rest.push(["never", "feature groups of earlier contracts, which this project forgets"]);
  const lines = rest.map(([when, what]) => `  ${when.padEnd(10)}  ${what}`);
  return ["Not taken out, with the day by which it lapses:", ...lines].join("\n");
}
