import { setTimeout } from "node:timers/promises";
import type { DescribeEndpointCommandOutput } from "@aws-sdk/client-sagemaker";
import { z } from "zod";
import { readStack } from "../../local/terraform";
import { failedTo, namingActions, noneWhereMissing } from "../shared/aws-error";
import { commandsFor } from "../shared/options";

/** Which configuration an endpoint is to serve. */
export interface ServedEndpoint {
  readonly endpointName: string;
  readonly configurationName: string;
  readonly region: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

/** Whether a synthesized stack makes an endpoint. @param folder the stack's folder */
export const hasEndpoint = (folder: string): boolean =>
  readStack(folder).all("aws_sagemaker_endpoint", z.object({})).length > 0;

/**
 * Which configuration the endpoint of a synthesized stack is to serve.
 * @param folder the stack's folder
 * @throws when the stack makes no endpoint, for config.ts names one that exists
 */
export function endpointOf(folder: string): ServedEndpoint {
  const stack = readStack(folder);
  const attributes = z.object({ name: z.string(), endpoint_config_name: z.string() });
  if (stack.all("aws_sagemaker_endpoint", attributes).length === 0) throw new Error(noEndpoint);
  const { name, endpoint_config_name } = stack.only("aws_sagemaker_endpoint", attributes);
  const { region, profile } = stack;
  return { endpointName: name, configurationName: endpoint_config_name, region, profile };
}

/** What is said where something of an endpoint is wanted that the stack does not make. */
const noEndpoint =
  "`model.endpoint` in config.ts names an endpoint that exists: whoever makes it says what it serves, and no model is released here.";

/** What is said where an endpoint does not do what was deployed. */
export const wayBack = `The release before is kept on AWS. The way back is \`${commandsFor({ env: "<environment>" })("model release --rollback")}\` and to deploy that.`;

interface WaitOptions {
  /** Ends the waiting. @default nothing does */
  readonly signal?: AbortSignal;
  /** Between two looks, in seconds. @default 15 */
  readonly intervalSeconds?: number;
}

/** An endpoint with one of these is on its way to another: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html */
const onItsWay = ["Creating", "Updating", "SystemUpdating", "RollingBack"];

/**
 * Waits until an endpoint serves its configuration. SageMaker may accept an update and take it back, and Terraform then
 * ends as if nothing had happened.
 * @throws when the endpoint serves another configuration or none, with why and with the way back
 */
export const endpointServes = (served: ServedEndpoint, options: WaitOptions = {}): Promise<void> =>
  watching(served, options, (watch) => settled(served, watch));

/**
 * Waits until an endpoint serves its configuration, where the deployment may be yet to begin: until then the endpoint
 * stays as it is, or is not there.
 * @throws as {@link endpointServes} does, once there has been a deployment
 */
export const endpointWillServe = (served: ServedEndpoint, options: WaitOptions = {}): Promise<void> =>
  watching(served, options, async (watch) => {
    const { endpointName: name, configurationName } = served;
    const look = () => watch.look().catch(noneWhereMissing);
    const first = await look();
    if (first?.EndpointConfigName !== configurationName && !isOnItsWay(first)) {
      const now = first ? `${name} is ${first.EndpointStatus} with ${first.EndpointConfigName}` : `There is no ${name}`;
      console.error(`${now}. Waiting for ${configurationName} to be deployed ...`);
      let next = first;
      while (isSame(first, next)) {
        await watch.pause();
        next = await look();
      }
    }
    await settled(served, watch);
  });

interface Watch {
  look(): Promise<DescribeEndpointCommandOutput>;
  pause(): Promise<void>;
}

async function watching(
  { endpointName, region, profile }: ServedEndpoint,
  { signal, intervalSeconds = 15 }: WaitOptions,
  use: (watch: Watch) => Promise<void>,
): Promise<void> {
  const { SageMakerClient, DescribeEndpointCommand } = await import("@aws-sdk/client-sagemaker");
  const client = namingActions(new SageMakerClient({ region, profile }));
  try {
    await use({
      look: () =>
        client
          .send(new DescribeEndpointCommand({ EndpointName: endpointName }), { abortSignal: signal })
          .catch(failedTo(`look at the endpoint ${endpointName}`, signal)),
      pause: () => setTimeout(1000 * intervalSeconds, undefined, { signal }).catch(() => signal?.throwIfAborted()),
    });
  } finally {
    client.destroy();
  }
}

async function settled({ endpointName, configurationName }: ServedEndpoint, watch: Watch): Promise<void> {
  let said: string | undefined;
  for (;;) {
    const endpoint = await watch.look();
    const { EndpointStatus: status } = endpoint;
    if (!isOnItsWay(endpoint)) {
      if (status === "InService" && endpoint.EndpointConfigName === configurationName) return;
      throw new Error(inWords(endpoint, endpointName, configurationName));
    }
    if (status !== said) console.error(`${endpointName} is ${status} ...`);
    said = status;
    await watch.pause();
  }
}

/** Whether an endpoint will be in another state by itself. */
export const isOnItsWay = (endpoint?: DescribeEndpointCommandOutput) =>
  onItsWay.includes(endpoint?.EndpointStatus ?? "");

/** Whether nothing has been done to an endpoint between two looks. */
const isSame = (one?: DescribeEndpointCommandOutput, other?: DescribeEndpointCommandOutput) =>
  one?.EndpointStatus === other?.EndpointStatus &&
  one?.EndpointConfigName === other?.EndpointConfigName &&
  one?.LastModifiedTime?.getTime() === other?.LastModifiedTime?.getTime();

function inWords(endpoint: DescribeEndpointCommandOutput, endpointName: string, configurationName: string): string {
  const { EndpointStatus: status, EndpointConfigName: served, FailureReason: reason } = endpoint;
  return [
    `${endpointName} does not serve ${configurationName}: it is ${status} with ${served}.`,
    ...(reason ? [`SageMaker says: ${reason}`] : []),
    wayBack,
  ].join("\n");
}
