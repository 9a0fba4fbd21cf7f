import { limits, type Range } from "../aws/limits";
import { group, whole } from "./faults";
import { naming, type Surroundings } from "./surroundings";

const everyMinutes: Range = {
  min: 1,
  max: 60,
  unit: "minutes",
  source:
    "the schedule knows whole minutes, and answers shall be there within the hour: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html",
};

/** The loader, which moves into the warehouse what the workers have staged. */
export const loadingSection = (around: Surroundings) => {
  const named = naming(around);
  return group({
    /** The loader's name, which its schedule has too. @default `model.name` and `-loader` */
    functionName: named(around.names.loader, limits.lambda.functionName),
    /** The loader's role, which is also the database user that it signs in as. @default `model.name` and `-loader` */
    roleName: named(around.names.loaderRole, limits.iam.roleName),
    /** The role that the schedule invokes it with. @default LoadingScheduleRole */
    scheduleRoleName: named("LoadingScheduleRole", limits.iam.roleName),
    /**
     * How often it loads, in minutes. With nothing staged a run asks the warehouse nothing. On demand it loads when the oldest
     * answer is so old, or much is staged, since each load wakes the warehouse. @default 1, or 60 on demand
     */
    everyMinutes: whole(everyMinutes).prefault(around.capacity === "on-demand" ? 60 : 1),
  });
};
