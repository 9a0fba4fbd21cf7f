import type { Construct } from "constructs";
import { boundaryArn } from "../aws/github-roles";
import type { Environment, Shared } from "../config";
import { alarmsOf } from "../config/alarms";
import { costOf, perMillion } from "../config/cost";
import { instanceRange } from "../config/model";
import { know, literally, tell } from "../constructs/access";
import { ReadableStack } from "../constructs/addresses";
import { Alarms } from "../constructs/alarms";
import { AnswersBucket } from "../constructs/answers-bucket";
import { Bastion } from "../constructs/bastion";
import { Dashboard } from "../constructs/dashboard";
import { EndpointScaling } from "../constructs/endpoint-scaling";
import { EventBus } from "../constructs/event-bus";
import { ExistingEndpoint } from "../constructs/existing-endpoint";
import { FeatureStore, knowGroup, knowRecords } from "../constructs/feature-store";
import { KeyPair } from "../constructs/key-pair";
import { type Endpoint, ModelEndpoint } from "../constructs/model-endpoint";
import { Network } from "../constructs/network";
import { PredictionApi } from "../constructs/prediction-api";
import { ProvisionedWarehouse } from "../constructs/provisioned-warehouse";
import { QueueWorker } from "../constructs/queue-worker";
import { ScheduledFunction } from "../constructs/scheduled-function";
import { ServerlessWarehouse } from "../constructs/serverless-warehouse";
import type { Warehouse } from "../constructs/warehouse";
import type { Watched } from "../constructs/watched";
import { useAws } from "./aws";
import { functionsOf } from "./functions";
import { featureGroup, renamed, writeMoves } from "./moved";
import { tellNames } from "./names";
import { boundRoles, preventLoss } from "./protection";

/**
 * The pipeline of one environment. Requests wait in a queue; a worker reads each input's features, asks the model, and
 * stages the answers; a loader moves them into the warehouse. The API puts requests on the queue, reads predictions, and
 * keeps jobs. Alarms ring where a person is needed, and a dashboard shows the way of requests. A bastion leads people to the
 * warehouse where one is asked for.
 */
export class InferenceStack extends ReadableStack {
  /**
   * @param forget addresses of feature groups that may be in the state: those that this stack does not have leave it, and
   * AWS keeps them with their records
   */
  constructor(scope: Construct, id: string, shared: Shared, environment: Environment, forget: readonly string[] = []) {
    super(scope, id);
    const { account } = useAws(this, shared, environment.tags, environment.stateKey);
    const { region } = shared;
    const { loading, jobs } = environment;
    const { contract, drift } = environment.model;
    const settings = functionsOf(environment, account);

    const features =
      environment.features &&
      new FeatureStore(this, "features", { ...environment.features, region, features: contract.features });
    const model = this.model(environment, shared, account);
    const network = new Network(this, "network", { ...environment.network, region });
    const { keyPair, bastion } = this.access(environment, network);
    const answers = new AnswersBucket(this, "outcomes", {
      bucket: environment.answersBucket,
      guarded: environment.preventDestroy,
      keepDays: jobs.keepDays,
      kmsKeyArn: environment.kmsKeyArn,
    });
    const warehouse = this.warehouse(environment, { region, account, network, answers, bastion });
    const inference = new QueueWorker(this, "inference", {
      ...settings.worker,
      uses: [
        know(contract),
        ...(features ? [features.read()] : []),
        model.invoke(),
        answers.stage(),
        ...(drift ? [tell({ WATCHED_ANSWER: literally(drift.answer) })] : []),
      ],
    });
    const loader = new ScheduledFunction(this, "loading", {
      ...settings.loader,
      uses: [answers.load(), warehouse.load(), tell({ LOAD_EVERY_MINUTES: String(loading.everyMinutes) })],
    });
    const rows = [know(contract), knowRecords(features)];
    const starter = new ScheduledFunction(this, "starting", {
      ...settings.starter,
      uses: [...rows, answers.start(), inference.feed(), tell({ MAX_ROWS: String(jobs.maxRows) })],
    });
    this.scale(environment, { model, inference, starter });
    const writes = [inference.knowWorker(), answers.writeResults(), warehouse.unload()];
    const events = new EventBus(this, "events", inference.queue.arn);
    const writer = new ScheduledFunction(this, "writing", {
      ...settings.writer,
      uses: [...rows, ...writes, events.put()],
    });
    const asks = [know(contract), knowGroup(features), inference.send(), inference.knowTimes(), warehouse.read()];
    const starts = starter.invoke({ STARTER_FUNCTION_NAME: starter.function.function.functionName });
    const api = new PredictionApi(this, "api", {
      ...settings.api,
      uses: [...asks, answers.manageJobs(), starts, tell(priceOf(environment, shared))],
    });
    const watched = { inference, model, loader, starter, writer, api };
    this.watch(environment, region, watched);
    this.keep(environment, forget, { features, warehouse, ...watched });
    if (shared.github) boundRoles(this, boundaryArn({ ...shared.github, region, prefix: environment.prefix }));
    const parts = { ...watched, features: features || undefined, answers, warehouse, bastion, keyPair };
    tellNames(this, environment, shared.modelBucket, parts);
  }

  /** An endpoint that is made, or one that exists. */
  private model({ model, pause, logRetentionDays, kmsKeyArn }: Environment, shared: Shared, account: string): Endpoint {
    const { region } = shared;
    return model.endpoint
      ? new ExistingEndpoint(this, "model", { ...model, region })
      : new ModelEndpoint(this, "model", {
          ...model,
          paused: pause !== undefined,
          instanceCount: instanceRange(model).min,
          region,
          account,
          logRetentionDays,
          kmsKeyArn,
          artifactKmsKeyArn: shared.kmsKeyArn,
        });
  }

  /** The key pair, where there is one, and what leads people to the warehouse, where that is asked for. */
  private access({ keyPair: publicHalf, access, prefix, kmsKeyArn }: Environment, network: Network) {
    const keyPair = publicHalf && new KeyPair(this, "access", publicHalf);
    if (!access.bastion || !keyPair) return { keyPair };
    const { keyName } = keyPair;
    return {
      keyPair,
      bastion: new Bastion(this, "bastion", { name: `${prefix}-bastion`, network, keyName, kmsKeyArn }),
    };
  }

  /** A cluster, or a workgroup. */
  private warehouse(environment: Environment, { region, account, bastion, ...reached }: Beside): Warehouse {
    const { loading, jobs, api, model, takeOver, pause, logRetentionDays, kmsKeyArn, prefix } = environment;
    const storing = {
      bundle: "dist/schema",
      contract: model.contract,
      ...reached,
      loaderRoleName: loading.roleName,
      writerRoleName: jobs.writerRoleName,
      readerRoleNames: [api.roleName],
      logRetentionDays,
      kmsKeyArn,
    };
    if (environment.warehouse.workgroupName !== undefined)
      return new ServerlessWarehouse(this, "warehouse", { ...environment.warehouse, ...storing, region, account });
    const { hours } = environment.warehouse;
    return new ProvisionedWarehouse(this, "warehouse", {
      ...environment.warehouse,
      ...storing,
      takeOver,
      bastion,
      paused: pause !== undefined,
      schedule: hours && { hours, region, account, prefix },
    });
  }

  /** Has an endpoint's instances follow the backlog, where it says how. */
  private scale({ model, pause, prefix }: Environment, followed: Pick<Watched, "model" | "inference" | "starter">) {
    if (pause !== undefined || model.endpoint || !model.scaling) return;
    const { scaling, instanceType, workingHours } = model;
    new EndpointScaling(this, "scaling", { name: prefix, ...scaling, ...followed, instanceType, workingHours });
  }

  private watch(environment: Environment, region: string, watched: Watched) {
    const { prefix: name, pause, inference, model, alarmTopicArn: topicArn } = environment;
    const alarms = new Alarms(this, "alarms", {
      name,
      ...watched,
      alarms: alarmsOf(environment),
      pause,
      messageRetentionSeconds: inference.messageRetentionSeconds,
      drift: model.drift,
      topicArn,
    });
    new Dashboard(this, "dashboard", { name: `${name}-pipeline`, region, ...watched, alarms });
  }

  /** Has what was deployed before be where it is now, and nothing go that holds something. */
  private keep({ model: { previous }, takeOver, preventDestroy }: Environment, forget: readonly string[], parts: Kept) {
    const { features, model, inference, warehouse, api } = parts;
    const taken = {
      stage: api.stage,
      logs: [...(model.log ? [model.log] : []), inference.worker.log],
      elsewhere: model.formerAddresses,
      without: features ? [] : ["features"],
    };
    // The first release takes the place of what was deployed without one, unless that is kept.
    const replaced = previous === undefined ? model.formerAddresses : {};
    writeMoves(this, { ...renamed.inference, ...replaced }, takeOver ? taken : undefined, [featureGroup, ...forget]);
    if (preventDestroy) {
      const queues = [inference.queue, inference.deadLetterQueue];
      preventLoss([...(features ? [features.group] : []), ...queues, warehouse.keeps, api.restApi]);
    }
  }
}

interface Kept extends Pick<Watched, "model" | "inference" | "api"> {
  readonly features: FeatureStore | false;
  readonly warehouse: Warehouse;
}

/** What stands beside a warehouse. */
interface Beside {
  readonly region: string;
  readonly account: string;
  readonly network: Network;
  readonly answers: AnswersBucket;
  readonly bastion?: Bastion;
}

/** What a million rows cost, as the API says it. */
function priceOf(environment: Environment, { region, prices }: Shared) {
  const { usd, isAtLeast } = costOf(perMillion(environment, region), prices);
  return { MILLION_ROWS_USD: usd.toFixed(4), MILLION_ROWS_USD_IS_AT_LEAST: String(isAtLeast) };
}
