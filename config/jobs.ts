import { limits, type Range } from "../aws/limits";
import { group, whole } from "./faults";
import { naming, type Surroundings } from "./surroundings";

const keepDays: Range = {
  min: 1,
  max: 3_650,
  unit: "days",
  source:
    "S3 deletes after whole days, and ten years is assumed to be enough: https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleExpiration.html",
};

const maxRows: Range = {
  min: 1,
  max: 20_000_000,
  unit: "rows",
  source:
    "a run of the starter checks a whole input, some 25,000 rows a second, and ends after 15 minutes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
};

/** Jobs: the starter checks a file of rows and puts them on the queue, the writer writes the result. */
export const jobsSection = (around: Surroundings) => {
  const named = naming(around);
  return group({
    /** The starter's name, which its schedule has too. @default job-starter */
    starterFunctionName: named("job-starter", limits.lambda.functionName),
    /** The starter's role. @default JobStarterRole */
    starterRoleName: named("JobStarterRole", limits.iam.roleName),
    /** The role that the starter's schedule invokes it with. @default JobStarterScheduleRole */
    starterScheduleRoleName: named("JobStarterScheduleRole", limits.iam.roleName),
    /** The writer's name, which its schedule has too. @default job-writer */
    writerFunctionName: named("job-writer", limits.lambda.functionName),
    /** The writer's role, which is also the database user that it signs in as. @default JobWriterRole */
    writerRoleName: named("JobWriterRole", limits.iam.roleName),
    /** The role that the writer's schedule invokes it with. @default JobWriterScheduleRole */
    writerScheduleRoleName: named("JobWriterScheduleRole", limits.iam.roleName),
    /** How long inputs, results and what is known of jobs are kept, in days. Old versions go within a week. @default 30 */
    keepDays: whole(keepDays).prefault(30),
    /** Rows that a job may have. @default 10000000 */
    maxRows: whole(maxRows).prefault(10_000_000),
  });
};
