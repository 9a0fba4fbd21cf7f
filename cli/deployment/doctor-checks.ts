import { APIGatewayClient, GetAccountCommand } from "@aws-sdk/client-api-gateway";
import { GetAccountSettingsCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { DescribeEndpointCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import {
  paginateListAWSDefaultServiceQuotas,
  paginateListServiceQuotas,
  type ServiceQuota,
  ServiceQuotasClient,
} from "@aws-sdk/client-service-quotas";
import { z } from "zod";
import { imageRegions, outOfPatch } from "../../aws/model-images";
import { loadConfig } from "../../config";
import { hoursInWords, isWithinHours } from "../../config/hours";
import { instanceRange } from "../../config/model";
import { pausedFile, pauseInWords } from "../../config/paused";
import { placeholders } from "../../config/starter";
import { engines } from "../../package.json";
import { clientSettings, within } from "../../pipeline/clients";
import { longestRun } from "../../pipeline/lambda";
import { oldestTerraform } from "../../stacks/terraform-version";
import { ModelBucket } from "../model/model-bucket";
import { imageDigest } from "../model/model-image";
import { compiledOn } from "../model/model-jobs";
import { recipeFor } from "../model/model-recipes";
import { awsError, isNotFound, isSignInFailure, namingActions, withClient } from "../shared/aws-error";
import { type Connection, connect, type Target, targetOf } from "../shared/connection";
import { check, type Finding, messageOf, ok, problem, warning } from "../shared/findings";
import { type ConnectionOptions, commandsFor } from "../shared/options";
import { terraform } from "../shared/terraform";
import { StateBucket } from "../state/state-bucket";
import { tryOut } from "./canary";
import { Cluster } from "./cluster";
import { credentials } from "./credentials";
import { isOnItsWay } from "./endpoint";

/** What a part of the examination found. */
export interface Examined extends Finding {
  readonly group: "Configuration" | "Account" | "Tools" | "Deployment" | "Local mode";
  /** What was looked at, as programs name it. */
  readonly check: string;
}

type Looks = readonly (readonly [check: string, look: () => Promise<Finding>])[];

const bootstrap = commandsFor({})("bootstrap");

/** Bounds a call at some ten seconds. */
const settings = clientSettings({ requestTimeout: 4_000, maxAttempts: 2 });
/** The longest that the pages of SageMaker's quotas may take, of which there are more than twenty, in milliseconds. */
const quotasTime = 30_000;
/**
 * Looks at all that an environment needs, all at once. Never throws: what cannot be looked at is a finding too.
 * @param canary whether loader and writer try out the warehouse too @default false
 */
export async function examineEnvironment(options: ConnectionOptions, canary = false): Promise<Examined[]> {
  let target: Target;
  try {
    target = targetOf(options);
  } catch (error) {
    const configuration: Looks = [["configuration", async () => problem(messageOf(error))]];
    return options.local
      ? lookedAt("Local mode", configuration)
      : [...(await lookedAt("Configuration", configuration)), ...(await lookedAt("Tools", tools))];
  }
  const connection = connect(options, settings);
  const deployed: Looks = [
    ["pipeline", onAws("The pipeline", () => pipeline(connection))],
    ["endpoint", onAws("The endpoint", () => endpoint(target, connection))],
    ...(options.local ? [] : [["pause", onAws("The cluster", () => pauseOf(target, connection))] as const]),
    ...(canary ? [["canary", onAws("The warehouse", () => canaryOf(connection))] as const] : []),
  ];
  if (options.local) return lookedAt("Local mode", deployed);
  const { model } = target.environment;
  const quotas = model.endpoint
    ? undefined
    : sagemakerQuotas([
        model.serverless ? serverlessConcurrency : ofEndpoints(model.instanceType),
        ofProcessingJobs(compiledOn),
      ]);
  const groups = await Promise.all([
    lookedAt("Account", [
      ["credentials", () => credentials(target.shared, settings)],
      ["region", async () => region(target, options)],
      ["instance-quota", onAws("The quota of instances", () => instanceQuota(target, quotas))],
      ["compiling-quota", onAws("The quota for compiling", () => compilingQuota(target, quotas))],
      ["lambda-concurrency", onAws("The concurrency of Lambda", () => lambdaConcurrency(target))],
      ["api-gateway-role", onAws("API Gateway's role", () => apiGatewayRole(target))],
    ]),
    lookedAt("Tools", tools),
    lookedAt("Deployment", [
      ["state-bucket", onAws("The state bucket", () => stateBucket(target))],
      ["model-artifact", onAws("The model artifact", () => modelArtifact(target))],
      ["image-patches", async () => imagePatches(target)],
      ...(model.endpoint ? [] : [["image-digest", onAws("The image", () => imageNow(target, model.image))] as const]),
      ...deployed,
    ]),
  ]);
  return groups.flat();
}

const lookedAt = (group: Examined["group"], looks: Looks): Promise<Examined[]> =>
  Promise.all(looks.map(async ([name, look]) => ({ group, check: name, ...(await check(look)) })));

/** A look for which somebody must be signed in; that nobody is, is the problem of `credentials` alone. */
const onAws = (what: string, look: () => Promise<Finding>) => (): Promise<Finding> =>
  look().catch((error: unknown) => {
    if (isSignInFailure(error)) return warning(`${what} was not looked at: nobody is signed in.`);
    throw error;
  });

const tools: Looks = [
  ["terraform", terraformTool],
  ["node", async () => nodeTool()],
];

function region({ shared, environment }: Target, options: ConnectionOptions): Finding {
  const { region } = shared;
  const configured = loadConfig().shared.region;
  if (options.region !== undefined && region !== configured) {
    return warning(
      `The region is ${region}, by --region, and config.ts deploys to ${configured}.`,
      "Leave --region out to look at what config.ts deploys.",
    );
  }
  const text = `The region is ${region}, by ${options.region === undefined ? regionSource() : "--region"}`;
  if (imageRegions.includes(region)) return ok(`${text}. AWS has images for models there.`);
  return ok(`${text}. AWS has no images for models there; the environment's own is ${environment.model.image}.`);
}

/** What says which region config.ts deploys to. */
function regionSource(): string {
  try {
    loadConfig(undefined, {});
    return "config.ts";
  } catch {
    return "AWS_REGION"; // config.ts names none
  }
}

/** What SageMaker calls its quotas of an instance type. */
const ofEndpoints = (instanceType: string) => `${instanceType} for endpoint usage`;
const serverlessConcurrency = "Maximum total concurrency that can be allocated across all serverless endpoints";
const ofProcessingJobs = (instanceType: string) => `${instanceType} for processing job usage`;

type Quotas = ReadonlyMap<string, ServiceQuota>;

async function instanceQuota(target: Target, quotas?: Promise<Quotas>): Promise<Finding> {
  const { model } = target.environment;
  if (model.endpoint) return ok(`No instance is asked for: the endpoint ${model.endpoint.existing} is not made here.`);
  const { instanceType, serverless } = model;
  if (serverless) return callsQuota(target, serverless.maxConcurrency, quotas);
  const { max } = instanceRange(model);
  const name = ofEndpoints(instanceType);
  const quota = (await quotas)?.get(name);
  if (quota?.Value === undefined) {
    return unknownQuota(name, target, "`model.instanceType` in config.ts says what is taken.");
  }
  const { Value: value, QuotaCode: code = "" } = quota;
  const allowed = `SageMaker allows ${countOf(value, "instance")} of ${instanceType} for endpoints`;
  const twice = 2 * max; // https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
  const ask = `Ask AWS for more, which may take days: ${requestOf(target, "sagemaker", code, twice)}`;
  if (value < max) return problem(`${allowed}, and this one needs ${max}.`, ask);
  if (value < twice) {
    return warning(`${allowed}: enough for this one to start, and not for an update, which takes ${twice}.`, ask);
  }
  return ok(`${allowed}: this one takes ${max}, and ${twice} while it is updated.`);
}

/** All serverless endpoints of an account share one quota of calls, ten in a new account. */
async function callsQuota(target: Target, calls: number, quotas?: Promise<Quotas>): Promise<Finding> {
  const { Value: value, QuotaCode: code = "" } = (await quotas)?.get(serverlessConcurrency) ?? {};
  if (value === undefined) {
    return unknownQuota(serverlessConcurrency, target, "`model.maxConcurrency` in config.ts says what is taken.");
  }
  const allowed = `SageMaker allows ${countOf(value, "call")} at once of all serverless endpoints together`;
  if (value >= calls) return ok(`${allowed}: this one takes ${calls}.`);
  return problem(
    `${allowed}, and this one takes ${calls} (\`model.maxConcurrency\`).`,
    `Ask AWS for more, which may take days: ${requestOf(target, "sagemaker", code, calls)}`,
  );
}

async function compilingQuota(target: Target, quotas?: Promise<Quotas>): Promise<Finding> {
  const { model } = target.environment;
  if (model.endpoint) return ok(`No model is compiled: the endpoint ${model.endpoint.existing} is not made here.`);
  if (recipeFor(model.instanceType) === undefined) {
    const runs = model.serverless ? "Serverless Inference" : model.instanceType;
    return ok(`No model is compiled: ${runs} runs it as it is.`);
  }
  const name = ofProcessingJobs(compiledOn);
  const quota = (await quotas)?.get(name);
  if (quota?.Value === undefined) {
    return unknownQuota(
      name,
      target,
      `\`${commandsFor({ env: target.environment.name })("model release ARCHIVE")}\` takes what was compiled elsewhere.`,
    );
  }
  const { Value: value, QuotaCode: code = "" } = quota;
  const allowed = `SageMaker allows ${countOf(value, "instance")} of ${compiledOn} for processing jobs`;
  if (value >= 1) return ok(`${allowed}: to compile a model takes one.`);
  const isReleased = model.id !== undefined;
  return (isReleased ? warning : problem)(
    `${allowed}, and to compile a model takes one.`,
    `Ask AWS for more, which may take days: ${requestOf(target, "sagemaker", code, 1)}`,
  );
}

const unknownQuota = (name: string, { shared: { region } }: Target, more: string) =>
  warning(
    `Service Quotas knows no "${name}" in ${region}: SageMaker may not have such instances there.`,
    `https://aws.amazon.com/sagemaker/pricing/ lists what each region has. ${more}`,
  );

const countOf = (count: number, thing: string) => `${count} ${thing}${count === 1 ? "" : "s"}`;

/** Quotas of SageMaker's by their names: as they are for the account or, where nobody has ever changed one, for all. */
async function sagemakerQuotas(names: readonly string[]): Promise<Quotas> {
  const query = { ServiceCode: "sagemaker", MaxResults: 100 };
  const { signal: abortSignal } = within(quotasTime);
  const found = new Map<string, ServiceQuota>();
  return withClient(new ServiceQuotasClient(settings), "list the quotas of SageMaker", async (client) => {
    for (const paginate of [paginateListServiceQuotas, paginateListAWSDefaultServiceQuotas]) {
      for await (const { Quotas = [] } of paginate({ client }, query, { abortSignal })) {
        for (const quota of Quotas) {
          const { QuotaName: name = "" } = quota;
          if (names.includes(name) && !found.has(name)) found.set(name, quota);
        }
        if (found.size === names.length) return found;
      }
    }
    return found;
  });
}

/** What asks AWS for a higher quota. */
function requestOf({ shared: { region, profile } }: Target, service: string, quota: string, value: number): string {
  const who = profile === undefined ? "" : ` --profile ${profile}`;
  return `aws service-quotas request-service-quota-increase --service-code ${service} --quota-code ${quota} --desired-value ${value} --region ${region}${who}`;
}

/** "Concurrent executions", of which a new account has fewer: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const concurrentExecutions = { code: "L-B99A9384", usual: 1_000 };

async function lambdaConcurrency(target: Target): Promise<Finding> {
  const { inference, api } = target.environment;
  return withClient(new LambdaClient(settings), "read the settings of Lambda", async (client) => {
    const { AccountLimit = {} } = await client.send(new GetAccountSettingsCommand());
    const { ConcurrentExecutions: all = 0, UnreservedConcurrentExecutions: free = all } = AccountLimit;
    const { burst } = api.throttle;
    const busy = inference.maximumConcurrency + 1;
    const those = `${countOf(inference.maximumConcurrency, "worker")} and the loader`;
    const wanted = Math.max(concurrentExecutions.usual, all - free + busy + burst);
    const raised = all < concurrentExecutions.usual ? "AWS raises it as a new account is used. " : "";
    const ask = `${raised}Ask AWS for more, which may take days: ${requestOf(target, "lambda", concurrentExecutions.code, wanted)}`;
    const allowed = `Lambda runs ${countOf(free, "function")} at once`;
    if (free <= busy) return problem(`${allowed}, and ${those} would leave none to the API.`, ask);
    if (free < busy + burst) {
      return warning(
        `${allowed}: ${those} leave ${free - busy} to the API, which lets ${burst} requests in at once.`,
        ask,
      );
    }
    return ok(`${allowed}: enough for ${those}, and ${burst} requests at the API.`);
  });
}

/** Of one role an account in a region: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html */
async function apiGatewayRole({ shared }: Target): Promise<Finding> {
  const { region, apiGatewayRole: isSet, apiGatewayRoleName: ours } = shared;
  return withClient(new APIGatewayClient(settings), "look at the role of API Gateway", async (client) => {
    const { cloudwatchRoleArn: role } = await client.send(new GetAccountCommand());
    if (role === undefined) {
      if (isSet) return ok(`API Gateway has no role to write access logs with. The stack state gives it ${ours}.`);
      return problem(
        `API Gateway has no role to write access logs with in ${region}, and AWS makes no API with such logs without one.`,
        `Give it one: leave \`apiGatewayRole: false\` out of config.ts, and ${bootstrap}.`,
      );
    }
    const writes = `API Gateway writes access logs as ${role}`;
    const isOurs = role.endsWith(`:role/${ours}`);
    if (isSet) {
      if (isOurs) return ok(`${writes}.`);
      return problem(
        `${writes}, for all APIs of this account in ${region}, and the stack state would put ${ours} in its place.`,
        "Leave it as it is, and this project's logs to it: `apiGatewayRole: false` in config.ts.",
      );
    }
    if (!isOurs) return ok(`${writes}, which \`apiGatewayRole: false\` leaves so.`);
    return warning(
      `${writes}, which the stack state takes away: \`apiGatewayRole\` is false.`,
      `Give API Gateway another first: aws apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN --region ${region}`,
    );
  });
}

const terraformSaid = z.object({ terraform_version: z.string() });

async function terraformTool(): Promise<Finding> {
  const install = `Install ${oldestTerraform} or newer: https://developer.hashicorp.com/terraform/install`;
  try {
    const { terraform_version: version } = terraformSaid.parse(JSON.parse(await terraform(".", ["version", "-json"])));
    if (isAtLeast(version, oldestTerraform)) return ok(`Terraform is ${version}; ${oldestTerraform} or newer will do.`);
    return problem(`Terraform is ${version}, which is too old for the stacks.`, install);
  } catch (error) {
    return problem(messageOf(error), install);
  }
}

function nodeTool(): Finding {
  const oldest = engines.node.replace(/^>=/, "");
  const { node } = process.versions;
  if (isAtLeast(node, oldest)) return ok(`Node.js is ${node}; ${oldest} or newer will do.`);
  return problem(`Node.js is ${node}, which is too old.`, `Install ${oldest} or newer: https://nodejs.org/en/download`);
}

function isAtLeast(version: string, oldest: string): boolean {
  const numbers = version.split(/[.-]/).map(Number);
  for (const [place, least] of oldest.split(".").map(Number).entries()) {
    const number = numbers[place] ?? 0;
    if (number !== least) return number > least;
  }
  return true;
}

async function stateBucket({ shared, environment }: Target): Promise<Finding> {
  const { stateBucket: bucket, region, profile } = shared;
  const state = new StateBucket({ bucket, key: environment.stateKey, region, profile }, settings);
  if (!(await state.exists())) {
    const isYours = bucket !== placeholders.stateBucket;
    return problem(
      `The state bucket ${bucket} does not exist.`,
      isYours
        ? `${bootstrap} makes it.`
        : `It is the placeholder that config.ts is shipped with: ${commandsFor({})("init")} asks for yours.`,
    );
  }
  const status = await state.versioning();
  if (status === "Enabled") return ok(`The state bucket ${bucket} is there, and versioned.`);
  return problem(`The state bucket ${bucket} is not versioned.`, `${bootstrap} sets it right.`);
}

async function modelArtifact({ shared, environment }: Target): Promise<Finding> {
  const { model } = environment;
  if (model.endpoint) return ok(`No model artifact is needed: the endpoint ${model.endpoint.existing} has its own.`);
  const { bucket: name, key } = model.artifact;
  const bucket = new ModelBucket(name, shared, settings);
  if (await bucket.exists(key)) return ok(`The model artifact is there: ${bucket.urlOf(key)}`);
  return problem(
    `The model artifact is not there: ${bucket.urlOf(key)}`,
    `${commandsFor({ env: environment.name })("model ship FOLDER")} makes one of a Hugging Face model and brings it there.`,
  );
}

function imagePatches({ environment: { model } }: Target): Finding {
  if (model.endpoint) return ok(`No image is chosen: the endpoint ${model.endpoint.existing} has its own.`);
  const ended = outOfPatch(model.image, new Date().toISOString().slice(0, 10));
  if (ended === undefined) return ok(`Nothing is known of an end of patches of the image ${model.image}`);
  return warning(`${ended}.`, "docs/your-model.md says what else serves a model, an image of your own among it.");
}

async function imageNow({ shared: { profile } }: Target, image: string): Promise<Finding> {
  const digest = await imageDigest(image, profile, settings);
  if (digest === undefined) return ok(`The image is named by its digest: ${image}`);
  return ok(`The tag of the image stands for ${digest} now. A release would keep to that.`);
}

async function pipeline(connection: Promise<Connection>): Promise<Finding> {
  const { environment, pipeline } = await connection;
  const { queueUrl, workerFunctionName, endpointName, featureGroup, warehouse } = pipeline;
  return {
    ...ok(`The pipeline is deployed, and ${environment.namesParameter} says where it is:`),
    details: [
      `queue          ${queueUrl}`,
      `worker         ${workerFunctionName}`,
      `endpoint       ${endpointName}`,
      `feature group  ${featureGroup?.name ?? "none: each request carries its features"}`,
      `warehouse      ${"clusterId" in warehouse ? warehouse.clusterId : warehouse.workgroupName}, database ${warehouse.databaseName}`,
    ],
  };
}

/** That nobody is signed in says nothing of the pipeline. */
function noneWhereNoPipeline(error: unknown): undefined {
  if (isSignInFailure(error)) throw error;
}

async function canaryOf(connection: Promise<Connection>): Promise<Finding> {
  const found = await connection.catch(noneWhereNoPipeline);
  if (found === undefined) return warning("The warehouse was not tried out: no pipeline was found.");
  const details: string[] = [];
  for (const functionName of [found.pipeline.loaderFunctionName, found.pipeline.writerFunctionName]) {
    try {
      details.push(...(await tryOut({ functionName }, within(longestRun))));
    } catch (error) {
      if (isSignInFailure(error)) throw error;
      const mend = `Answers that the warehouse does not take wait in S3. ${functionName} says more in its log: aws logs tail /aws/lambda/${functionName} --since 1h`;
      return problem(`The canary failed. ${messageOf(error)}`, mend);
    }
  }
  return { ...ok("The warehouse does what is asked of it:"), details };
}

/** Whether the cluster is paused exactly where paused.json, or the hours of the warehouse, say so. */
async function pauseOf({ environment }: Target, connection: Promise<Connection>): Promise<Finding> {
  const { name, pause, warehouse } = environment;
  const found = await connection.catch(noneWhereNoPipeline);
  if (found === undefined) return warning("The cluster was not looked at: no pipeline was found.");
  const { warehouse: at } = found.pipeline;
  if (!("clusterId" in at)) return ok("Nothing is paused: what is on demand costs next to nothing at rest.");
  const cluster = new Cluster(at.clusterId);
  const status = await cluster.status(within(quotasTime)).finally(() => cluster.close());
  const isAway = ["paused", "pausing"].includes(status);
  const is = `The cluster ${at.clusterId} is ${status}`;
  const command = commandsFor({ env: name });
  const resume = command("resume");
  if (pause) {
    if (isAway) return ok(`${is}, for ${pauseInWords(name, pause)}.`);
    return problem(
      `${is}, but ${pausedFile} says that ${pauseInWords(name, pause)}.`,
      `${command("pause")} goes on; ${resume} takes it back.`,
    );
  }
  if (!isAway) return ok(`${is}.`);
  const { hours } = warehouse;
  if (hours === undefined)
    return problem(
      `${is}, and ${pausedFile} does not say so.`,
      `${resume} brings it back. Or take paused.json as it was committed by who paused it.`,
    );
  if (!isWithinHours(hours, new Date())) return ok(`${is}, for its hours are ${hoursInWords(hours)}.`);
  return problem(`${is}, and its hours are ${hoursInWords(hours)}.`, `${resume} brings it back.`);
}

async function endpoint({ environment }: Target, connection: Promise<Connection>): Promise<Finding> {
  const existing = environment.model.endpoint?.existing;
  const found = await connection.catch(noneWhereNoPipeline);
  const name = existing ?? found?.pipeline.endpointName;
  if (name === undefined) return warning("The endpoint was not looked at: no pipeline was found.");
  const deploy = existing
    ? "`model.endpoint` in config.ts names it: ask whoever makes it, or name another."
    : commandsFor({})(`deploy inference-${environment.name}`);
  const { pause } = environment;
  const command = commandsFor({ env: environment.name });
  const resume = command("resume");
  const client = namingActions(new SageMakerClient(settings));
  try {
    const answer = await client.send(new DescribeEndpointCommand({ EndpointName: name }));
    const { EndpointStatus: status, FailureReason: reason } = answer;
    if (pause && existing === undefined) {
      const pauseIt = `${command("pause")} goes on; ${resume} takes it back.`;
      return problem(
        `The endpoint ${name} is ${status}, and paid for, but ${pausedFile} says that ${pauseInWords(environment.name, pause)}.`,
        pauseIt,
      );
    }
    if (status === "InService") return ok(`The endpoint ${name} is in service.`);
    if (isOnItsWay(answer)) {
      const watch = command("status --watch");
      return warning(`The endpoint ${name} is ${status}.`, `${watch} shows when it is done.`);
    }
    return problem(
      `The endpoint ${name} is ${status}.${reason ? ` SageMaker says: ${reason}` : ""}`,
      `Its log says more: aws logs tail /aws/sagemaker/Endpoints/${name} --since 1d. ${existing ? deploy : `Once it is mended: ${deploy}`}`,
    );
  } catch (error) {
    if (isNotFound(error) && pause && existing === undefined) {
      return ok(`The endpoint ${name} is not there, for ${pauseInWords(environment.name, pause)}.`);
    }
    if (isNotFound(error))
      return problem(`The endpoint ${name} does not exist.`, existing ? deploy : `Deploy it again: ${deploy}`);
    throw awsError(`look at the endpoint ${name}`, error);
  } finally {
    client.destroy();
  }
}
