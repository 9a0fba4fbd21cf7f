/** What comes with the default instance of the contract with the model. */
export { labelledPairs, readLabelledPairs } from "./paraphrase/labelled-pairs";
export { measureAccuracy } from "./paraphrase/model-accuracy";
