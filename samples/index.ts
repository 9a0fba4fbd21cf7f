/** What comes with the default instance of the contract with the model. */
export { labelledPairs, readLabelledPairs } from "./paraphrase/labelled-pairs";
export { lexicalModel } from "./paraphrase/lexical-model";

/** Rows of features to ask the model about. */
export const sampleRows = "samples/paraphrase/requests.csv";

/** The archive that `npm run model:demo` makes. */
export const demoArchive = "artifact/demo.tar.gz";
