import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import type { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule";
import { Construct } from "constructs";
import { arnIn } from "../aws/partitions";
import { cronOf, type WarehouseHours } from "../config/hours";
import { policyDocument, trustPolicy } from "./access";

export interface PauseScheduleProps {
  readonly cluster: RedshiftCluster;
  /** When it is available. */
  readonly hours: WarehouseHours;
  readonly region: string;
  /** Starts the names of the schedules. */
  readonly prefix: string;
  /** The account: nobody else's schedule takes on the role. */
  readonly account: string;
}

/**
 * Pauses a cluster at the end of its hours, and resumes it at their beginning. EventBridge Scheduler calls Redshift itself
 * (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html), and knows time zones, which
 * Redshift's own scheduled actions do not.
 */
export class PauseSchedule extends Construct {
  constructor(scope: Construct, id: string, props: PauseScheduleProps) {
    super(scope, id);
    const { cluster, hours, region, prefix } = props;
    const role = new IamRole(this, "role", {
      name: hours.roleName,
      assumeRolePolicy: trustPolicy("scheduler.amazonaws.com", props.account),
    });
    const policy = new IamRolePolicy(this, "policy", {
      name: "pause-and-resume",
      role: role.name,
      policy: policyDocument([
        { actions: ["redshift:PauseCluster", "redshift:ResumeCluster"], resources: [cluster.arn] },
      ]),
    });
    for (const [does, when] of [
      ["pause", "end"],
      ["resume", "begin"],
    ] as const) {
      new SchedulerSchedule(this, does, {
        name: `${prefix}-warehouse-${does}`,
        scheduleExpression: cronOf(hours, when),
        scheduleExpressionTimezone: hours.timeZone,
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: arnIn(region, `scheduler:::aws-sdk:redshift:${does}Cluster`),
          roleArn: role.arn,
          input: JSON.stringify({ ClusterIdentifier: cluster.clusterIdentifier }),
          // A cluster that is on its way to another state takes neither call, for some minutes.
          retryPolicy: { maximumRetryAttempts: 30, maximumEventAgeInSeconds: 3_600 },
        },
        dependsOn: [policy],
      });
    }
  }
}
