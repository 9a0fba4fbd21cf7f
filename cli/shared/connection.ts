import { z } from "zod";
import { type Config, type Environment, loadConfig, type Shared } from "../../config";
import { awayInWords } from "../../config/paused";
import { type FeatureType, type ModelContract, modelContractSchema } from "../../contract/model-contract";
import { type Names, namesSchema } from "../../contract/names";
import { readLocalEnvironment } from "../../local/environment-file";
import type { clientSettings } from "../../pipeline/clients";
import { awsError, namingActions, withClient } from "./aws-error";
import { type CommandFor, type ConnectionOptions, commandsFor } from "./options";

/** A feature group, and what a record of it holds beside the contract's features. */
interface FeatureGroup {
  readonly name: string;
  /** The features of an input, in the contract's order. */
  readonly features: ModelContract["features"];
  readonly recordIdentifier: { readonly name: string; readonly type: FeatureType };
  readonly eventTime: { readonly name: string; readonly type: "String" | "Fractional" };
}

/** A warehouse that is always awake. */
interface Cluster {
  readonly clusterId: string;
  readonly databaseName: string;
  /** Whom IAM signs people in as. */
  readonly databaseUser: string;
}

/** A warehouse on demand: each statement wakes it, and is paid by the time that it is awake. */
interface Workgroup {
  readonly workgroupName: string;
  readonly databaseName: string;
  /** The role that people take on to read. */
  readonly readerRoleArn: string;
  /** The secret of the administrator. */
  readonly adminSecretArn: string;
}

/** Where a deployed pipeline is. */
export interface Pipeline {
  /** Spells the commands that hints name. */
  readonly commandFor: CommandFor;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly workerFunctionName: string;
  readonly loaderFunctionName: string;
  readonly writerFunctionName: string;
  /** The API's stage. */
  readonly apiUrl: string;
  readonly endpointName: string;
  /** What the pipeline and its model agree on. */
  readonly contract: ModelContract;
  /** @default every message carries its features */
  readonly featureGroup?: FeatureGroup;
  readonly warehouse: Cluster | Workgroup;
  /** What leads people to it. @default nothing */
  readonly bastion?: Names["bastion"];
  readonly answers: {
    /** Through which outcomes go to the warehouse, and large results come from it. */
    readonly bucket: string;
    /** The role by which the warehouse writes large results there. */
    readonly unloadRoleArn: string;
    readonly unloadKmsKeyId?: string;
  };
}

/** What a stack has written of its pipeline. @throws when it is another text than the stack writes */
function readNames(text: string): Names {
  const read = namesSchema.safeParse(JSON.parse(text));
  if (!read.success) throw new Error(z.prettifyError(read.error));
  return read.data;
}

/** The contract in an object of S3. @throws when it cannot be read, or is none */
async function readContract(url: string, settings: ClientSettings): Promise<ModelContract> {
  const { hostname: Bucket, pathname } = new URL(url);
  const { GetObjectCommand, S3Client } = await import("@aws-sdk/client-s3");
  return withClient(new S3Client(settings), `read the model's contract ${url}`, async (client) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: pathname.slice(1) }));
    return modelContractSchema.parse(JSON.parse((await Body?.transformToString()) ?? ""));
  });
}

function featureGroupIn(names: Names, { features }: ModelContract): FeatureGroup | undefined {
  const { feature_group_name: name, record_identifier: recordIdentifier, event_time: eventTime } = names;
  return name && recordIdentifier && eventTime ? { name, features, recordIdentifier, eventTime } : undefined;
}

function warehouseIn(names: Names): Pipeline["warehouse"] {
  const { redshift_database_name: databaseName } = names;
  return "redshift_workgroup_name" in names
    ? {
        workgroupName: names.redshift_workgroup_name,
        databaseName,
        readerRoleArn: names.redshift_reader_role_arn,
        adminSecretArn: names.redshift_admin_secret_arn,
      }
    : { clusterId: names.redshift_cluster_identifier, databaseName, databaseUser: names.redshift_reader };
}

const describedBy = (names: Names, contract: ModelContract): Omit<Pipeline, "commandFor"> => ({
  queueUrl: names.queue_url,
  deadLetterQueueUrl: names.dead_letter_queue_url,
  workerFunctionName: names.worker_function_name,
  loaderFunctionName: names.loader_function_name,
  writerFunctionName: names.writer_function_name,
  apiUrl: names.api_url,
  endpointName: names.endpoint_name,
  contract,
  featureGroup: featureGroupIn(names, contract),
  warehouse: warehouseIn(names),
  bastion: names.bastion,
  answers: {
    bucket: names.answers_bucket,
    unloadRoleArn: names.redshift_unload_role_arn,
    unloadKmsKeyId: names.redshift_unload_kms_key_id,
  },
});

/** Where `npm start` keeps what it runs. */
export const localDataDir = ".local";

/** An environment of config.ts, and whom it is worked with as. */
export interface Target {
  readonly shared: Shared;
  readonly environment: Environment;
}

/**
 * The environment that a command is to work with. From here on AWS's clients find region, profile and endpoints in the
 * process's environment.
 * @param releases what is released @default what releases.json says
 * @throws when no environment is named, or there is none of that name; when local mode is wanted and does not run
 */
export function targetOf({ env, profile, region, local }: ConnectionOptions, releases?: unknown): Target {
  const config = loadConfig(undefined, process.env, [], releases);
  if (local) {
    const running = readLocalEnvironment(localDataDir);
    if (env !== undefined && env !== running.environment) {
      throw new Error(`Local mode runs the environment ${running.environment}, not ${env}.`);
    }
    delete process.env.AWS_PROFILE;
    Object.assign(process.env, running.variables);
    const { shared, environment } = environmentOf(config, running.environment);
    return { shared, environment: { ...environment, namesParameter: running.namesParameter } };
  }
  const shared = {
    ...config.shared,
    region: region ?? config.shared.region,
    profile: profile ?? config.shared.profile,
  };
  process.env.AWS_REGION = shared.region;
  if (shared.profile !== undefined) {
    process.env.AWS_PROFILE = shared.profile;
    for (const name of keysInEnvironment) delete process.env[name]; // AWS's clients would take these first
  }
  return environmentOf({ ...config, shared }, env ?? shared.defaultEnvironment);
}

const keysInEnvironment = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/** @throws when there is no such environment, with those that there are */
export function environmentOf({ shared, environments }: Config, name: string | undefined): Target {
  const names = Object.keys(environments).join(", ");
  if (name === undefined) {
    throw new Error(
      `Which environment? Name it by --env, OFFLINE_INFERENCE_ENV or \`defaultEnvironment\` in config.ts. There are: ${names}`,
    );
  }
  const environment = environments[name];
  if (environment === undefined) {
    throw new Error(`There is no environment "${name}". The environments of config.ts: ${names}`);
  }
  return { shared, environment };
}

/** A deployed pipeline, and the environment that it is. */
export interface Connection extends Target {
  readonly pipeline: Pipeline;
}

/** What both clients take: how long they wait, and how often they ask. */
type ClientSettings = Partial<ReturnType<typeof clientSettings>>;

/**
 * Finds a deployed pipeline. What it is called is written by its stack into a parameter of SSM, so that whoever works
 * with it needs `ssm:GetParameter` for that one and no right to read Terraform's state, which holds secrets. Says it where
 * the environment is paused.
 * @param settings of the clients that ask
 * @throws as {@link targetOf}, and when the stack is not deployed or SSM or S3 cannot be asked
 */
export async function connect(options: ConnectionOptions, settings: ClientSettings = {}): Promise<Connection> {
  const target = targetOf(options);
  const pipeline = await pipelineOf(target.environment, settings, options);
  const away = options.local ? undefined : awayInWords(target.environment, new Date());
  if (away !== undefined) console.error(away);
  return { ...target, pipeline };
}

/** The same for an environment of any configuration, with the region and the credentials of the process's environment. */
export async function pipelineOf(
  environment: Pick<Environment, "name" | "namesParameter">,
  settings: ClientSettings = {},
  options: ConnectionOptions = { env: environment.name },
): Promise<Pipeline> {
  const names = await namesOf(environment, settings);
  const contract = await readContract(names.contract_url, settings);
  return { ...describedBy(names, contract), commandFor: commandsFor(options) };
}

async function namesOf(
  { name, namesParameter }: Pick<Environment, "name" | "namesParameter">,
  settings: ClientSettings,
): Promise<Names> {
  const { GetParameterCommand, SSMClient } = await import("@aws-sdk/client-ssm");
  const client = namingActions(new SSMClient(settings));
  try {
    const { Parameter } = await client.send(new GetParameterCommand({ Name: namesParameter }));
    return readNames(Parameter?.Value ?? "");
  } catch (error) {
    if (error instanceof Error && error.name === "ParameterNotFound") {
      const deploy = commandsFor({})(`deploy inference-${name}`);
      throw new Error(
        `There is no pipeline "${name}" in ${process.env.AWS_REGION}: its stack has not written ${namesParameter}. Deploy it: ${deploy}`,
      );
    }
    throw awsError(`read the parameter ${namesParameter}`, error);
  } finally {
    client.destroy();
  }
}
