import { ApiGatewayMethodSettings } from "@cdktf/provider-aws/lib/api-gateway-method-settings";
import { ApiGatewayStage } from "@cdktf/provider-aws/lib/api-gateway-stage";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { PredictionApi, type PredictionApiProps } from "../../constructs/prediction-api";
import { inventoryOf, onlyResource, resourcesOf, synth } from "../setup/synth";

const predictionApi = (props: Partial<PredictionApiProps> = {}) =>
  synth(
    (scope) =>
      new PredictionApi(scope, "api", {
        name: "team-api",
        description: "Predictions",
        functionName: "team-api-function",
        roleName: "team-api-role",
        bundle: "dist/api",
        stageName: "dev",
        authorization: "AWS_IAM",
        throttle: { ratePerSecond: 50, burst: 100 },
        logRetentionDays: 30,
        uses: [],
        ...props,
      }),
  );
const ofType = (json: string, type: string) =>
  resourcesOf(json).flatMap((resource) => (resource.type === type ? [resource.attributes] : []));

test("has the original's routes, a way to ask for a prediction, and those of jobs", () => {
  const json = predictionApi();
  expect(ofType(json, "aws_api_gateway_resource").map(({ path_part }) => path_part)).toEqual([
    "jobs",
    "{id}",
    "cancel",
    "predict",
    "{id}",
    "{proxy+}",
  ]);
  const routes = ofType(json, "aws_api_gateway_method").map(({ http_method, resource_id }) => [
    http_method,
    resource_id,
  ]);
  expect(routes).toEqual(
    expect.arrayContaining([
      ["GET", "${aws_api_gateway_resource.api_predict_id.id}"],
      ["POST", "${aws_api_gateway_resource.api_predict.id}"],
      ["GET", "${aws_api_gateway_resource.api_jobs.id}"],
      ["POST", "${aws_api_gateway_resource.api_jobs.id}"],
      ["GET", "${aws_api_gateway_resource.api_jobs_id.id}"],
      ["POST", "${aws_api_gateway_resource.api_jobs_id_cancel.id}"],
      ["ANY", "${aws_api_gateway_resource.api_proxy.id}"],
    ]),
  );
});

test("is described to the letter", () => {
  const [api] = ofType(predictionApi({ description: "Asks ${nobody}" }), "aws_api_gateway_rest_api");
  expect(api?.description).toBe("Asks $${nobody}");
});

test("every route reaches the function", () => {
  const json = predictionApi();
  const { aws_api_gateway_method: methods, aws_api_gateway_integration: integrations } = inventoryOf(json);
  expect(integrations).toBe(methods);
  for (const integration of ofType(json, "aws_api_gateway_integration")) {
    expect(integration).toMatchObject({
      type: "AWS_PROXY",
      integration_http_method: "POST",
      uri: "${aws_lambda_function.api_handler_function.invoke_arn}",
    });
  }
  expect(json).toHaveResourceWithProperties(LambdaPermission, {
    principal: "apigateway.amazonaws.com",
    source_arn: "${aws_api_gateway_rest_api.api_rest_api.execution_arn}/dev/*",
  });
});

test.each(["AWS_IAM", "NONE"] as const)("every route asks for the authorization %s", (authorization) => {
  const asked = ofType(predictionApi({ authorization }), "aws_api_gateway_method").map(
    (method) => method.authorization,
  );
  expect(new Set(asked)).toEqual(new Set([authorization]));
});

test("limits how much is asked of it", () => {
  expect(predictionApi({ throttle: { ratePerSecond: 7, burst: 9 } })).toHaveResourceWithProperties(
    ApiGatewayMethodSettings,
    { method_path: "*/*", settings: { throttling_rate_limit: 7, throttling_burst_limit: 9 } },
  );
});

test("logs who asked for what, and no body", () => {
  const json = predictionApi();
  expect(json).toHaveResourceWithProperties(ApiGatewayStage, {
    stage_name: "dev",
    access_log_settings: {
      destination_arn: "${aws_cloudwatch_log_group.api_access_log.arn}",
      format: expect.stringContaining('"status":"$context.status"'),
    },
  });
});

test("is deployed anew when its routes change, the stage staying", () => {
  const triggers = (json: string) => onlyResource(json, "aws_api_gateway_deployment").attributes.triggers;
  expect(triggers(predictionApi())).toEqual(triggers(predictionApi({ description: "Other words" })));
  expect(triggers(predictionApi())).not.toEqual(triggers(predictionApi({ authorization: "NONE" })));
  expect(onlyResource(predictionApi(), "aws_api_gateway_deployment").attributes).toMatchObject({
    lifecycle: { create_before_destroy: true },
    depends_on: expect.arrayContaining(["aws_api_gateway_integration.api_get_predict_id_integration"]),
  });
});
