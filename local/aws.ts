import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Client, escapeIdentifier } from "pg";
import { z } from "zod";
import { type Feature, type ModelContract, modelContractSchema } from "../contract/model-contract";
import { type Route, startApiGateway } from "./api-gateway";
import { startCloudWatch } from "./cloudwatch";
import { startCloudWatchLogs } from "./cloudwatch-logs";
import { accountId, credentialsOf, operator } from "./credentials";
import { startEventSourceMapping } from "./event-source-mapping";
import { startEventBridge, type TakenEvent } from "./eventbridge";
import { startFeatureStore } from "./feature-store";
import { type LocalFunction, startFunction } from "./lambda";
import { type FunctionDescription, startLambda } from "./lambda-configuration";
import { counted, countedModel, gauge, type Metric } from "./metrics";
import { startParameters } from "./parameters";
import { type OnTheWay, startPassage } from "./passage";
import { isPostgresRunning, startPostgres } from "./postgres";
import { makePrivateFolder } from "./private-folder";
import { type ClusterDescription, startRedshift } from "./redshift";
import { type RedshiftDataOptions, startRedshiftData } from "./redshift-data";
import { startS3 } from "./s3";
import { type EndpointDescription, startSageMaker } from "./sagemaker";
import { type Model, startSageMakerRuntime } from "./sagemaker-runtime";
import { startSchedule } from "./schedule";
import { type Queue, startSqs } from "./sqs";
import { jsonOf } from "./stand-in";
import { startSts } from "./sts";
import { readStack, type Stack } from "./terraform";

export interface LocalAwsOptions {
  /** Folder of the synthesized stack to run: `cdktf.out/stacks/inference-dev`. */
  readonly stack: string;
  /** Folder for the warehouse's data and the functions' logs. What an earlier run left there is removed. */
  readonly dataDir: string;
  /** Answers the endpoint's invocations. */
  readonly model: Model;
  /** What stands in the way of calls, by who calls what. @default nothing */
  readonly onTheWay?: Readonly<Partial<Record<Way, OnTheWay>>>;
  /** Batches worked on at the same time at most, each of them in a process. @default one for each core, two at least */
  readonly batchesAtOnce?: number;
  /** How the warehouse is, beyond what the stack says. */
  readonly warehouse?: Pick<RedshiftDataOptions, "isolation" | "copySkips" | "unloadPartRows" | "resultBytes">;
}

/** A service that the functions call, or S3 as the warehouse calls it in a COPY or an UNLOAD. */
export type Way = "featureStore" | "sageMaker" | "redshiftData" | "s3" | "sqs" | "eventBridge" | "warehouseToS3";

/** What a client needs to know of the feature group to write records. */
interface FeatureGroup {
  readonly featureGroupName: string;
  readonly features: readonly Feature[];
  readonly recordIdentifierType: "String" | "Integral" | "Fractional";
  readonly eventTime: { readonly name: string; readonly type: "String" | "Fractional" };
}

export interface LocalAws {
  /** What to export so that the AWS CLI or any SDK speaks to the stand-ins, as the operator. */
  readonly environment: Record<string, string>;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  /** @throws where the stack has none */
  readonly featureGroup: FeatureGroup;
  /** The contract with the model. */
  readonly contract: ModelContract;
  /** @throws where the warehouse is a workgroup */
  readonly clusterId: string;
  /** What was asked of the warehouse so far, in calls: each wakes a workgroup. */
  readonly statements: number;
  readonly databaseName: string;
  readonly endpointName: string;
  /** The bucket where outcomes wait to be loaded. */
  readonly answersBucket: string;
  readonly loaderFunctionName: string;
  readonly writerFunctionName: string;
  /** What the default bus of EventBridge took, the oldest first. */
  readonly events: readonly TakenEvent[];
  /** The API's stage. */
  readonly apiUrl: string;
  /** The functions by their names, to be invoked or killed. */
  readonly functions: ReadonlyMap<string, LocalFunction>;
  /** Runs the loader now, as its schedule does, and gives what it answers. @throws FunctionError */
  loader(): Promise<unknown>;
  /** The same for the writer of results. */
  writer(): Promise<unknown>;
  /** Ends every server and process. The data stays in `dataDir` until the next start. */
  stop(): Promise<void>;
}

/**
 * Runs a synthesized inference stack on this desk: its functions' bundles as they are deployed, its queues, routes and
 * tables, over stand-ins for AWS on loopback.
 * @throws when the stack is not synthesized, or holds what cannot be run here, or another run has `dataDir`
 */
export async function startAws({
  stack: folder,
  dataDir,
  model,
  onTheWay = {},
  batchesAtOnce = Math.max(2, availableParallelism()),
  warehouse: warehouseOptions,
}: LocalAwsOptions): Promise<LocalAws> {
  const stack = readStack(folder);
  supplyNames(stack);
  const databaseDir = databaseIn(dataDir);
  const logDir = join(dataDir, "logs");
  await mustBeFree(dataDir);
  for (const folder of [databaseDir, logDir]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [dataDir, logDir]) makePrivateFolder(folder);

  const resources = resourcesOf(stack);
  const { warehoused, endpoint, queue, deadLetterQueue } = resources;
  const answering = countedModel(endpoint, model);
  const run = new Run(stack, logDir, onTheWay);
  try {
    const services = await startServices(run, resources, {
      model: answering.model,
      startWarehouse: (s3Url) => startWarehouse(databaseDir, warehoused, { ...warehouseOptions, s3Url }),
    });
    const { apiUrl, metrics: counts } = await startFunctions(run, services, batchesAtOnce);
    const ages = [queue, deadLetterQueue].map((QueueName) => {
      const metric = "ApproximateAgeOfOldestMessage";
      const name = { namespace: "AWS/SQS", name: metric, dimensions: { QueueName } };
      return gauge(name, () => services.sqs.ageOfOldestMessage(QueueName));
    });
    const metrics = [...counts, ...answering.metrics, ...ages];
    const controlPlane = run.started(await startControlPlane(stack, { warehoused, metrics, logDir }));
    return localAwsOf(run, resources, {
      ...services,
      apiUrl,
      endpoints: { ...services.endpoints, ...controlPlane.endpoints },
    });
  } catch (error) {
    await run.stop();
    throw error;
  }
}

/** What runs of a stack. */
class Run {
  /** By their names. */
  readonly functions = new Map<string, LocalFunction>();
  private readonly stops: (() => Promise<void>)[] = [];

  constructor(
    readonly stack: Stack,
    readonly logDir: string,
    private readonly onTheWay: NonNullable<LocalAwsOptions["onTheWay"]>,
  ) {}

  started<T extends { stop(): Promise<void> }>(thing: T): T {
    this.stops.unshift(() => thing.stop()); // what started last stops first
    return thing;
  }

  /** An address, with what stands in the way to it. */
  async along(way: Way, url: string): Promise<string> {
    const hindrance = this.onTheWay[way];
    return hindrance === undefined ? url : this.started(await startPassage(url, hindrance)).url;
  }

  async stop() {
    for (const end of this.stops.splice(0)) await end();
  }
}

/** What the stack says of that which runs beside its functions. */
const resourcesOf = (stack: Stack) => ({
  warehoused: warehouseOf(stack),
  endpoint: endpointOf(stack),
  groups: featureGroupsOf(stack),
  contract: contractOf(stack),
  ...queuesOf(stack),
});
type Resources = ReturnType<typeof resourcesOf>;

/** Starts what the functions call. `hindered` is where they find it, `endpoints` where all others do. */
async function startServices(
  run: Run,
  { endpoint, groups, queues }: Resources,
  given: { readonly model: Model; startWarehouse(s3Url: string): ReturnType<typeof startWarehouse> },
) {
  const { stack } = run;
  const s3 = run.started(await startS3({ buckets: bucketsOf(stack) }));
  await putObjects(stack, s3.url);
  const s3Url = await run.along("warehouseToS3", s3.url);
  const standIns = await allOrStop([
    given.startWarehouse(s3Url),
    startSqs({ queues }),
    startFeatureStore({ groups }),
    startSageMaker(endpoint),
    startSageMakerRuntime({ ...endpoint, model: given.model, isServerless: endpoint.instanceCount === undefined }),
    startEventBridge(),
  ]);
  for (const standIn of standIns) run.started(standIn);
  const [warehouse, sqs, featureStore, sageMaker, sageMakerRuntime, eventBridge] = standIns;
  for (const { address, name } of stack.all("aws_sqs_queue", z.object({ name: z.string() }))) {
    const url = sqs.queueUrls.get(name) ?? "";
    stack.supply({ [`${address}.url`]: url, [`${address}.id`]: url });
  }
  const lambda = run.started(await startLambda(stack.region, functionDescriptionsOf(stack, run.functions)));
  const endpoints = {
    AWS_REGION: stack.region,
    AWS_ENDPOINT_URL_LAMBDA: lambda.url,
    AWS_ENDPOINT_URL_SQS: sqs.url,
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_REDSHIFT_DATA: warehouse.url,
    AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME: featureStore.url,
    AWS_ENDPOINT_URL_SAGEMAKER: sageMaker.url,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: sageMakerRuntime.url,
    AWS_ENDPOINT_URL_EVENTBRIDGE: eventBridge.url,
  };
  const hindered = {
    ...endpoints,
    AWS_ENDPOINT_URL_SQS: await run.along("sqs", sqs.url),
    AWS_ENDPOINT_URL_S3: await run.along("s3", s3.url),
    AWS_ENDPOINT_URL_REDSHIFT_DATA: await run.along("redshiftData", warehouse.url),
    AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME: await run.along("featureStore", featureStore.url),
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: await run.along("sageMaker", sageMakerRuntime.url),
    AWS_ENDPOINT_URL_EVENTBRIDGE: await run.along("eventBridge", eventBridge.url),
  };
  return { warehouse, sqs, eventBridge, endpoints, hindered };
}
type Services = Awaited<ReturnType<typeof startServices>>;

/** Starts the functions, and what invokes them. */
async function startFunctions(run: Run, { sqs, hindered }: Services, batchesAtOnce: number) {
  const { stack } = run;
  const counts = [...functionsOf(stack, hindered, run.logDir)].map(([arn, one]) => ({ arn, ...counted(one) }));
  const functions = new Map(counts.map(({ arn, local }) => [arn, local]));
  for (const one of functions.values()) run.functions.set(run.started(one).name, one);
  await invokeAtDeploy(stack, run.functions);
  for (const mapping of mappingsOf(stack, functions, sqs, batchesAtOnce)) run.started(mapping);
  for (const schedule of schedulesOf(stack, functions)) run.started(schedule);
  const api = run.started(await startApiGateway(apiOf(stack, functions)));
  for (const { address } of stack.all("aws_api_gateway_stage", z.object({}))) {
    stack.supply({ [`${address}.invoke_url`]: api.url });
  }
  return { apiUrl: api.url, metrics: counts.flatMap((one) => one.metrics) };
}

function localAwsOf(
  run: Run,
  { warehoused, endpoint, groups, contract, queue, deadLetterQueue }: Resources,
  { warehouse, sqs, eventBridge, endpoints, apiUrl }: Services & { readonly apiUrl: string },
): LocalAws {
  const { stack, functions } = run;
  const names = namesOf(stack);
  const { accessKeyId, secretAccessKey } = operator.credentials;
  return {
    environment: {
      ...endpoints,
      AWS_DEFAULT_REGION: stack.region, // what Python reads instead of AWS_REGION
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    queueUrl: sqs.queueUrls.get(queue) ?? "",
    deadLetterQueueUrl: sqs.queueUrls.get(deadLetterQueue) ?? "",
    get featureGroup() {
      return featureGroupOf(groups, contract);
    },
    contract,
    get clusterId() {
      if (warehoused.cluster === undefined) throw new Error("the warehouse is no cluster");
      return warehoused.cluster.clusterId;
    },
    get statements() {
      return warehouse.statements;
    },
    databaseName: warehoused.database,
    endpointName: endpoint.endpointName,
    answersBucket: names.answers_bucket,
    loaderFunctionName: names.loader_function_name,
    writerFunctionName: names.writer_function_name,
    events: eventBridge.events,
    apiUrl,
    functions,
    loader: () => functionOf(functions, names.loader_function_name).invoke({}),
    writer: () => functionOf(functions, names.writer_function_name).invoke({}),
    stop: () => run.stop(),
  };
}

const databaseIn = (dataDir: string) => join(dataDir, "postgres");

/** @throws when a run has a folder for its data */
export async function mustBeFree(dataDir: string): Promise<void> {
  if (await isPostgresRunning(databaseIn(dataDir)))
    throw new Error(`${dataDir} is in use: end the run that it belongs to first`);
}

/** The warehouse: a cluster, or a workgroup of Redshift Serverless. */
interface Warehoused extends Pick<RedshiftDataOptions, "clusterIdentifier" | "workgroupName" | "roles"> {
  readonly database: string;
  readonly masterUser: string;
  /** What AWS says of the cluster. */
  readonly cluster?: ClusterDescription;
}

const clusterAttributes = z.object({
  cluster_identifier: z.string(),
  database_name: z.string(),
  node_type: z.string(),
  number_of_nodes: z.number(),
  master_username: z.string(),
  iam_roles: z.array(z.string()),
});

const namespaceAttributes = z.object({
  db_name: z.string(),
  admin_username: z.string(),
  iam_roles: z.array(z.string()),
});

function warehouseOf(stack: Stack): Warehoused {
  if (stack.all("aws_redshiftserverless_workgroup", z.object({})).length > 0) {
    const { workgroup_name: workgroupName } = stack.only(
      "aws_redshiftserverless_workgroup",
      z.object({ workgroup_name: z.string() }),
    );
    const namespace = stack.only("aws_redshiftserverless_namespace", namespaceAttributes);
    const { db_name: database, admin_username: masterUser, iam_roles: roles } = namespace;
    return { workgroupName, database, masterUser, roles };
  }
  const cluster = stack.only("aws_redshift_cluster", clusterAttributes);
  const { cluster_identifier: clusterIdentifier, database_name: database } = cluster;
  const described = { nodeType: cluster.node_type, numberOfNodes: cluster.number_of_nodes };
  return {
    clusterIdentifier,
    database,
    masterUser: cluster.master_username,
    roles: cluster.iam_roles,
    cluster: { clusterId: clusterIdentifier, databaseName: database, ...described },
  };
}

/** What AWS says of the stack's resources: what they are called, in which state they are, what was counted of them. */
async function startControlPlane(
  stack: Stack,
  about: {
    readonly warehoused: Warehoused;
    readonly metrics: readonly Metric[];
    readonly logDir: string;
  },
) {
  const { warehoused, metrics, logDir } = about;
  const alarms = stack.all("aws_cloudwatch_metric_alarm", z.object({ alarm_name: z.string() }));
  const standIns = await allOrStop([
    startParameters(parametersOf(stack)),
    warehoused.cluster ? startRedshift(warehoused.cluster) : startSts(rolesOfPeople(stack)),
    startCloudWatch({ metrics, alarms: alarms.map(({ alarm_name: name }) => name) }),
    startCloudWatchLogs(logDir),
  ]);
  const [parameters, access, cloudWatch, logs] = standIns;
  return {
    endpoints: {
      AWS_ENDPOINT_URL_SSM: parameters.url,
      [warehoused.cluster ? "AWS_ENDPOINT_URL_REDSHIFT" : "AWS_ENDPOINT_URL_STS"]: access.url,
      AWS_ENDPOINT_URL_CLOUDWATCH: cloudWatch.url,
      AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: logs.url,
    },
    stop: async () => {
      await Promise.all(standIns.map((one) => one.stop()));
    },
  };
}

/** The roles that people may take on. */
function rolesOfPeople(stack: Stack): string[] {
  const role = z.object({ name: z.string(), assume_role_policy: z.string() });
  return stack.all("aws_iam_role", role).flatMap(({ name, assume_role_policy: trust }) => {
    return /"Principal":\{"AWS":/.test(trust) ? [name] : [];
  });
}

/** Names that AWS would give, for references between resources. */
function supplyNames(stack: Stack) {
  for (const { address } of stack.all("data.aws_caller_identity", z.object({}))) {
    stack.supply({ [`${address}.account_id`]: accountId });
  }
  for (const { address } of stack.all("aws_redshiftserverless_namespace", z.object({}))) {
    const secret = `arn:aws:secretsmanager:${stack.region}:${accountId}:secret:redshift-admin`;
    stack.supply({ [`${address}.admin_password_secret_arn`]: secret, [`${address}.namespace_id`]: address });
  }
  const named = z.object({ name: z.string() });
  for (const { address, name } of stack.all("aws_sqs_queue", named)) {
    stack.supply({ [`${address}.arn`]: `arn:aws:sqs:${stack.region}:${accountId}:${name}` });
  }
  for (const { address, name } of stack.all("aws_iam_role", named)) {
    stack.supply({ [`${address}.arn`]: `arn:aws:iam::${accountId}:role/${name}` });
  }
  for (const { address, function_name: name } of stack.all("aws_lambda_function", functionName)) {
    const arn = `arn:aws:lambda:${stack.region}:${accountId}:function:${name}`;
    stack.supply({ [`${address}.arn`]: arn, [`${address}.invoke_arn`]: arn });
  }
  for (const { address } of stack.all("aws_api_gateway_rest_api", z.object({}))) {
    stack.supply({ [`${address}.root_resource_id`]: "" });
  }
  for (const { address } of stack.all("aws_api_gateway_resource", z.object({}))) {
    stack.supply({ [`${address}.id`]: address });
  }
}

/** The endpoint that the functions are told of, which is none of the stack's own. */
function existingEndpointOf(stack: Stack): EndpointDescription {
  const variables = z.object({ ENDPOINT_NAME: z.string().optional(), ENDPOINT_VARIANT: z.string().optional() });
  const functions = stack.all("aws_lambda_function", z.object({ environment: z.object({ variables }).optional() }));
  for (const { environment } of functions) {
    const { ENDPOINT_NAME: endpointName, ENDPOINT_VARIANT: variantName = "AllTraffic" } = environment?.variables ?? {};
    if (endpointName === undefined) continue;
    return { endpointName, variantName, configurationName: `${endpointName}-configuration`, instanceCount: 1 };
  }
  throw new Error(`${stack.directory} has no endpoint, and none of its functions has ENDPOINT_NAME`);
}

/** The endpoint, and the variant of the one configuration that it serves: there may be an earlier one beside it. */
function endpointOf(stack: Stack): EndpointDescription {
  if (stack.all("aws_sagemaker_endpoint", z.object({})).length === 0) return existingEndpointOf(stack);
  const endpoint = stack.only(
    "aws_sagemaker_endpoint",
    z.object({ name: z.string(), endpoint_config_name: z.string() }),
  );
  const variant = z.object({ variant_name: z.string(), initial_instance_count: z.number().optional() });
  const production_variants = z.tuple([variant]);
  const configurations = stack.all(
    "aws_sagemaker_endpoint_configuration",
    z.object({ name: z.string(), production_variants }),
  );
  const served = configurations.find(({ name }) => name === endpoint.endpoint_config_name);
  if (served === undefined) throw new Error(`${endpoint.address} serves a configuration that is not in the stack`);
  const [{ variant_name: variantName, initial_instance_count: instanceCount }] = served.production_variants;
  return { endpointName: endpoint.name, configurationName: served.name, variantName, instanceCount };
}

const functionName = z.object({ function_name: z.string() });

function queuesOf(stack: Stack) {
  const found = stack.all(
    "aws_sqs_queue",
    z.object({
      name: z.string(),
      visibility_timeout_seconds: z.number().optional(),
      message_retention_seconds: z.number().optional(),
      delay_seconds: z.number().optional(),
      redrive_policy: z.string().optional(),
    }),
  );
  const queues = found.map((queue): Queue => {
    const attributes = {
      VisibilityTimeout: queue.visibility_timeout_seconds,
      MessageRetentionPeriod: queue.message_retention_seconds,
      DelaySeconds: queue.delay_seconds,
      RedrivePolicy: queue.redrive_policy,
    };
    const given = Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    return { name: queue.name, attributes: Object.fromEntries(given) };
  });
  const source = found.find(({ redrive_policy: policy }) => policy !== undefined);
  if (!source) throw new Error(`${stack.directory} must have a queue with a redrive_policy`);
  const { deadLetterTargetArn } = jsonOf(z.object({ deadLetterTargetArn: z.string() })).parse(source.redrive_policy);
  const deadLetterQueue = deadLetterTargetArn.split(":").at(-1) ?? "";
  queues.sort(({ name }, other) => Number(other.name === deadLetterQueue) - Number(name === deadLetterQueue));
  return { queues, queue: source.name, deadLetterQueue };
}

function featureGroupsOf(stack: Stack) {
  const definition = z.object({
    feature_group_name: z.string(),
    record_identifier_feature_name: z.string(),
    event_time_feature_name: z.string(),
    feature_definition: z.array(z.object({ feature_name: z.string(), feature_type: z.string() })),
  });
  return stack.all("aws_sagemaker_feature_group", definition).map((group) => ({
    name: group.feature_group_name,
    recordIdentifierFeatureName: group.record_identifier_feature_name,
    eventTimeFeatureName: group.event_time_feature_name,
    features: group.feature_definition.map(({ feature_name: name, feature_type: type }) => ({ name, type })),
  }));
}

/** The contract with the model, from the object that the stack writes it into. */
function contractOf(stack: Stack): ModelContract {
  const { content } = stack.only("aws_s3_object", z.object({ content: z.string() }));
  return modelContractSchema.parse(JSON.parse(content));
}

/** The one feature group, as a client sees it. */
function featureGroupOf(groups: ReturnType<typeof featureGroupsOf>, contract: ModelContract): FeatureGroup {
  const [group, ...others] = groups;
  if (!group || others.length > 0)
    throw new Error(`a stack must have one feature group to run here, got ${groups.length}`);
  const typeOf = (name: string) => group.features.find((feature) => feature.name === name)?.type;
  const { recordIdentifierFeatureName, eventTimeFeatureName: name } = group;
  return {
    featureGroupName: group.name,
    features: contract.features,
    recordIdentifierType: z.enum(["String", "Integral", "Fractional"]).parse(typeOf(recordIdentifierFeatureName)),
    eventTime: { name, type: z.enum(["String", "Fractional"]).parse(typeOf(name)) },
  };
}

/** The parameters that the stack writes: name and value. */
function parametersOf(stack: Stack): Record<string, string> {
  const found = stack.all("aws_ssm_parameter", z.object({ name: z.string(), insecure_value: z.string() }));
  return Object.fromEntries(found.map(({ name, insecure_value: value }) => [name, value]));
}

/** What of the names that commands read has no other place in the stack. */
function namesOf(stack: Stack) {
  const schema = z.object({
    answers_bucket: z.string(),
    loader_function_name: z.string(),
    writer_function_name: z.string(),
  });
  const { insecure_value: text } = stack.only("aws_ssm_parameter", z.object({ insecure_value: z.string() }));
  return schema.parse(JSON.parse(text));
}

/** The stack's buckets, and those of other stacks that it puts objects into. */
function bucketsOf(stack: Stack): string[] {
  const bucket = z.object({ bucket: z.string() });
  const found = [...stack.all("aws_s3_bucket", bucket), ...stack.all("aws_s3_object", bucket)];
  return [...new Set(found.map(({ bucket }) => bucket))];
}

/** Puts the stack's objects into S3. */
async function putObjects(stack: Stack, endpoint: string) {
  const client = new S3Client({ endpoint, ...operator });
  const found = stack.all("aws_s3_object", z.object({ bucket: z.string(), key: z.string(), content: z.string() }));
  for (const { bucket: Bucket, key: Key, content: Body } of found) {
    await client.send(new PutObjectCommand({ Bucket, Key, Body }));
  }
  client.destroy();
}

/** The database, empty, and the Data API over it. */
async function startWarehouse(
  dataDir: string,
  { cluster: _, ...warehoused }: Warehoused,
  options: Omit<RedshiftDataOptions, "postgresUrl">,
) {
  const { database } = warehoused;
  const postgres = await startPostgres({ dataDir });
  const client = new Client(postgres.url);
  await client.connect();
  await client.query(`CREATE DATABASE ${escapeIdentifier(database)}`);
  await client.end();
  const postgresUrl = Object.assign(new URL(postgres.url), { pathname: database }).href;
  const dataApi = await startRedshiftData({ ...options, ...warehoused, postgresUrl });
  return {
    url: dataApi.url,
    get statements() {
      return dataApi.statements;
    },
    stop: async () => {
      await dataApi.stop();
      await postgres.stop();
    },
  };
}

/** Invokes the functions that Terraform invokes at deploy. @throws where one fails */
async function invokeAtDeploy(stack: Stack, functions: ReadonlyMap<string, LocalFunction>) {
  const found = stack.all("aws_lambda_invocation", z.object({ function_name: z.string(), input: z.string() }));
  for (const { function_name: name, input } of found) await functionOf(functions, name).invoke(JSON.parse(input));
}

function schedulesOf(stack: Stack, functions: ReadonlyMap<string, LocalFunction>) {
  const target = z.object({ arn: z.string() });
  const found = stack.all("aws_scheduler_schedule", z.object({ schedule_expression: z.string(), target }));
  return found.flatMap(
    ({ schedule_expression: expression, target: { arn } }) =>
      arn.includes(":aws-sdk:") ? [] : startSchedule(expression, functionOf(functions, arn)), // the database is never paused
  );
}

const functionAttributes = z.object({
  function_name: z.string(),
  filename: z.string(),
  handler: z.literal("index.handler"),
  role: z.string(),
  timeout: z.number(),
  memory_size: z.number(),
  environment: z.object({ variables: z.record(z.string(), z.string()) }).optional(),
});

/** The stack's functions, as Lambda describes them. */
const functionDescriptionsOf = (stack: Stack, functions: ReadonlyMap<string, LocalFunction>): FunctionDescription[] =>
  stack.all("aws_lambda_function", functionAttributes).map((one) => ({
    name: one.function_name,
    timeoutSeconds: one.timeout,
    memoryMegabytes: one.memory_size,
    variables: one.environment?.variables ?? {},
    invoke: (event) => functionOf(functions, one.function_name).invoke(event),
  }));

/** The stack's functions, by ARN. */
function functionsOf(stack: Stack, endpoints: Record<string, string>, logDir: string): Map<string, LocalFunction> {
  const archives = stack.all("data.archive_file", z.object({ source_dir: z.string(), output_path: z.string() }));
  for (const { address, output_path: path } of archives) stack.supply({ [`${address}.output_path`]: path });
  const found = stack.all("aws_lambda_function", functionAttributes);
  return new Map(
    found.map((one) => {
      const archive = archives.find(({ output_path: path }) => path === one.filename);
      if (!archive) throw new Error(`${one.address}: no archive_file of the stack makes ${one.filename}`);
      const { accessKeyId, secretAccessKey } = credentialsOf(one.role.split("/").at(-1) ?? "");
      const local = startFunction({
        name: one.function_name,
        bundle: join(stack.directory, archive.source_dir, "index.cjs"),
        timeoutSeconds: one.timeout,
        memoryMegabytes: one.memory_size,
        environment: {
          ...one.environment?.variables,
          ...endpoints,
          AWS_ACCESS_KEY_ID: accessKeyId, // the role's name, by which the warehouse signs it in
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
        },
        logFile: join(logDir, `${one.function_name}.log`),
      });
      return [`arn:aws:lambda:${stack.region}:${accountId}:function:${one.function_name}`, local];
    }),
  );
}

function mappingsOf(
  stack: Stack,
  functions: Map<string, LocalFunction>,
  { url: sqsUrl, queueUrls }: { readonly url: string; readonly queueUrls: ReadonlyMap<string, string> },
  batchesAtOnce: number,
) {
  const found = stack.all(
    "aws_lambda_event_source_mapping",
    z.object({
      event_source_arn: z.string(),
      function_name: z.string(),
      batch_size: z.number().default(10),
      maximum_batching_window_in_seconds: z.number().default(0),
      scaling_config: z.object({ maximum_concurrency: z.number() }).optional(),
      function_response_types: z.array(z.string()).default([]),
    }),
  );
  return found.map((mapping) =>
    startEventSourceMapping({
      sqsUrl,
      queueUrl: queueUrls.get(mapping.event_source_arn.split(":").at(-1) ?? "") ?? "",
      queueArn: mapping.event_source_arn,
      function: functionOf(functions, mapping.function_name),
      batchSize: mapping.batch_size,
      batchWindowSeconds: mapping.maximum_batching_window_in_seconds,
      maximumConcurrency: Math.min(mapping.scaling_config?.maximum_concurrency ?? batchesAtOnce, batchesAtOnce),
      reportsBatchItemFailures: mapping.function_response_types.includes("ReportBatchItemFailures"),
    }),
  );
}

function apiOf(stack: Stack, functions: Map<string, LocalFunction>) {
  const { stage_name: stageName } = stack.only("aws_api_gateway_stage", z.object({ stage_name: z.string() }));
  const resources = stack.all("aws_api_gateway_resource", z.object({ path_part: z.string(), parent_id: z.string() }));
  const pathOf = (id: string): string => {
    const resource = resources.find(({ address }) => address === id);
    return resource ? `${pathOf(resource.parent_id)}/${resource.path_part}` : "";
  };
  const integrations = stack.all(
    "aws_api_gateway_integration",
    z.object({ resource_id: z.string(), http_method: z.string(), type: z.literal("AWS_PROXY"), uri: z.string() }),
  );
  const methods = stack.all(
    "aws_api_gateway_method",
    z.object({ resource_id: z.string(), http_method: z.string(), authorization: z.enum(["NONE", "AWS_IAM"]) }),
  );
  const routes = integrations.map(
    ({ resource_id: id, http_method: httpMethod, uri }): Route => ({
      resourcePath: pathOf(id) || "/",
      httpMethod,
      authorization: methods.find((one) => one.resource_id === id && one.http_method === httpMethod)?.authorization,
      function: functionOf(functions, uri),
    }),
  );
  return { stageName, routes };
}

function functionOf(functions: ReadonlyMap<string, LocalFunction>, name: string): LocalFunction {
  const found = functions.get(name);
  if (!found) throw new Error(`no function ${name}, only ${[...functions.keys()].join(", ")}`);
  return found;
}

/** All of them, or none: when one cannot start, those that did are stopped. */
async function allOrStop<T extends { stop(): Promise<void> }[]>(
  starting: { [Index in keyof T]: Promise<T[Index]> },
): Promise<T> {
  try {
    return await Promise.all(starting);
  } catch (error) {
    const settled = await Promise.allSettled(starting);
    await Promise.all(settled.map((one) => (one.status === "fulfilled" ? one.value.stop() : undefined)));
    throw error;
  }
}
