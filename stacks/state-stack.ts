import { TerraformOutput } from "cdktf";
import type { Construct } from "constructs";
import type { Shared } from "../config";
import { ReadableStack } from "../constructs/addresses";
import { ApiGatewayLogging } from "../constructs/api-gateway-logging";
import { VersionedBucket } from "../constructs/versioned-bucket";
import { useAws } from "./aws";
import { renamed, writeMoves } from "./moved";

/** What an account has once, deployed before anything else: the buckets for Terraform's state and for the models. */
export class StateStack extends ReadableStack {
  constructor(scope: Construct, id: string, shared: Shared) {
    super(scope, id);
    useAws(this, shared, shared.tags, "state/terraform.tfstate");

    const state = new VersionedBucket(this, "state", { bucket: shared.stateBucket });
    const models = new VersionedBucket(this, "models", { bucket: shared.modelBucket });
    new ApiGatewayLogging(this, "api_gateway_logging", { roleName: `${shared.prefix}-api-gateway-logging` });

    writeMoves(this, renamed.state);

    new TerraformOutput(this, "state_bucket_name", { value: state.bucket.id });
    new TerraformOutput(this, "model_bucket_name", { value: models.bucket.id });
  }
}
