import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { LambdaFunctionEventInvokeConfig } from "@cdktf/provider-aws/lib/lambda-function-event-invoke-config";
import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule";
import { Construct } from "constructs";
import { type Access, allow, policyDocument, trustPolicy } from "./access";
import { NodeFunction, type NodeFunctionProps } from "./node-function";

export interface ScheduledFunctionProps extends NodeFunctionProps {
  /** What it is, as `loader`: part of its resources' addresses. */
  readonly does: string;
  /** Name of the role that the schedule invokes it with. */
  readonly scheduleRoleName: string;
  /** The account: nobody else's schedule takes on that role. */
  readonly account: string;
  /** How often it runs, in minutes. */
  readonly everyMinutes: number;
}

/**
 * A function that looks for work on a schedule, which has its name. A run that fails is not tried again: the next one does
 * its work. Two at once are harmless, so none is held back.
 */
export class ScheduledFunction extends Construct {
  readonly function: NodeFunction;

  constructor(scope: Construct, id: string, props: ScheduledFunctionProps) {
    super(scope, id);
    const { functionName, does, everyMinutes } = props;
    this.function = new NodeFunction(this, does, props);
    const { arn } = this.function.function;
    new LambdaFunctionEventInvokeConfig(this, "no_retries", {
      functionName: this.function.function.functionName,
      maximumRetryAttempts: 0,
      maximumEventAgeInSeconds: 60,
    });
    const role = new IamRole(this, "schedule_role", {
      name: props.scheduleRoleName,
      assumeRolePolicy: trustPolicy("scheduler.amazonaws.com", props.account),
    });
    const policy = new IamRolePolicy(this, "schedule_policy", {
      name: `invoke-${does}`,
      role: role.name,
      policy: policyDocument(this.invoke().statements),
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

  /** Lets its holder run it out of turn. */
  invoke(environment: Access["environment"] = {}): Access {
    return allow(["lambda:InvokeFunction"], this.function.function.arn, environment);
  }
}
