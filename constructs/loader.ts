import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { LambdaFunctionEventInvokeConfig } from "@cdktf/provider-aws/lib/lambda-function-event-invoke-config";
import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule";
import { Construct } from "constructs";
import { type Access, policyDocument, trustPolicy } from "./access";
import { NodeFunction } from "./node-function";
import { loadSeconds } from "./prediction-schema";

export interface LoaderProps {
  /** Its schedule has the same name. */
  readonly functionName: string;
  readonly roleName: string;
  /** Name of the role that the schedule invokes it with. */
  readonly scheduleRoleName: string;
  /** How often it runs, in minutes. */
  readonly everyMinutes: number;
  readonly bundle: string;
  readonly logRetentionDays: number;
  /** All that the function may do, and all that it is told. */
  readonly uses: Access[];
}

/**
 * The function that moves staged outcomes into the warehouse, and its schedule. A run that fails is not tried again: the
 * next one does its work. Two at once are harmless, so none is held back.
 */
export class Loader extends Construct {
  readonly function: NodeFunction;

  constructor(scope: Construct, id: string, props: LoaderProps) {
    super(scope, id);
    const { functionName, everyMinutes } = props;
    this.function = new NodeFunction(this, "loader", {
      ...props,
      memoryMegabytes: 512,
      timeoutSeconds: loadSeconds.run,
    });
    const { arn } = this.function.function;
    new LambdaFunctionEventInvokeConfig(this, "no_retries", {
      functionName: this.function.function.functionName,
      maximumRetryAttempts: 0,
      maximumEventAgeInSeconds: 60,
    });
    const role = new IamRole(this, "schedule_role", {
      name: props.scheduleRoleName,
      assumeRolePolicy: trustPolicy("scheduler.amazonaws.com"),
    });
    const policy = new IamRolePolicy(this, "schedule_policy", {
      name: "invoke-loader",
      role: role.name,
      policy: policyDocument([{ actions: ["lambda:InvokeFunction"], resources: [arn] }]),
    });
    new SchedulerSchedule(this, "schedule", {
      name: functionName,
      scheduleExpression: `rate(${everyMinutes} minute${everyMinutes === 1 ? "" : "s"})`,
      flexibleTimeWindow: { mode: "OFF" },
      target: {
        arn,
        roleArn: role.arn,
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      },
      dependsOn: [policy],
    });
  }
}
