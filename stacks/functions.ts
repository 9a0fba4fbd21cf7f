import type { Environment } from "../config";
import { lookMinutes } from "../config/surroundings";
import { loadSeconds } from "../constructs/prediction-schema";

/** One whole core: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const oneCoreMegabytes = 1_769;
/** The longest there is: a job may have millions of rows. */
const longestSeconds = 900;

/** What each function of an environment is, beside what it may use. */
export function functionsOf(environment: Environment, account: string) {
  const { capacity, loading, jobs, pause, inference, api, logRetentionDays, kmsKeyArn } = environment;
  const everyMinutes = lookMinutes[capacity];
  const kept = { logRetentionDays, kmsKeyArn };
  const ofJobs = (does: "starter" | "writer") => ({
    functionName: jobs[`${does}FunctionName`],
    roleName: jobs[`${does}RoleName`],
    scheduleRoleName: jobs[`${does}ScheduleRoleName`],
    account,
    does,
    everyMinutes,
    bundle: `dist/${does}`,
    memoryMegabytes: oneCoreMegabytes,
    timeoutSeconds: longestSeconds,
    ...kept,
  });
  return {
    worker: { ...inference, paused: pause !== undefined, bundle: "dist/worker", ...kept },
    loader: {
      ...loading,
      everyMinutes: capacity === "steady" ? loading.everyMinutes : everyMinutes, // there it decides itself when to load
      account,
      does: "loader",
      bundle: "dist/loader",
      memoryMegabytes: 512,
      timeoutSeconds: loadSeconds.run,
      ...kept,
    },
    starter: ofJobs("starter"),
    writer: ofJobs("writer"),
    api: { ...api, bundle: "dist/api", ...kept },
  };
}
