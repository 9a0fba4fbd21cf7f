import { environmentOf } from "../../cli/connection";
import { loadConfig } from "../../config";

/** The environment dev of the project's own configuration. */
export const { environment: dev } = environmentOf(loadConfig(), "dev");
