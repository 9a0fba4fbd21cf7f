import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { DescribeStatementCommand, ExecuteStatementCommand, RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Client, escapeIdentifier } from "pg";
import { z } from "zod";
import { type Feature, type ModelContract, modelContractSchema } from "../contract/model-contract";
import { type Route, startApiGateway } from "./api-gateway";
import { startCloudWatch } from "./cloudwatch";
import { accountId, operator } from "./credentials";
import { startEventSourceMapping } from "./event-source-mapping";
import { startFeatureStore } from "./feature-store";
import { type LocalFunction, startFunction } from "./lambda";
import { type FunctionDescription, startLambda } from "./lambda-configuration";
import { counted, countedModel, gauge, type Metric } from "./metrics";
import { startParameters } from "./parameters";
import { isPostgresRunning, startPostgres } from "./postgres";
import { startRedshift } from "./redshift";
import { startRedshiftData } from "./redshift-data";
import { type EndpointDescription, startSageMaker } from "./sagemaker";
import { type Model, startSageMakerRuntime } from "./sagemaker-runtime";
import { type Queue, startSqs } from "./sqs";
import { readStack, type Stack } from "./terraform";

export interface LocalAwsOptions {
  /** Folder of the synthesized stack to run: `cdktf.out/stacks/inference-dev`. */
  readonly stack: string;
  /** Folder for the warehouse's data and the functions' logs. What an earlier run left there is removed. */
  readonly dataDir: string;
  /** Answers the endpoint's invocations. */
  readonly model: Model;
}

/** What a client needs to know of the feature group to write records. */
export interface FeatureGroup {
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
  readonly clusterId: string;
  readonly databaseName: string;
  readonly endpointName: string;
  /** The API's stage. */
  readonly apiUrl: string;
  /** Ends every server and process. The data stays in `dataDir` until the next start. */
  stop(): Promise<void>;
}

/**
 * Runs a synthesized inference stack on this desk: its functions' bundles as they are deployed, its queues, routes and
 * tables, over stand-ins for AWS on loopback.
 * @throws when the stack is not synthesized, or holds what cannot be run here, or another run has `dataDir`
 */
export async function startAws({ stack: folder, dataDir, model }: LocalAwsOptions): Promise<LocalAws> {
  const stack = readStack(folder);
  supplyNames(stack);
  const databaseDir = databaseIn(dataDir);
  const logDir = join(dataDir, "logs");
  await mustBeFree(dataDir);
  for (const folder of [databaseDir, logDir]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(logDir, { recursive: true });

  const cluster = stack.only("aws_redshift_cluster", clusterAttributes);
  const endpoint = endpointOf(stack);
  const answering = countedModel(endpoint, model);
  const groups = featureGroupsOf(stack);
  const contract = contractOf(stack);
  const { queues, queue, deadLetterQueue } = queuesOf(stack);

  const stops: (() => Promise<void>)[] = [];
  const started = <T extends { stop(): Promise<void> }>(thing: T): T => {
    stops.unshift(() => thing.stop()); // what started last stops first
    return thing;
  };
  const stop = async () => {
    for (const end of stops.splice(0)) await end();
  };
  try {
    const [warehouse, sqs, featureStore, sageMaker, sageMakerRuntime] = await allOrStop([
      startWarehouse(databaseDir, cluster, stack),
      startSqs({ queues }),
      startFeatureStore({ groups }),
      startSageMaker(endpoint),
      startSageMakerRuntime({ ...endpoint, model: answering.model }),
    ]);
    for (const standIn of [warehouse, sqs, featureStore, sageMaker, sageMakerRuntime]) started(standIn);
    for (const { address, name } of stack.all("aws_sqs_queue", z.object({ name: z.string() }))) {
      const url = sqs.queueUrls.get(name) ?? "";
      stack.supply({ [`${address}.url`]: url, [`${address}.id`]: url });
    }

    await putObjects(stack, sqs.url);
    const endpoints = {
      AWS_REGION: stack.region,
      AWS_ENDPOINT_URL_SQS: sqs.url,
      AWS_ENDPOINT_URL_S3: sqs.url, // fauxqs is both
      AWS_ENDPOINT_URL_REDSHIFT_DATA: warehouse.url,
      AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME: featureStore.url,
      AWS_ENDPOINT_URL_SAGEMAKER: sageMaker.url,
      AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: sageMakerRuntime.url,
    };
    const counts = [...functionsOf(stack, endpoints, logDir)].map(([arn, one]) => ({ arn, ...counted(one) }));
    const functions = new Map(counts.map(({ arn, local }) => [arn, local]));
    for (const one of functions.values()) started(one);
    for (const mapping of mappingsOf(stack, functions, sqs.url, sqs.queueUrls)) started(mapping);
    const api = started(await startApiGateway(apiOf(stack, functions)));
    const ages = [queue, deadLetterQueue].map((QueueName) => {
      const metric = "ApproximateAgeOfOldestMessage";
      const name = { namespace: "AWS/SQS", name: metric, dimensions: { QueueName } };
      return gauge(name, () => sqs.ageOfOldestMessage(QueueName));
    });
    const metrics = [...counts.flatMap((one) => one.metrics), ...answering.metrics, ...ages];
    const controlPlane = started(await startControlPlane(stack, { cluster, metrics }));

    const { accessKeyId, secretAccessKey } = operator.credentials;
    return {
      environment: {
        ...endpoints,
        ...controlPlane.endpoints,
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
      clusterId: cluster.cluster_identifier,
      databaseName: cluster.database_name,
      endpointName: endpoint.endpointName,
      apiUrl: api.url,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const databaseIn = (dataDir: string) => join(dataDir, "postgres");

/** @throws when a run has a folder for its data */
export async function mustBeFree(dataDir: string): Promise<void> {
  if (await isPostgresRunning(databaseIn(dataDir)))
    throw new Error(`${dataDir} is in use: end the run that it belongs to first`);
}

const clusterAttributes = z.object({
  cluster_identifier: z.string(),
  database_name: z.string(),
  node_type: z.string(),
  number_of_nodes: z.number(),
});

/** What AWS says of the stack's resources: what they are called, in which state they are, what was counted of them. */
async function startControlPlane(
  stack: Stack,
  about: {
    readonly cluster: z.infer<typeof clusterAttributes>;
    readonly metrics: readonly Metric[];
  },
) {
  const { cluster, metrics } = about;
  const alarms = stack.all("aws_cloudwatch_metric_alarm", z.object({ alarm_name: z.string() }));
  const standIns = await allOrStop([
    startParameters(parametersOf(stack)),
    startRedshift({
      clusterId: cluster.cluster_identifier,
      databaseName: cluster.database_name,
      nodeType: cluster.node_type,
      numberOfNodes: cluster.number_of_nodes,
    }),
    startLambda(stack.region, functionDescriptionsOf(stack)),
    startCloudWatch({ metrics, alarms: alarms.map(({ alarm_name: name }) => name) }),
  ]);
  const [parameters, redshift, lambda, cloudWatch] = standIns;
  return {
    endpoints: {
      AWS_ENDPOINT_URL_SSM: parameters.url,
      AWS_ENDPOINT_URL_REDSHIFT: redshift.url,
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
      AWS_ENDPOINT_URL_CLOUDWATCH: cloudWatch.url,
    },
    stop: async () => {
      await Promise.all(standIns.map((one) => one.stop()));
    },
  };
}

/** Names that AWS would give, for references between resources. */
function supplyNames(stack: Stack) {
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
  const production_variants = z.tuple([z.object({ variant_name: z.string(), initial_instance_count: z.number() })]);
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
  const redrivePolicy = z
    .string()
    .transform((text) => z.object({ deadLetterTargetArn: z.string() }).parse(JSON.parse(text)));
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
  const { deadLetterTargetArn } = redrivePolicy.parse(source.redrive_policy);
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

/** Puts the stack's objects into S3. */
async function putObjects(stack: Stack, endpoint: string) {
  const client = new S3Client({ endpoint, ...operator });
  const found = stack.all("aws_s3_object", z.object({ bucket: z.string(), key: z.string(), content: z.string() }));
  for (const { bucket: Bucket, key: Key, content: Body } of found) {
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new PutObjectCommand({ Bucket, Key, Body }));
  }
  client.destroy();
}

/** The database with what the stack's statements make in it, and the Data API over it. */
async function startWarehouse(
  dataDir: string,
  {
    cluster_identifier: clusterIdentifier,
    database_name: database,
  }: { cluster_identifier: string; database_name: string },
  stack: Stack,
) {
  const postgres = await startPostgres({ dataDir });
  const client = new Client(postgres.url);
  await client.connect();
  await client.query(`CREATE DATABASE ${escapeIdentifier(database)}`);
  await client.end();
  const postgresUrl = Object.assign(new URL(postgres.url), { pathname: database }).href;
  const dataApi = await startRedshiftData({ postgresUrl, clusterIdentifier, database });
  const stop = async () => {
    await dataApi.stop();
    await postgres.stop();
  };
  try {
    for (const sql of statementsOf(stack)) await runStatement(dataApi.url, clusterIdentifier, database, sql);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: dataApi.url, stop };
}

/** The SQL that is run at deploy, what others depend on first. */
function statementsOf(stack: Stack): string[] {
  const statements = stack.all(
    "aws_redshiftdata_statement",
    z.object({ sql: z.string(), depends_on: z.array(z.string()).default([]) }),
  );
  const ordered = new Set<(typeof statements)[number]>();
  const visit = (statement: (typeof statements)[number]) => {
    for (const address of statement.depends_on) {
      const before = statements.find((other) => other.address === address);
      if (before && !ordered.has(before)) visit(before);
    }
    ordered.add(statement);
  };
  for (const statement of statements) visit(statement);
  return [...ordered].map(({ sql }) => sql);
}

async function runStatement(endpoint: string, ClusterIdentifier: string, Database: string, Sql: string) {
  const client = new RedshiftDataClient({ endpoint, ...operator });
  const { Id, Status } = await client.send(
    new ExecuteStatementCommand({ ClusterIdentifier, Database, Sql, WaitTimeSeconds: 30 }),
  );
  if (Status !== "FINISHED") {
    const { Error: reason } = await client.send(new DescribeStatementCommand({ Id }));
    throw new Error(`the statement "${Sql}" is ${Status}: ${reason}`);
  }
  client.destroy();
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
const functionDescriptionsOf = (stack: Stack): FunctionDescription[] =>
  stack.all("aws_lambda_function", functionAttributes).map((one) => ({
    name: one.function_name,
    timeoutSeconds: one.timeout,
    memoryMegabytes: one.memory_size,
    variables: one.environment?.variables ?? {},
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
      const roleName = one.role.split("/").at(-1) ?? "";
      const local = startFunction({
        name: one.function_name,
        bundle: join(stack.directory, archive.source_dir, "index.cjs"),
        timeoutSeconds: one.timeout,
        memoryMegabytes: one.memory_size,
        environment: {
          ...one.environment?.variables,
          ...endpoints,
          AWS_ACCESS_KEY_ID: roleName, // the warehouse signs a role in by its name
          AWS_SECRET_ACCESS_KEY: roleName,
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
  sqsUrl: string,
  queueUrls: Map<string, string>,
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
  const cores = Math.max(2, availableParallelism());
  return found.map((mapping) =>
    startEventSourceMapping({
      sqsUrl,
      queueUrl: queueUrls.get(mapping.event_source_arn.split(":").at(-1) ?? "") ?? "",
      queueArn: mapping.event_source_arn,
      function: functionOf(functions, mapping.function_name),
      batchSize: mapping.batch_size,
      batchWindowSeconds: mapping.maximum_batching_window_in_seconds,
      // Every batch under way is a process here: no more of them than there are cores.
      maximumConcurrency: Math.min(mapping.scaling_config?.maximum_concurrency ?? cores, cores),
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
  const routes = integrations.map(
    ({ resource_id: id, http_method: httpMethod, uri }): Route => ({
      resourcePath: pathOf(id) || "/",
      httpMethod,
      function: functionOf(functions, uri),
    }),
  );
  return { stageName, routes };
}

function functionOf(functions: Map<string, LocalFunction>, arn: string): LocalFunction {
  const found = functions.get(arn);
  if (!found) throw new Error(`no function ${arn}, only ${[...functions.keys()].join(", ")}`);
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
