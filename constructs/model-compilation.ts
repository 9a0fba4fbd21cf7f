import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { Construct } from "constructs";
import { imageFor, imageRegions } from "../aws/model-images";
import { arnIn } from "../aws/partitions";
import { encrypt, policyDocument, trustPolicy } from "./access";
import { repositoryArn } from "./model-endpoint";

export interface ModelCompilationProps {
  readonly region: string;
  /** The account: nobody else's jobs take on the role. */
  readonly account: string;
  readonly roleName: string;
  /** The ARN of the bucket of the model artifacts. */
  readonly bucketArn: string;
  /** The KMS key that the bucket encrypts with. @default S3's own */
  readonly kmsKeyArn?: string;
}

/** What SageMaker may do while it compiles a model: read it from the bucket, and write there what it has made. */
export class ModelCompilation extends Construct {
  readonly role: IamRole;

  constructor(
    scope: Construct,
    id: string,
    { region, account, roleName, bucketArn, kmsKeyArn }: ModelCompilationProps,
  ) {
    super(scope, id);
    const families = imageRegions.includes(region) ? (["inf1", "inf2"] as const) : [];
    const logGroups = ["CompilationJobs", "ProcessingJobs"].map((group) =>
      arnIn(region, `logs:${region}:*:log-group:/aws/sagemaker/${group}`),
    );
    this.role = new IamRole(this, "role", {
      name: roleName,
      assumeRolePolicy: trustPolicy("sagemaker.amazonaws.com", account),
    });
    new IamRolePolicy(this, "policy", {
      name: "model-compilation",
      role: this.role.name,
      policy: policyDocument([
        { actions: ["s3:GetBucketLocation", "s3:ListBucket"], resources: [bucketArn] },
        { actions: ["s3:GetObject", "s3:PutObject"], resources: [`${bucketArn}/compiled/*`] },
        ...encrypt(kmsKeyArn),
        {
          actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
          resources: families.map((family) => repositoryArn(imageFor(family, region))),
        },
        { actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
        {
          actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
          resources: logGroups.flatMap((group) => [group, `${group}:*`]),
        },
        {
          actions: ["cloudwatch:PutMetricData"],
          resources: ["*"],
          condition: { StringEquals: { "cloudwatch:namespace": "/aws/sagemaker/ProcessingJobs" } },
        },
      ]),
    });
  }
}
