import { z } from "zod";
import { readStack } from "../../local/terraform";
import { noneWhereMissing, withClient } from "../shared/aws-error";
import { endpointOf, type ServedEndpoint } from "./endpoint";

/** An endpoint that is scaled, and how many instances it is to have. */
export interface ScaledCount {
  readonly variantName: string;
  readonly count: number;
}

const target = z.object({
  resource_id: z.string().transform((id) => id.replace(/^.*\/variant\//, "")),
  max_capacity: z.number(),
});

/**
 * How many instances the endpoint of a synthesized stack has been scaled to. A new configuration starts with as many as at
 * rest: whoever deploys one keeps the count.
 * @param folder the stack's folder
 * @returns undefined where it is not scaled, or not there yet
 */
export async function scaledCountOf(folder: string): Promise<ScaledCount | undefined> {
  const [scaled] = readStack(folder).all("aws_appautoscaling_target", target);
  if (scaled === undefined) return undefined;
  const variantName = scaled.resource_id;
  const count = await desiredCount(endpointOf(folder), variantName);
  return count === undefined ? undefined : { variantName, count: Math.min(count, scaled.max_capacity) };
}

/** Scales an endpoint to a count, where it is to have fewer instances. */
export async function restoreCount(served: ServedEndpoint, { variantName, count }: ScaledCount): Promise<void> {
  const { endpointName: EndpointName, region, profile } = served;
  if (((await desiredCount(served, variantName)) ?? count) >= count) return;
  const { SageMakerClient, UpdateEndpointWeightsAndCapacitiesCommand } = await import("@aws-sdk/client-sagemaker");
  const DesiredWeightsAndCapacities = [{ VariantName: variantName, DesiredInstanceCount: count }];
  const command = new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities });
  const doing = `scale the endpoint ${EndpointName} to the ${count} instances that it had`;
  await withClient(new SageMakerClient({ region, profile }), doing, (client) => client.send(command));
  console.error(`${EndpointName} is scaled to ${count} instances again, as it was.`);
}

async function desiredCount(
  { endpointName: EndpointName, region, profile }: ServedEndpoint,
  variantName: string,
): Promise<number | undefined> {
  const { SageMakerClient, DescribeEndpointCommand } = await import("@aws-sdk/client-sagemaker");
  const sageMaker = new SageMakerClient({ region, profile });
  const found = await withClient(sageMaker, `look at the endpoint ${EndpointName}`, (client) =>
    client.send(new DescribeEndpointCommand({ EndpointName })).catch(noneWhereMissing),
  );
  return found?.ProductionVariants?.find(({ VariantName }) => VariantName === variantName)?.DesiredInstanceCount;
}
