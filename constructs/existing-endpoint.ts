import { DataAwsCallerIdentity } from "@cdktf/provider-aws/lib/data-aws-caller-identity";
import { Construct } from "constructs";
import { arnIn } from "../aws/partitions";
import type { Access } from "./access";
import { askedBy, type Endpoint, type EndpointUse } from "./model-endpoint";

export interface ExistingEndpointProps extends EndpointUse {
  readonly region: string;
  readonly endpoint: {
    /** Its name. */
    readonly existing: string;
    /** The production variant that is asked. @default the endpoint chooses by its weights */
    readonly variant?: string;
  };
}

/** A SageMaker endpoint that somebody else makes, in this account and region. Nothing of it is made or changed. */
export class ExistingEndpoint extends Construct implements Endpoint {
  readonly endpointName: string;
  readonly variantName?: string;
  readonly formerAddresses = {};

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ExistingEndpointProps,
  ) {
    super(scope, id);
    this.endpointName = props.endpoint.existing;
    this.variantName = props.endpoint.variant;
  }

  /** Lets its holder ask the model, and look up which configuration the endpoint serves: that is the model's release. */
  invoke(): Access {
    const { endpointName, variantName } = this;
    const { region } = this.props;
    const { accountId } = new DataAwsCallerIdentity(this, "account");
    // SageMaker writes a name in lower case into the ARN that permissions are checked by.
    const names = [...new Set([endpointName, endpointName.toLowerCase()])];
    return {
      statements: [
        {
          actions: ["sagemaker:InvokeEndpoint", "sagemaker:DescribeEndpoint"],
          resources: names.map((name) => arnIn(region, `sagemaker:${region}:${accountId}:endpoint/${name}`)),
        },
      ],
      environment: {
        ...askedBy(endpointName, this.props),
        ...(variantName !== undefined && { ENDPOINT_VARIANT: variantName }),
      },
    };
  }
}
