import { CloudWatchClient, GetMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { factsOf, jobRequest } from "../../contract/job";
import { clientSettings, type Until } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import { awsError, withClient } from "../shared/aws-error";
import type { Connection } from "../shared/connection";
import type { Deliveries } from "./deliveries";

/** Something that is lost where nothing is answered until then. */
export interface Loss {
  readonly at: Date;
  /** What happens then, in a sentence without its full stop. */
  readonly what: string;
  /** The job whose deadline it is. @default it is no job's */
  readonly job?: string;
}

/** What is lost where nothing is answered from now on, the first of it first. */
export async function lossesOf(connection: Connection, deliveries: Deliveries, until: Until): Promise<Loss[]> {
  const losses = [...(await expiryOf(connection, deliveries, until)), ...(await deadlinesOf(connection, until))];
  return losses.sort((one, other) => one.at.getTime() - other.at.getTime());
}

async function expiryOf(connection: Connection, deliveries: Deliveries, until: Until): Promise<Loss[]> {
  const { waiting, inFlight } = await deliveries.waiting(until);
  if (waiting + inFlight === 0) return [];
  const { messageRetentionSeconds: kept } = connection.environment.inference;
  const measured = await oldestRequest(connection, until);
  // The worker sends anew what has come back for half of that time, and SQS leaves what comes back out of the measure.
  const oldest = Math.max(measured ?? kept / 2, inFlight > 0 ? kept / 2 : 0);
  return [{ at: new Date(Date.now() + 1_000 * (kept - oldest)), what: "the oldest request expires in the queue" }];
}

/** For how long the oldest request has waited, in seconds; undefined where CloudWatch does not know it yet. */
async function oldestRequest({ pipeline }: Connection, { signal }: Until): Promise<number | undefined> {
  const cloudWatch = new CloudWatchClient(clientSettings({ requestTimeout: 10_000 }));
  const now = Date.now();
  const Dimensions = [{ Name: "QueueName", Value: pipeline.queueUrl.split("/").at(-1) ?? "" }];
  const Metric = { Namespace: "AWS/SQS", MetricName: "ApproximateAgeOfOldestMessage", Dimensions };
  const command = new GetMetricDataCommand({
    StartTime: new Date(now - 15 * 60_000),
    EndTime: new Date(now + 60_000),
    ScanBy: "TimestampDescending",
    MetricDataQueries: [{ Id: "oldest", MetricStat: { Metric, Period: 60, Stat: "Maximum" } }],
  });
  const look = async (client: CloudWatchClient) => {
    const { MetricDataResults = [] } = await client.send(command, { abortSignal: signal });
    return MetricDataResults[0]?.Values?.[0];
  };
  return withClient(cloudWatch, "read how long the oldest request has waited", look, signal);
}

/** The deadlines of the jobs that have not ended. */
async function deadlinesOf({ pipeline }: Connection, until: Until): Promise<Loss[]> {
  const jobs = new Jobs(pipeline.answers.bucket);
  try {
    const losses: Loss[] = [];
    for (const [id, { isOpen }] of await jobs.open(until)) {
      const found = isOpen ? await jobs.read(factsOf(id).request, jobRequest, until) : undefined;
      const at = found?.value.deadline;
      if (at && at > new Date()) losses.push({ at, what: `the deadline of the job ${id} passes`, job: id });
    }
    return losses;
  } catch (error) {
    until.signal.throwIfAborted();
    throw awsError("look at the jobs", error);
  }
}
