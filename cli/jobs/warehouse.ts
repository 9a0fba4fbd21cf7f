import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { clientSettings } from "../../pipeline/clients";
import { Results } from "../../pipeline/results";
import type { Pipeline } from "../connection";

/** The predictions of a deployed pipeline, read as the user that IAM lends to people, with more patience than a worker has. */
export const resultsOf = ({ warehouse, contract }: Pipeline) =>
  new Results(
    { ...warehouse, outputs: contract.outputs },
    new RedshiftDataClient(clientSettings({ requestTimeout: 30_000, maxAttempts: 6 })),
  );
