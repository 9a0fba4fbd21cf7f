import { dev } from "../setup/dev";

/** The texts in a value that are names by default, by their paths: those that start with the prefix, or tell of the model. */
function namesIn(value: unknown, path: readonly string[] = []): [string, string][] {
  if (typeof value === "string") return /^\/?poc|paraphrase/.test(value) ? [[path.join("."), value]] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]) => namesIn(inner, [...path, field]));
}

test("the environment dev has these names and no others, most of them the original's", () => {
  expect(Object.fromEntries(namesIn(dev))).toEqual({
    prefix: "poc-dev",
    namesParameter: "/poc-dev/names",
    "network.name": "poc-dev-paraphrase-bert-vpc",
    "features.groupName": "poc-dev-paraphrase-feature-group",
    "features.roleName": "poc-dev-FeatureStoreRole",
    "model.modelName": "poc-dev-paraphrase-bert-en-tf",
    "model.endpointConfigurationName": "poc-dev-paraphrase-bert-en-conf-tf",
    "model.endpointName": "poc-dev-paraphrase-bert-en-endpoint",
    "model.variantName": "paraphrase-bert-en-conf",
    "model.executionRoleName": "poc-dev-SagemakerModelExecutionRole",
    "inference.functionName": "poc-dev-bert-paraphrase-tf",
    "inference.roleName": "poc-dev-BertParaphraseModelLambdaRoleTF",
    "inference.queueName": "poc-dev-inference_queue",
    "loading.functionName": "poc-dev-bert-paraphrase-loader",
    "loading.roleName": "poc-dev-BertParaphraseLoaderRole",
    "loading.scheduleRoleName": "poc-dev-LoadingScheduleRole",
    "jobs.starterFunctionName": "poc-dev-job-starter",
    "jobs.starterRoleName": "poc-dev-JobStarterRole",
    "jobs.starterScheduleRoleName": "poc-dev-JobStarterScheduleRole",
    "jobs.writerFunctionName": "poc-dev-job-writer",
    "jobs.writerRoleName": "poc-dev-JobWriterRole",
    "jobs.writerScheduleRoleName": "poc-dev-JobWriterScheduleRole",
    "warehouse.clusterIdentifier": "poc-dev-paraphrase-redshift-cluster",
    "warehouse.subnetGroupName": "poc-dev-redshift-subnet-group",
    "warehouse.copyRoleName": "poc-dev-WarehouseCopyRole",
    "warehouse.unloadRoleName": "poc-dev-WarehouseUnloadRole",
    "warehouse.schemaFunctionName": "poc-dev-warehouse-schema",
    "warehouse.schemaRoleName": "poc-dev-WarehouseSchemaRole",
    "api.name": "poc-dev-paraphrase-bert-rest-api",
    "api.description": "API for paraphrase-bert-en",
    "api.functionName": "poc-dev-prediction-api",
    "api.roleName": "poc-dev-PredictionApiRole",
  });
});

test("its model is asked about two sentences, and says in words what they are to each other", () => {
  expect(dev.model.contract).toEqual({
    features: [
      { name: "seq_0", type: "String", optional: false },
      { name: "seq_1", type: "String", optional: false },
    ],
    request: "json",
    answer: "text",
    outputs: [],
  });
});
