import { createHash } from "node:crypto";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { SagemakerEndpoint } from "@cdktf/provider-aws/lib/sagemaker-endpoint";
import { SagemakerEndpointConfiguration } from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { SagemakerModel } from "@cdktf/provider-aws/lib/sagemaker-model";
import { Construct } from "constructs";
import { type Access, allow, policyDocument, trustPolicy } from "./access";

export interface ModelEndpointProps {
  readonly region: string;
  /** The names of model and endpoint configuration begin with these and end with what they hold. */
  readonly modelName: string;
  readonly endpointConfigurationName: string;
  readonly endpointName: string;
  readonly variantName: string;
  readonly executionRoleName: string;
  readonly instanceType: string;
  readonly instanceCount: number;
  /** URI of the container image in ECR. */
  readonly image: string;
  /** The model artifact, a `.tar.gz`, which must lie there before the endpoint is made. */
  readonly artifact: { readonly bucket: string; readonly key: string };
  /** How the model is asked: a `pair` of sentences a call, or several `instances`. */
  readonly contract: "pair" | "instances";
  /** The most instances of a call, where the contract is `instances`. */
  readonly instancesPerCall: number;
  /** Calls that one function keeps in flight at the endpoint. */
  readonly concurrency: number;
  readonly logRetentionDays: number;
}

/** A model behind a SageMaker endpoint. A new artifact, image or instance reaches the endpoint without a gap. */
export class ModelEndpoint extends Construct {
  readonly endpoint: SagemakerEndpoint;
  readonly log: CloudwatchLogGroup;
  /** Says which model answers: changes with the artifact, the image and the container's settings. */
  readonly release: string;
  readonly variantName: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ModelEndpointProps,
  ) {
    super(scope, id);
    const { image, artifact, variantName, instanceType, instanceCount } = props;
    this.variantName = variantName;

    this.log = new CloudwatchLogGroup(this, "log", {
      name: `/aws/sagemaker/Endpoints/${props.endpointName}`,
      retentionInDays: props.logRetentionDays,
    });
    const role = new IamRole(this, "execution_role", {
      name: props.executionRoleName,
      assumeRolePolicy: trustPolicy("sagemaker.amazonaws.com"),
    });
    const policy = new IamRolePolicy(this, "execution_policy", {
      name: "model-execution",
      role: role.name,
      policy: policyDocument([
        { actions: ["s3:GetObject"], resources: [`arn:aws:s3:::${artifact.bucket}/${artifact.key}`] },
        {
          actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
          resources: [repositoryArn(image)],
        },
        { actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
        {
          actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
          resources: [`${this.log.arn}:*`],
        },
        {
          actions: ["cloudwatch:PutMetricData"],
          resources: ["*"],
          condition: { StringEquals: { "cloudwatch:namespace": "/aws/sagemaker/Endpoints" } },
        },
      ]),
    });

    // SageMaker never changes a model or an endpoint configuration: what is new needs a new name, or the endpoint is
    // not told of it. The old ones go after the endpoint has moved on.
    const lifecycle = { createBeforeDestroy: true };
    const container = {
      image,
      mode: "SingleModel",
      modelDataUrl: `s3://${artifact.bucket}/${artifact.key}`,
      environment: {
        SAGEMAKER_CONTAINER_LOG_LEVEL: "20",
        SAGEMAKER_PROGRAM: "inference.py",
        SAGEMAKER_REGION: props.region,
        SAGEMAKER_SUBMIT_DIRECTORY: "/opt/ml/model/code",
      },
    };
    this.release = fingerprint(container);
    const model = new SagemakerModel(this, "model", {
      name: `${props.modelName}-${this.release}`,
      executionRoleArn: role.arn,
      container: [container],
      enableNetworkIsolation: true, // all that the model needs is in its artifact
      lifecycle,
      dependsOn: [policy],
    });
    const variant = { variantName, instanceType, initialInstanceCount: instanceCount, initialVariantWeight: 1 };
    const configuration = new SagemakerEndpointConfiguration(this, "configuration", {
      name: `${props.endpointConfigurationName}-${fingerprint({ release: this.release, ...variant })}`,
      productionVariants: [{ ...variant, modelName: model.name }],
      lifecycle,
    });
    this.endpoint = new SagemakerEndpoint(this, "endpoint", {
      name: props.endpointName,
      endpointConfigName: configuration.name,
      dependsOn: [this.log],
    });
  }

  /** Lets its holder ask the model. */
  invoke(): Access {
    return allow(["sagemaker:InvokeEndpoint"], this.endpoint.arn, {
      ENDPOINT_NAME: this.endpoint.name,
      ENDPOINT_CONCURRENCY: String(this.props.concurrency),
      INSTANCES_PER_CALL: String(this.props.instancesPerCall),
      MODEL_CONTRACT: this.props.contract,
      MODEL_RELEASE: this.release,
    });
  }
}

const fingerprint = (value: object) => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 8);

/** The ARN of an image's repository: `<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>`. */
export function repositoryArn(image: string): string {
  const parts = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com\/([^:@]+)/.exec(image);
  if (!parts) throw new Error(`image must be an image in Amazon ECR, got ${image}`);
  const [, account, region, repository] = parts;
  return `arn:aws:ecr:${region}:${account}:repository/${repository}`;
}
