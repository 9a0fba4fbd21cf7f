import { z } from "zod";
import { serveSigned } from "./signature";
import { AwsError, json, parseBody, type StandIn } from "./stand-in";

export interface EndpointDescription {
  readonly endpointName: string;
  readonly configurationName: string;
  readonly variantName: string;
  /** @default none: the endpoint is one on demand */
  readonly instanceCount?: number;
}

const describeEndpoint = z.object({ EndpointName: z.string().min(1) });

/** Starts SageMaker with one endpoint, in service since now, which can be looked at and not changed. */
export function startSageMaker(endpoint: EndpointDescription): Promise<StandIn> {
  const since = Date.now() / 1000;
  return serveSigned((request) => {
    const operation = String(request.headers["x-amz-target"]).replace(/^SageMaker\./, "");
    if (operation !== "DescribeEndpoint") {
      throw new AwsError("UnknownOperationException", 404, `no operation ${operation}`);
    }
    const { EndpointName } = parseBody(request, describeEndpoint, "ValidationException");
    if (EndpointName !== endpoint.endpointName) {
      throw new AwsError("ValidationException", 400, `Could not find endpoint "${EndpointName}".`);
    }
    const { configurationName, variantName, instanceCount } = endpoint;
    return json({
      EndpointName,
      EndpointConfigName: configurationName,
      EndpointStatus: "InService",
      ProductionVariants: [
        {
          VariantName: variantName,
          ...(instanceCount !== undefined && {
            CurrentInstanceCount: instanceCount,
            DesiredInstanceCount: instanceCount,
          }),
        },
      ],
      CreationTime: since,
      LastModifiedTime: since,
    });
  });
}
