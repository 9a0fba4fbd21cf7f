import { setTimeout } from "node:timers/promises";
import {
  DescribeClustersCommand,
  PauseClusterCommand,
  RedshiftClient,
  ResumeClusterCommand,
} from "@aws-sdk/client-redshift";
import { z } from "zod";
import { clientSettings, type Until } from "../../pipeline/clients";
import { failedTo, namingActions } from "../shared/aws-error";

/** Between two looks at a cluster, in milliseconds. */
const interval = 15_000;

const described = z.tuple([z.object({ ClusterStatus: z.string() })]);

/** States that end by themselves: https://docs.aws.amazon.com/redshift/latest/mgmt/rs-mgmt-cluster-status.html */
const onItsWay =
  /pausing|resuming|modifying|rebooting|renaming|resizing|rotating|updating|maintenance|prep-for|creating/;

/** Where a cluster is, and whom it is asked as. */
export interface ClusterAccess {
  /** @default AWS's usual environment */
  readonly region?: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

/** A Redshift cluster. */
export class Cluster {
  private readonly client: RedshiftClient;

  constructor(
    private readonly name: string,
    access: ClusterAccess = {},
  ) {
    this.client = namingActions(new RedshiftClient({ ...clientSettings({ requestTimeout: 10_000 }), ...access }));
  }

  /** As Redshift has it: available, paused, pausing ... */
  async status({ signal: abortSignal }: Until): Promise<string> {
    const command = new DescribeClustersCommand({ ClusterIdentifier: this.name });
    const { Clusters } = await this.client
      .send(command, { abortSignal })
      .catch(failedTo(`look at the cluster ${this.name}`));
    return described.parse(Clusters)[0].ClusterStatus;
  }

  /** Pauses it, and waits until it is paused. */
  pause(until: Until): Promise<void> {
    return this.reach("paused", "available", until, () =>
      this.client
        .send(new PauseClusterCommand({ ClusterIdentifier: this.name }))
        .catch(failedTo(`pause the cluster ${this.name}`)),
    );
  }

  /** Resumes it, and waits until it is available. */
  resume(until: Until): Promise<void> {
    return this.reach("available", "paused", until, () =>
      this.client
        .send(new ResumeClusterCommand({ ClusterIdentifier: this.name }))
        .catch(failedTo(`resume the cluster ${this.name}`)),
    );
  }

  /** @param call what leads there from another state; what is on its way is waited for */
  private async reach(wanted: string, from: string, until: Until, call: () => Promise<unknown>): Promise<void> {
    let isCalled = false;
    let said: string | undefined;
    for (;;) {
      const status = await this.status(until);
      if (status === wanted) return;
      if (status === from && !isCalled) {
        await call();
        isCalled = true;
        continue;
      }
      if (status !== from && !onItsWay.test(status))
        throw new Error(`The cluster ${this.name} is ${status}, and so can be neither paused nor resumed.`);
      if (status !== said) console.error(`The cluster ${this.name} is ${status} ...`);
      said = status;
      await setTimeout(interval, undefined, { signal: until.signal });
    }
  }

  close() {
    this.client.destroy();
  }
}
