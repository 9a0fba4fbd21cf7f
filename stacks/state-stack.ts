import { TerraformOutput } from "cdktf";
import type { Construct } from "constructs";
import { arnIn } from "../aws/partitions";
import type { Environment, Shared } from "../config";
import { ReadableStack } from "../constructs/addresses";
import { ApiGatewayLogging } from "../constructs/api-gateway-logging";
import { type DeployedEnvironment, GitHubAccess } from "../constructs/github-access";
import { ModelCompilation } from "../constructs/model-compilation";
import { VersionedBucket } from "../constructs/versioned-bucket";
import { contractKey } from "../contract/model-contract";
import { useAws } from "./aws";
import { renamed, writeMoves } from "./moved";

/** How long it is known who asked for what in the buckets of state and models. */
const accessLogDays = 365;

/**
 * What an account has once, deployed before anything else: the buckets for Terraform's state and for the models with
 * their access log, what SageMaker compiles these as, what API Gateway writes logs as, and who may deploy from GitHub.
 */
export class StateStack extends ReadableStack {
  constructor(scope: Construct, id: string, shared: Shared) {
    super(scope, id);
    const { account } = useAws(this, shared, shared.tags, "state/terraform.tfstate");
    const { github, region, prefix, stateBucket, modelBucket, kmsKeyArn } = shared;

    const logFolders = { state: "state/", models: "models/" };
    const bucket = new VersionedBucket(this, "access_logs", {
      bucket: shared.logBucket,
      shortLived: Object.fromEntries(Object.values(logFolders).map((folder) => [folder, accessLogDays])),
      logs: { account, bucketArns: [stateBucket, modelBucket].map((name) => arnIn(region, `s3:::${name}`)) },
    });
    const state = new VersionedBucket(this, "state", {
      bucket: stateBucket,
      kmsKeyArn,
      accessLog: { bucket, folder: logFolders.state },
    });
    const models = new VersionedBucket(this, "models", {
      bucket: modelBucket,
      kmsKeyArn,
      deletable: contractKey("*"),
      accessLog: { bucket, folder: logFolders.models },
    });
    const compilation = new ModelCompilation(this, "model_compilation", {
      region,
      account,
      roleName: `${prefix}-model-compilation`,
      bucketArn: models.bucket.arn,
      kmsKeyArn,
    });
    if (shared.apiGatewayRole) {
      new ApiGatewayLogging(this, "api_gateway_logging", { region, roleName: shared.apiGatewayRoleName });
    }

    const access =
      github &&
      new GitHubAccess(this, "github", {
        ...github,
        project: { account: github.account, region, prefix, stateBucket, modelBucket, stateKmsKeyArn: kmsKeyArn },
        environments: github.environments.map(deployed),
      });

    writeMoves(this, renamed.state);

    const outputs = {
      state_bucket_name: state.bucket.id,
      model_bucket_name: models.bucket.id,
      model_compilation_role_arn: compilation.role.arn,
      ...(access && { github_plan_role_arn: access.planRole.arn }),
      ...Object.fromEntries(
        [...(access?.deployRoles ?? [])].map(([name, { arn }]) => [`github_deploy_role_arn_${name}`, arn]),
      ),
    };
    for (const [name, value] of Object.entries(outputs)) new TerraformOutput(this, name, { value });
  }
}

/** What a workflow may deploy of an environment, and what its roles reach beside. */
function deployed(environment: Environment): DeployedEnvironment {
  const { features, model, access, keyPair } = environment;
  const served = model.endpoint ? [] : [model, ...(model.previous ? [model.previous] : [])];
  const dataCapture = model.endpoint ? undefined : model.dataCapture;
  const written = [features ? features.offlineStoreS3Uri : undefined, dataCapture?.s3Uri];
  return {
    ...environment,
    artifactBuckets: served.map(({ artifact }) => artifact.bucket),
    written: written.filter((uri) => uri !== undefined),
    endpoint: model.endpoint?.existing,
    bastionKeyPair: access.bastion ? keyPair?.name : undefined,
  };
}
