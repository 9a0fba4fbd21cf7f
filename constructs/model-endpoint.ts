import { createHash } from "node:crypto";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { SagemakerEndpoint, type SagemakerEndpointDeploymentConfig } from "@cdktf/provider-aws/lib/sagemaker-endpoint";
import { SagemakerEndpointConfiguration } from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { SagemakerModel } from "@cdktf/provider-aws/lib/sagemaker-model";
import { Construct } from "constructs";
import { familyOf } from "../aws/instance-types";
import { containerEnvironment } from "../aws/model-kinds";
import { arnIn } from "../aws/partitions";
import type { ModelContract } from "../contract/model-contract";
import { bakingSeconds } from "../contract/scaling";
import { serverlessCallBytes, wireFormatOf } from "../contract/wire-format";
import { type Access, allow, decrypt, literally, type PolicyStatement, policyDocument, trustPolicy } from "./access";
import { alarmText } from "./alarm-text";

/** A model artifact and what it runs on. */
export interface ServedModel {
  /** The release's part of Terraform addresses. @default the addresses have no such part */
  readonly id?: string;
  /** URI of the container image in ECR. */
  readonly image: string;
  /** The model artifact, a `.tar.gz`, which must lie there before the endpoint is made. */
  readonly artifact: {
    readonly bucket: string;
    readonly key: string;
    /** Of its content. @default another content under the same key is the same model */
    readonly sha256?: string;
  };
  /** An instance type of SageMaker's, or {@link onDemand}. */
  readonly instanceType: string;
  /** What its container is told beside where its code lies. @default nothing */
  readonly environment?: Readonly<Record<string, string>>;
}

/** An endpoint that a model answers at, whoever makes it. */
export interface Endpoint {
  readonly endpointName: string;
  /** The production variant that answers. @default whichever the endpoint chooses */
  readonly variantName?: string;
  /** Says which model answers. @default whoever asks looks it up */
  readonly release?: string;
  /** @default the log is none of this stack's */
  readonly log?: CloudwatchLogGroup;
  /**
   * Where model and endpoint configuration are that were at addresses without a release, by those. Empty while something
   * is there still.
   */
  readonly formerAddresses: Readonly<Record<string, string>>;
  /** Lets its holder ask the model. */
  invoke(): Access;
}

/** How an endpoint is asked. */
export interface EndpointUse {
  /** The most inputs of a call, where its format holds many. */
  readonly instancesPerCall: number;
  /** Calls that one function keeps in flight at the endpoint. */
  readonly concurrency: number;
  /** The longest that a call may take, in seconds. */
  readonly slowestCallSeconds: number;
  /** Statuses from 400 to 499 by which the model tells of a fault of its own. @default none */
  readonly faultStatuses?: readonly number[];
  /** Answers by SageMaker Serverless Inference in the place of instances. @default instances answer */
  readonly serverless?: {
    /** The memory of each container. */
    readonly memoryGigabytes: number;
    /** The calls that are answered at once at most. */
    readonly maxConcurrency: number;
  };
}

/** What whoever asks an endpoint is told. */
export const askedBy = (
  endpointName: string,
  { instancesPerCall, concurrency, slowestCallSeconds, faultStatuses = [], serverless }: EndpointUse,
) => ({
  ENDPOINT_NAME: endpointName,
  ENDPOINT_CONCURRENCY: String(concurrency),
  INSTANCES_PER_CALL: String(instancesPerCall),
  ENDPOINT_CALL_SECONDS: String(slowestCallSeconds),
  ...(faultStatuses.length > 0 && { ENDPOINT_FAULT_STATUSES: faultStatuses.join(",") }),
  ...(serverless && { LARGEST_BODY_BYTES: String(serverlessCallBytes) }),
});

export interface ModelEndpointProps extends ServedModel, EndpointUse {
  readonly region: string;
  /** The account: nobody else's endpoint takes on the role. */
  readonly account: string;
  /** The names of model and endpoint configuration begin with these and end with what they hold. */
  readonly modelName: string;
  readonly endpointConfigurationName: string;
  readonly endpointName: string;
  readonly variantName: string;
  readonly executionRoleName: string;
  readonly instanceCount: number;
  /** Whether there is no endpoint for now: model and configuration stay, and cost nothing. @default false */
  readonly paused?: boolean;
  /** What was served before: its model and endpoint configuration stay. @default none was */
  readonly previous?: ServedModel;
  /** How the model is asked. */
  readonly contract: ModelContract;
  /** Keeps a sample of requests and answers under an S3 prefix without a slash at its end. @default none is kept */
  readonly dataCapture?: { readonly s3Uri: string; readonly samplingPercentage: number };
  readonly logRetentionDays: number;
  /** The KMS key that its log is encrypted with. @default CloudWatch Logs' own */
  readonly kmsKeyArn?: string;
  /** The KMS key that artifacts are encrypted with. @default S3's own */
  readonly artifactKmsKeyArn?: string;
}

/**
 * A model behind a SageMaker endpoint. A new artifact, image or instance reaches the endpoint without a gap, and what was
 * served before stays: SageMaker may take an update back when Terraform has ended.
 */
export class ModelEndpoint extends Construct implements Endpoint {
  readonly endpointName: string;
  readonly log: CloudwatchLogGroup;
  /** Says which model answers: changes with the artifact, the image and the container's settings. */
  readonly release: string;
  readonly variantName: string;
  readonly formerAddresses: Readonly<Record<string, string>>;
  private readonly endpointArn: string;
  private readonly role: IamRole;
  private readonly policy: IamRolePolicy;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ModelEndpointProps,
  ) {
    super(scope, id);
    const { previous, endpointName, dataCapture, region, paused = false } = props;
    const served: ServedModel[] = [props, ...(previous ? [previous] : [])];
    this.variantName = props.variantName;

    this.log = new CloudwatchLogGroup(this, "log", {
      name: `/aws/sagemaker/Endpoints/${endpointName}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.kmsKeyArn,
    });
    // SageMaker's deployment guardrails leave Inf1 out, as what it comes from and as what it goes to:
    // https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
    // And they are of instances.
    const guarded = !props.serverless && served.every(({ instanceType }) => familyOf(instanceType) !== "inf1");
    const alarm = guarded ? this.rollbackAlarm() : undefined;
    this.role = new IamRole(this, "execution_role", {
      name: props.executionRoleName,
      assumeRolePolicy: trustPolicy("sagemaker.amazonaws.com", props.account),
    });
    this.policy = new IamRolePolicy(this, "execution_policy", {
      name: "model-execution",
      role: this.role.name,
      policy: policyDocument([
        ...this.mayServe(served),
        ...(alarm ? [mayWatch(alarm)] : []),
        ...(dataCapture ? [mayCapture(dataCapture.s3Uri, region)] : []),
      ]),
    });

    const current = this.serve(props);
    if (previous) this.serve(previous);
    this.release = current.release;
    const endpoint = paused
      ? undefined
      : new SagemakerEndpoint(this, "endpoint", {
          name: endpointName,
          endpointConfigName: current.configuration.name,
          deploymentConfig: alarm && deploymentConfig(alarm, props.instanceCount),
          dependsOn: [this.log],
        });
    this.endpointName = endpoint?.name ?? endpointName;
    // SageMaker writes a name in lower case into the ARN.
    const path = `sagemaker:${region}:${props.account}:endpoint/${endpointName.toLowerCase()}`;
    this.endpointArn = endpoint?.arn ?? arnIn(region, path);
    this.formerAddresses = served.every(({ id }) => id !== undefined)
      ? Object.fromEntries(
          [current.model, current.configuration].map((resource) => {
            const address = `${resource.terraformResourceType}.${resource.friendlyUniqueId}`;
            return [address.replace(`_${props.id}`, ""), address];
          }),
        )
      : {};
  }

  /** What SageMaker needs to run these: their artifacts, their images, and where its logs and metrics go. */
  private mayServe(served: readonly ServedModel[]): PolicyStatement[] {
    const { region, artifactKmsKeyArn } = this.props;
    const unique = (arns: string[]) => [...new Set(arns)].sort(); // the way back changes nothing of it
    return [
      {
        actions: ["s3:GetObject"],
        resources: unique(served.map(({ artifact }) => arnIn(region, `s3:::${artifact.bucket}/${artifact.key}`))),
      },
      ...decrypt(artifactKmsKeyArn),
      {
        actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        resources: unique(served.map(({ image }) => repositoryArn(image))),
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
    ];
  }

  /**
   * A model and the endpoint configuration that serves it. SageMaker never changes one: what is new needs a new name, or
   * the endpoint is not told of it. The old ones go after the endpoint has moved on.
   */
  private serve({ id, image, artifact, instanceType, environment }: ServedModel) {
    const { props } = this;
    const { serverless } = props;
    const lifecycle = { createBeforeDestroy: true };
    const literal = Object.fromEntries(
      Object.entries(environment ?? {}).map(([name, value]) => [name, literally(value)]),
    );
    const container = {
      image,
      mode: "SingleModel",
      modelDataUrl: `s3://${artifact.bucket}/${artifact.key}`,
      environment: { ...containerEnvironment(props.region), ...literal },
    };
    const { sha256 } = artifact;
    const release = fingerprint({ ...container, ...(sha256 !== undefined && { sha256 }) });
    const suffix = id === undefined ? "" : `_${id}`;
    const model = new SagemakerModel(this, `model${suffix}`, {
      name: `${props.modelName}-${release}`,
      executionRoleArn: this.role.arn,
      container: [container],
      // All that the model needs is in its artifact; Serverless Inference refuses it.
      enableNetworkIsolation: serverless ? undefined : true,
      lifecycle,
      dependsOn: [this.policy],
    });
    const variant = {
      variantName: props.variantName,
      ...(serverless
        ? {
            serverlessConfig: {
              memorySizeInMb: 1024 * serverless.memoryGigabytes,
              maxConcurrency: serverless.maxConcurrency,
            },
          }
        : { instanceType, initialInstanceCount: props.instanceCount }),
      initialVariantWeight: 1,
    };
    const { dataCapture } = props;
    const captureContentTypeHeader = capturedAsText(props.contract);
    const captured = dataCapture && { dataCapture, captureContentTypeHeader };
    const configuration = new SagemakerEndpointConfiguration(this, `configuration${suffix}`, {
      name: `${props.endpointConfigurationName}-${fingerprint({ release, ...variant, ...captured })}`,
      productionVariants: [{ ...variant, modelName: model.name }],
      dataCaptureConfig: dataCapture && {
        enableCapture: true,
        destinationS3Uri: dataCapture.s3Uri,
        initialSamplingPercentage: dataCapture.samplingPercentage,
        captureOptions: [{ captureMode: "Input" }, { captureMode: "Output" }],
        captureContentTypeHeader,
      },
      lifecycle,
    });
    return { model, configuration, release };
  }

  /** Rings at once where the model fails, so that an update is taken back while the old instances are there. */
  private rollbackAlarm() {
    return new CloudwatchMetricAlarm(this, "rollback_alarm", {
      alarmName: `${this.props.endpointName}-rollback`,
      alarmDescription: alarmText(
        "The model's container answers with 5xx: SageMaker takes back the update that is on its way.",
        "The endpoint's log says why. Where no update is on its way, nothing is taken back.",
        "rollback",
      ),
      namespace: "AWS/SageMaker",
      metricName: "Invocation5XXErrors",
      statistic: "Sum",
      dimensions: { EndpointName: this.props.endpointName, VariantName: this.props.variantName },
      comparisonOperator: "GreaterThanOrEqualToThreshold",
      threshold: 1,
      period: 60,
      evaluationPeriods: 1,
      treatMissingData: "notBreaching", // nothing happened
    });
  }

  /** Lets its holder ask the model. */
  invoke(): Access {
    return allow(["sagemaker:InvokeEndpoint"], this.endpointArn, {
      ...askedBy(this.endpointName, this.props),
      MODEL_RELEASE: this.release,
    });
  }
}

const fingerprint = (value: object) => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 8);

/**
 * How SageMaker puts new instances in the place of the old: one at first, where there are two or more. A canary may be at
 * most half of them (https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-canary.html).
 */
function deploymentConfig(alarm: CloudwatchMetricAlarm, instanceCount: number): SagemakerEndpointDeploymentConfig {
  const oneAtFirst = { type: "CANARY", canarySize: { type: "INSTANCE_COUNT", value: 1 } };
  return {
    autoRollbackConfiguration: { alarms: [{ alarmName: alarm.alarmName }] },
    blueGreenUpdatePolicy: {
      trafficRoutingConfiguration: {
        ...(instanceCount >= 2 ? oneAtFirst : { type: "ALL_AT_ONCE" }),
        waitIntervalInSeconds: bakingSeconds,
      },
      terminationWaitInSeconds: bakingSeconds,
    },
  };
}

/**
 * The content types of calls and answers that SageMaker keeps as text; all others it encodes by Base64
 * (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CaptureContentTypeHeader.html).
 */
function capturedAsText(contract: ModelContract) {
  const { contentType, accept } = wireFormatOf(contract);
  const used = [...new Set([contentType, accept, "application/json"])];
  const csvContentTypes = used.filter((type) => type === "text/csv");
  return {
    jsonContentTypes: used.filter((type) => /^application\/json(lines)?$/.test(type)),
    ...(csvContentTypes.length > 0 && { csvContentTypes }),
  };
}

const mayWatch = (alarm: CloudwatchMetricAlarm): PolicyStatement => ({
  actions: ["cloudwatch:DescribeAlarms"],
  resources: [alarm.arn],
});

/** What the container's role needs to write samples under an S3 prefix. */
function mayCapture(s3Uri: string, region: string): PolicyStatement {
  return { actions: ["s3:PutObject"], resources: [`${s3Uri.replace("s3://", arnIn(region, "s3:::"))}/*`] };
}

/** The ARN of an image's repository: `<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>`. */
export function repositoryArn(image: string): string {
  const [, account, region, repository] =
    /^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.[^/]+\/([^:@]+)/.exec(image) ?? [];
  if (region === undefined) throw new Error(`image must be an image in Amazon ECR, got ${image}`);
  return arnIn(region, `ecr:${region}:${account}:repository/${repository}`);
}
