import { existsSync, readFileSync } from "node:fs";
import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import type { Config } from "../../config";
import { awsError } from "../shared/aws-error";
import { messageOf } from "../shared/findings";
import { stackFolder } from "../shared/terraform";
import { stateBackend } from "../state/state-backend";
import { StateBucket } from "../state/state-bucket";
import { parseState } from "../state/state-file";

/** What S3 says of a bucket's name. `open` is one that we may look into, whosever it is. */
type Answer =
  | { readonly is: "free" | "open" | "closed" }
  | { readonly is: "elsewhere"; readonly region: string | undefined };

/** A bucket that a stack is to make. */
interface Wanted {
  readonly stack: string;
  /** What its name follows from in config.ts. */
  readonly fields: readonly string[];
  readonly name: string;
  readonly address: string;
}

/**
 * Looks whether the names of the buckets are free, or are those of the buckets that the stacks have made. Asks S3 about
 * each, and reads the state of the stacks whose buckets are there, as Terraform does; no more.
 * @param localState the file with that state, while its bucket does not exist
 * @throws with every name that is taken, and with what to do about each
 */
export async function refuseTakenNames({ shared, environments }: Config, localState: string): Promise<void> {
  const { region, profile, stateBucket, modelBucket, logBucket } = shared;
  const wanted: Wanted[] = [
    { stack: "state", fields: ["stateBucket"], name: stateBucket, address: "aws_s3_bucket.state_bucket" },
    { stack: "state", fields: ["modelBucket"], name: modelBucket, address: "aws_s3_bucket.models_bucket" },
    { stack: "state", fields: ["stateBucket"], name: logBucket, address: "aws_s3_bucket.access_logs_bucket" },
    ...Object.values(environments).map(({ name, answersBucket }) => ({
      stack: `inference-${name}`,
      fields: ["stateBucket", "environment"],
      name: answersBucket,
      address: "aws_s3_bucket.outcomes_bucket",
    })),
  ];
  const client = new S3Client({ region, profile });
  const faults: string[] = [];
  const answers = await Promise.all(
    wanted.map(async (bucket) => {
      const answer = await answerAbout(client, bucket.name).catch((error) => void faults.push(messageOf(error)));
      return { ...bucket, answer };
    }),
  ).finally(() => client.destroy());
  const hasStateBucket = answers.some(({ name, answer }) => name === stateBucket && answer?.is === "open");
  const made = new Set(existsSync(localState) ? bucketsIn(readFileSync(localState, "utf8"), localState) : []);
  const there = answers.filter(({ answer }) => answer?.is === "open").map(({ stack }) => stack);
  for (const stack of hasStateBucket ? new Set(there) : []) {
    const backend = stateBackend(stack);
    const state = await new StateBucket(backend).read(backend.key);
    for (const name of state === undefined ? [] : bucketsIn(state.text, `s3://${backend.bucket}/${backend.key}`)) {
      made.add(name);
    }
  }
  for (const { answer, ...bucket } of answers) {
    if (answer === undefined || answer.is === "free" || made.has(bucket.name)) continue;
    faults.push(inWords(bucket, answer, region, hasStateBucket));
  }
  if (faults.length > 0) throw new Error(faults.join("\n\n"));
}

const failure = z.looseObject({
  $metadata: z.looseObject({ httpStatusCode: z.number() }),
  $response: z.looseObject({ headers: z.looseObject({ "x-amz-bucket-region": z.string().optional() }) }).optional(),
});

async function answerAbout(client: S3Client, name: string): Promise<Answer> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: name }));
    return { is: "open" };
  } catch (error) {
    const { data } = failure.safeParse(error);
    const status = data?.$metadata.httpStatusCode;
    if (status === 404) return { is: "free" };
    if (status === 403) return { is: "closed" };
    if (status === 301) return { is: "elsewhere", region: data?.$response?.headers["x-amz-bucket-region"] };
    throw awsError(`look for the bucket ${name}`, error);
  }
}

const bucketAttributes = z.object({ bucket: z.string() });

/** The names of the buckets that Terraform made, by its state. */
function bucketsIn(text: string, where: string): string[] {
  try {
    return [...parseState(text).resources].flatMap(([address, attributes]) =>
      address.startsWith("aws_s3_bucket.") ? [bucketAttributes.parse(attributes).bucket] : [],
    );
  } catch (error) {
    throw new Error(`The state of the buckets in ${where} cannot be read: ${messageOf(error)}`);
  }
}

/** Which name is taken, by whom as far as S3 tells, and what to do. */
function inWords({ stack, fields, name, address }: Wanted, answer: Answer, region: string, canImport: boolean): string {
  const another = `choose another ${fields.join(" or ")} in config.ts`;
  const taken = `The name ${name} (${fields.join(" and ")} in config.ts) is taken, and not by a bucket of this project's stacks:`;
  if (answer.is === "closed") {
    return (
      `${taken} it belongs to another account, or is closed to who you are signed in as.\n` +
      `S3's names are the whole world's: ${another}. If the bucket is yours, sign in as who may list it: AWS_PROFILE,\n` +
      "or `profile` in config.ts."
    );
  }
  if (answer.is === "elsewhere") {
    return (
      `${taken} it is in ${answer.region ?? "another region"}, and config.ts says ${region}.\n` +
      `S3's names are the whole world's: ${another}. If the bucket is yours and was made there, set \`region\`.`
    );
  }
  const folder = stackFolder(stack);
  return (
    `${taken} you can look into it, so it is probably yours.\n` +
    (canImport
      ? `Either ${another}, or let Terraform go on with that one, which then gets the settings of the stack:\n` +
        `  terraform -chdir=${folder} init -reconfigure\n` +
        `  terraform -chdir=${folder} import ${address} ${name}`
      : `Either ${another}, or delete that bucket, if nobody needs it.`)
  );
}
