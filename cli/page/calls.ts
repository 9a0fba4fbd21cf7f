import { jsonObjectOf } from "../../contract/feature-values";
import { exportsIn, shellWord } from "../../local/environment-file";
import type { FirstRow } from "../first-look";
import type { Pipeline } from "../shared/connection";

/** What another program can do with the pipeline of this machine, as a shell runs it. */
export interface Call {
  readonly with: string;
  readonly text: string;
}

/**
 * Calls to copy, which ask about a row. They need nothing but what `.local/env.sh` says.
 * @param isSigned whether the API is called by who signs alone
 */
export function callsOf(
  { contract, featureGroup, commandFor }: Pick<Pipeline, "contract" | "featureGroup" | "commandFor">,
  { id, values }: FirstRow,
  { dataDir, isSigned }: { readonly dataDir: string; readonly isSigned: boolean },
): readonly Call[] {
  const features = featureGroup === undefined ? `,"features":${jsonObjectOf(contract.features, values)}` : "";
  const request = `{"id":${JSON.stringify(id)}${features}}`;
  const signature = '--aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" ';
  const curl = `curl ${isSigned ? signature : ""}-H 'content-type: application/json'`;
  const python = `import boto3, os; boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=${JSON.stringify(request)})`;
  const body = shellWord(request);
  const env = `. ${exportsIn(dataDir)}\n`;
  const calls = {
    "AWS CLI": `${env}aws sqs send-message --endpoint-url "$AWS_ENDPOINT_URL_SQS" --queue-url "$QUEUE_URL" --message-body ${body}`,
    curl: `${env}${curl} -d ${body} "$API_URL/predict"\n${curl} "$API_URL/predict/"${shellWord(encodeURIComponent(id))}`,
    "Python, with boto3": `${env}python3 -c ${shellWord(python)}`,
    "This program": commandFor(`results ${shellWord(id)}`),
  };
  return Object.entries(calls).map(([program, text]) => ({ with: program, text }));
}
