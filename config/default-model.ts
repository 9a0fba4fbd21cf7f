import type { ModelContract } from "../contract/model-contract";

/** The default instance of the contract: a classifier of sentence pairs. */
export const defaultContract: ModelContract = {
  features: [
    { name: "seq_0", type: "String", optional: false },
    { name: "seq_1", type: "String", optional: false },
  ],
  request: "json",
  answer: "text",
  outputs: [],
};

/** The name of the model that it is about. */
export const defaultModelName = "paraphrase-bert-en";

/** What a model's resources are called by default, without the prefix. */
export interface DefaultNames {
  readonly vpc: string;
  readonly featureGroup: string;
  /** A group of other features than the default model's, before their id. */
  readonly featureGroupOfOthers: string;
  readonly model: string;
  readonly endpointConfiguration: string;
  readonly endpoint: string;
  /** It gets no prefix. */
  readonly variant: string;
  readonly artifactKey: string;
  readonly worker: string;
  readonly workerRole: string;
  readonly loader: string;
  readonly loaderRole: string;
  readonly cluster: string;
  readonly api: string;
  readonly apiDescription: string;
}

const featureGroup = "paraphrase-feature-group";

/** The original's names. */
const originalNames: DefaultNames = {
  vpc: "paraphrase-bert-vpc",
  featureGroup,
  featureGroupOfOthers: defaultModelName,
  model: "paraphrase-bert-en-tf",
  endpointConfiguration: "paraphrase-bert-en-conf-tf",
  endpoint: "paraphrase-bert-en-endpoint",
  variant: "paraphrase-bert-en-conf",
  artifactKey: "bert-seq-classification/traced_model.tar.gz",
  worker: "bert-paraphrase-tf",
  workerRole: "BertParaphraseModelLambdaRoleTF",
  loader: "bert-paraphrase-loader",
  loaderRole: "BertParaphraseLoaderRole",
  cluster: "paraphrase-redshift-cluster",
  api: "paraphrase-bert-rest-api",
  apiDescription: `API for ${defaultModelName}`,
};

/** The default names of a model: those of the original for the default model, and plain ones for any other. */
export const defaultNamesOf = (model: string): DefaultNames =>
  model === defaultModelName
    ? originalNames
    : {
        vpc: `${model}-vpc`,
        featureGroup,
        featureGroupOfOthers: model,
        model,
        endpointConfiguration: model,
        endpoint: model,
        variant: model,
        artifactKey: `${model}/model.tar.gz`,
        worker: `${model}-worker`,
        workerRole: `${model}-worker`,
        loader: `${model}-loader`,
        loaderRole: `${model}-loader`,
        cluster: model,
        api: model,
        apiDescription: `API for ${model}`,
      };
