import { ApiGatewayDeployment } from "@cdktf/provider-aws/lib/api-gateway-deployment";
import { ApiGatewayIntegration } from "@cdktf/provider-aws/lib/api-gateway-integration";
import { ApiGatewayMethod } from "@cdktf/provider-aws/lib/api-gateway-method";
import { ApiGatewayMethodSettings } from "@cdktf/provider-aws/lib/api-gateway-method-settings";
import { ApiGatewayResource } from "@cdktf/provider-aws/lib/api-gateway-resource";
import { ApiGatewayRestApi } from "@cdktf/provider-aws/lib/api-gateway-rest-api";
import { ApiGatewayStage } from "@cdktf/provider-aws/lib/api-gateway-stage";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { Fn } from "cdktf";
import { Construct } from "constructs";
import { limits } from "../aws/limits";
import { type Access, literally } from "./access";
import { NodeFunction } from "./node-function";

export interface PredictionApiProps {
  readonly name: string;
  readonly description: string;
  readonly functionName: string;
  readonly roleName: string;
  readonly bundle: string;
  readonly stageName: string;
  /** `NONE` opens the API to everybody who knows its URL. */
  readonly authorization: "AWS_IAM" | "NONE";
  /** Reading is let through only as fast as Redshift's Data API takes it, where that is less. */
  readonly throttle: {
    /** Requests a second that are let through over time. */
    readonly ratePerSecond: number;
    /** Requests that are let through at once. */
    readonly burst: number;
  };
  readonly logRetentionDays: number;
  /** The KMS key that its logs are encrypted with. @default CloudWatch Logs' own */
  readonly kmsKeyArn?: string;
  /** All that the function behind the API may do, and all that it is told. */
  readonly uses: Access[];
}

const { executeStatementPerSecond, describeStatementPerSecond, getStatementResultPerSecond } = limits.redshiftData;

/** What a GET asks of the Data API: it runs a statement, waits for it, rarely more than three times, and reads the result. */
const readsPerSecond = Math.floor(
  Math.min(executeStatementPerSecond, describeStatementPerSecond / 3, getStatementResultPerSecond),
);

/**
 * The REST API in front: asks for predictions, answers with stored ones, and starts, shows and cancels jobs. One function
 * answers every route.
 */
export class PredictionApi extends Construct {
  readonly restApi: ApiGatewayRestApi;
  readonly stage: ApiGatewayStage;
  readonly function: NodeFunction;
  private readonly authorization: string;
  /** What a caller can notice of the routes: a change in it makes a new deployment. */
  private readonly routes: string[] = [];
  private readonly integrations: ApiGatewayIntegration[] = [];

  constructor(scope: Construct, id: string, props: PredictionApiProps) {
    super(scope, id);
    const { stageName, throttle, logRetentionDays, kmsKeyArn } = props;
    this.authorization = props.authorization;

    this.function = new NodeFunction(this, "handler", {
      functionName: props.functionName,
      roleName: props.roleName,
      bundle: props.bundle,
      memoryMegabytes: 256,
      timeoutSeconds: 29, // as long as API Gateway waits
      logRetentionDays,
      kmsKeyArn,
      uses: props.uses,
    });
    this.restApi = new ApiGatewayRestApi(this, "rest_api", {
      name: props.name,
      description: literally(props.description),
      endpointConfiguration: { types: ["REGIONAL"] },
    });

    this.makeRoutes(this.restApi.rootResourceId);
    const deployment = new ApiGatewayDeployment(this, "deployment", {
      restApiId: this.restApi.id,
      triggers: { routes: Fn.sha1(this.routes.join()) },
      lifecycle: { createBeforeDestroy: true },
      dependsOn: this.integrations,
    });
    const accessLog = new CloudwatchLogGroup(this, "access_log", {
      name: `/aws/apigateway/${props.name}`,
      retentionInDays: logRetentionDays,
      kmsKeyId: kmsKeyArn,
    });
    this.stage = new ApiGatewayStage(this, "stage", {
      restApiId: this.restApi.id,
      deploymentId: deployment.id,
      stageName,
      accessLogSettings: { destinationArn: accessLog.arn, format: JSON.stringify(accessLogFormat) },
    });
    this.limit(throttle);
    new LambdaPermission(this, "invoke_permission", {
      functionName: this.function.function.functionName,
      action: "lambda:InvokeFunction",
      principal: "apigateway.amazonaws.com",
      sourceArn: `${this.restApi.executionArn}/${stageName}/*`,
    });
  }

  private makeRoutes(root: string) {
    const predict = this.resource("predict", root, "predict");
    const predictId = this.resource("predict_id", predict, "{id}");
    const jobs = this.resource("jobs", root, "jobs");
    const jobsId = this.resource("jobs_id", jobs, "{id}");
    const jobsIdCancel = this.resource("jobs_id_cancel", jobsId, "cancel");
    const proxy = this.resource("proxy", root, "{proxy+}");
    this.route("get_predict_id", predictId, "GET");
    this.route("post_predict", predict, "POST");
    this.route("get_jobs", jobs, "GET");
    this.route("post_jobs", jobs, "POST");
    this.route("get_jobs_id", jobsId, "GET");
    this.route("post_jobs_id_cancel", jobsIdCancel, "POST");
    // Whatever else is asked for reaches the function too, which says that there is no such thing.
    this.route("any_predict_id", predictId, "ANY");
    this.route("any_predict", predict, "ANY");
    this.route("any_jobs", jobs, "ANY");
    this.route("any_jobs_id", jobsId, "ANY");
    this.route("any_jobs_id_cancel", jobsIdCancel, "ANY");
    this.route("any_proxy", proxy, "ANY");
    this.route("any_root", root, "ANY");
  }

  private resource(id: string, parentId: string, pathPart: string): string {
    const resource = new ApiGatewayResource(this, id, { restApiId: this.restApi.id, parentId, pathPart });
    return resource.id;
  }

  /** Lets through what is allowed of all methods, and of what reads the warehouse no more than that takes. */
  private limit({ ratePerSecond, burst }: PredictionApiProps["throttle"]) {
    const everyMethod = new ApiGatewayMethodSettings(this, "throttle", {
      restApiId: this.restApi.id,
      stageName: this.stage.stageName,
      methodPath: "*/*",
      settings: { throttlingRateLimit: ratePerSecond, throttlingBurstLimit: burst },
    });
    // A nested path has ~1 for a slash: https://github.com/hashicorp/terraform-provider-aws/issues/9738
    new ApiGatewayMethodSettings(this, "read_throttle", {
      restApiId: this.restApi.id,
      stageName: this.stage.stageName,
      methodPath: "~1predict~1{id}/GET",
      settings: {
        throttlingRateLimit: Math.min(ratePerSecond, readsPerSecond),
        throttlingBurstLimit: Math.min(burst, readsPerSecond),
      },
      dependsOn: [everyMethod], // two changes of one stage at once would be refused
    });
  }

  private route(id: string, resourceId: string, httpMethod: string) {
    const method = new ApiGatewayMethod(this, id, {
      restApiId: this.restApi.id,
      resourceId,
      httpMethod,
      authorization: this.authorization,
    });
    const integration = new ApiGatewayIntegration(this, `${id}_integration`, {
      restApiId: this.restApi.id,
      resourceId,
      httpMethod: method.httpMethod,
      type: "AWS_PROXY",
      integrationHttpMethod: "POST", // what Lambda is called with, whatever the route's method
      uri: this.function.function.invokeArn,
    });
    this.routes.push(resourceId, httpMethod, this.authorization, this.function.function.invokeArn);
    this.integrations.push(integration);
  }
}

/** Who asked for what and how it went; never a body or a query. */
const accessLogFormat = {
  requestId: "$context.requestId",
  time: "$context.requestTime",
  sourceIp: "$context.identity.sourceIp",
  caller: "$context.identity.userArn",
  method: "$context.httpMethod",
  path: "$context.path",
  status: "$context.status",
  responseMilliseconds: "$context.responseLatency",
  error: "$context.error.message",
};
