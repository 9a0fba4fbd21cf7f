import type { Construct } from "constructs";
import { boundaryArn } from "../aws/github-roles";
import type { Environment, Shared } from "../config";
import { alarmsOf } from "../config/alarms";
import { costOf, perMillion } from "../config/cost";
import { instanceRange } from "../config/model";
import { lookMinutes } from "../config/surroundings";
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
import { loadSeconds } from "../constructs/prediction-schema";
import { ProvisionedWarehouse } from "../constructs/provisioned-warehouse";
import { QueueWorker } from "../constructs/queue-worker";
import { ScheduledFunction } from "../constructs/scheduled-function";
import { ServerlessWarehouse } from "../constructs/serverless-warehouse";
import type { Warehouse } from "../constructs/warehouse";
import { useAws } from "./aws";
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
    const { capacity, logRetentionDays, kmsKeyArn, takeOver, preventDestroy, loading, jobs, pause } = environment;
    const looksEvery = lookMinutes[capacity];
    const paused = pause !== undefined;
    const kept = { logRetentionDays, kmsKeyArn };
    const cost = costOf(perMillion(environment, region), shared.prices);

    const { contract, drift } = environment.model;
    const features =
      environment.features &&
      new FeatureStore(this, "features", { ...environment.features, region, features: contract.features });
    const model = this.model(environment, shared, account);
    const network = new Network(this, "network", { ...environment.network, region });
    const keyPair = environment.keyPair && new KeyPair(this, "access", environment.keyPair);
    const bastion =
      environment.access.bastion && keyPair
        ? new Bastion(this, "bastion", {
            name: `${environment.prefix}-bastion`,
            network,
            keyName: keyPair.keyName,
            kmsKeyArn,
          })
        : undefined;
    const answers = new AnswersBucket(this, "outcomes", {
      bucket: environment.answersBucket,
      guarded: preventDestroy,
      keepDays: jobs.keepDays,
      kmsKeyArn,
    });
    const { hours } = environment.warehouse;
    const storing = {
      bundle: "dist/schema",
      contract,
      network,
      answers,
      loaderRoleName: loading.roleName,
      writerRoleName: jobs.writerRoleName,
      readerRoleNames: [environment.api.roleName],
      ...kept,
    };
    const warehouse: Warehouse =
      environment.warehouse.workgroupName === undefined
        ? new ProvisionedWarehouse(this, "warehouse", {
            ...environment.warehouse,
            ...storing,
            takeOver,
            bastion,
            paused,
            schedule: hours && { hours, region, account, prefix: environment.prefix },
          })
        : new ServerlessWarehouse(this, "warehouse", { ...environment.warehouse, ...storing, region, account });
    const inference = new QueueWorker(this, "inference", {
      ...environment.inference,
      paused,
      bundle: "dist/worker",
      ...kept,
      uses: [
        know(contract),
        ...(features ? [features.read()] : []),
        model.invoke(),
        answers.stage(),
        ...(drift ? [tell({ WATCHED_ANSWER: literally(drift.answer) })] : []),
      ],
    });
    const loader = new ScheduledFunction(this, "loading", {
      ...loading,
      everyMinutes: capacity === "steady" ? loading.everyMinutes : looksEvery, // there it decides itself when to load
      account,
      does: "loader",
      bundle: "dist/loader",
      memoryMegabytes: 512,
      timeoutSeconds: loadSeconds.run,
      ...kept,
      uses: [answers.load(), warehouse.load(), tell({ LOAD_EVERY_MINUTES: String(loading.everyMinutes) })],
    });
    const starter = new ScheduledFunction(this, "starting", {
      functionName: jobs.starterFunctionName,
      roleName: jobs.starterRoleName,
      scheduleRoleName: jobs.starterScheduleRoleName,
      account,
      does: "starter",
      everyMinutes: looksEvery,
      bundle: "dist/starter",
      memoryMegabytes: 1_769, // one whole processor: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
      timeoutSeconds: 900,
      ...kept,
      uses: [
        know(contract),
        knowRecords(features),
        answers.start(),
        inference.feed(),
        tell({ MAX_ROWS: String(jobs.maxRows) }),
      ],
    });
    if (!paused && !environment.model.endpoint && environment.model.scaling) {
      const { scaling, instanceType, workingHours } = environment.model;
      const followed = { model, instanceType, inference, starter, workingHours };
      new EndpointScaling(this, "scaling", { name: environment.prefix, ...scaling, ...followed });
    }
    const writer = new ScheduledFunction(this, "writing", {
      functionName: jobs.writerFunctionName,
      roleName: jobs.writerRoleName,
      scheduleRoleName: jobs.writerScheduleRoleName,
      account,
      does: "writer",
      everyMinutes: looksEvery,
      bundle: "dist/writer",
      memoryMegabytes: 1_769, // one core (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)
      timeoutSeconds: 900, // the longest there is: a result may have millions of rows
      ...kept,
      uses: [
        know(contract),
        knowRecords(features),
        inference.knowWorker(),
        answers.writeResults(),
        warehouse.unload(),
        new EventBus(this, "events", inference.queue.arn).put(),
      ],
    });
    const api = new PredictionApi(this, "api", {
      ...environment.api,
      bundle: "dist/api",
      ...kept,
      uses: [
        know(contract),
        knowGroup(features),
        inference.send(),
        inference.knowTimes(),
        warehouse.read(),
        answers.manageJobs(),
        starter.invoke({ STARTER_FUNCTION_NAME: starter.function.function.functionName }),
        tell({ MILLION_ROWS_USD: cost.usd.toFixed(4), MILLION_ROWS_USD_IS_AT_LEAST: String(cost.isAtLeast) }),
      ],
    });
    const watched = { inference, model, loader, starter, writer, api };
    const alarms = new Alarms(this, "alarms", {
      name: environment.prefix,
      ...watched,
      alarms: alarmsOf(environment),
      pause,
      messageRetentionSeconds: environment.inference.messageRetentionSeconds,
      drift,
      topicArn: environment.alarmTopicArn,
    });
    new Dashboard(this, "dashboard", { name: `${environment.prefix}-pipeline`, region, ...watched, alarms });
    this.keep(environment, forget, { features, model, inference, warehouse, api });
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

interface Kept {
  readonly features: FeatureStore | false;
  readonly model: Endpoint;
  readonly inference: QueueWorker;
  readonly warehouse: Warehouse;
  readonly api: PredictionApi;
}
