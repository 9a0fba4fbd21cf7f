import { setTimeout } from "node:timers/promises";
import type { DescribeEndpointCommandOutput } from "@aws-sdk/client-sagemaker";
import { z } from "zod";
import { readStack } from "../local/terraform";
import { awsError, namingActions } from "./aws-error";

/** Which configuration an endpoint is to serve. */
export interface ServedEndpoint {
  readonly endpointName: string;
  readonly configurationName: string;
  readonly region: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

/**
 * Which configuration the endpoint of a synthesized stack is to serve.
 * @param folder the stack's folder
 * @throws when the stack has no endpoint
 */
export function endpointOf(folder: string): ServedEndpoint {
  const stack = readStack(folder);
  const attributes = z.object({ name: z.string(), endpoint_config_name: z.string() });
  const { name, endpoint_config_name } = stack.only("aws_sagemaker_endpoint", attributes);
  const { region, profile } = stack;
  return { endpointName: name, configurationName: endpoint_config_name, region, profile };
}

interface WaitOptions {
  /** Ends the waiting. @default nothing does */
  readonly signal?: AbortSignal;
  /** Between two looks, in seconds. @default 15 */
  readonly intervalSeconds?: number;
}

/** The endpoint is on its way from one of these: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html */
const onItsWay = ["Creating", "Updating", "SystemUpdating", "RollingBack"];

/**
 * Waits until an endpoint serves its configuration. SageMaker may accept an update and take it back, and Terraform then
 * ends as if nothing had happened.
 * @throws when the endpoint serves another configuration or none, with why and with the way back
 */
export async function endpointServes(
  { endpointName, configurationName, region, profile }: ServedEndpoint,
  { signal, intervalSeconds = 15 }: WaitOptions = {},
): Promise<void> {
  const { SageMakerClient, DescribeEndpointCommand } = await import("@aws-sdk/client-sagemaker");
  const client = namingActions(new SageMakerClient({ region, profile }));
  try {
    let said: string | undefined;
    for (;;) {
      const endpoint = await client
        .send(new DescribeEndpointCommand({ EndpointName: endpointName }), { abortSignal: signal })
        .catch((error: unknown) => {
          throw signal?.aborted ? signal.reason : awsError(`look at the endpoint ${endpointName}`, error);
        });
      const { EndpointStatus: status = "unknown" } = endpoint;
      if (!onItsWay.includes(status)) {
        if (status === "InService" && endpoint.EndpointConfigName === configurationName) return;
        throw new Error(inWords(endpoint, endpointName, configurationName));
      }
      if (status !== said) console.error(`${endpointName} is ${status} ...`);
      said = status;
      await setTimeout(1000 * intervalSeconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  } finally {
    client.destroy();
  }
}

function inWords(endpoint: DescribeEndpointCommandOutput, endpointName: string, configurationName: string): string {
  const { EndpointStatus: status, EndpointConfigName: served, FailureReason: reason } = endpoint;
  return [
    `${endpointName} does not serve ${configurationName}: it is ${status} with ${served}.`,
    ...(reason ? [`SageMaker says: ${reason}`] : []),
    "The release before is kept on AWS. The way back is `offline-inference model release --env <environment> --rollback` and to deploy that.",
  ].join("\n");
}
