import { DescribeEndpointCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { clientSettings, reasonOf, type Until } from "./clients";
import { Failure } from "./failures";

/** How long what was looked up is held to be true, in milliseconds. */
const heldFor = 60_000;

/**
 * Says which model answers at an endpoint that is none of this project's: the name of its endpoint configuration. It is
 * looked up at most once a minute, so that for a minute after a change the one before may be named.
 */
export class EndpointConfiguration {
  private held?: { readonly name: string; readonly since: number };

  constructor(
    private readonly endpointName: string,
    private readonly client = new SageMakerClient(clientSettings({ requestTimeout: 3_000 })),
  ) {}

  /** The configuration's name, or why it is not known now. Never throws. */
  async name(until?: Until): Promise<string | Failure> {
    if (this.held && performance.now() - this.held.since < heldFor) return this.held.name;
    try {
      const command = new DescribeEndpointCommand({ EndpointName: this.endpointName });
      const { EndpointConfigName: name } = await this.client.send(command, { abortSignal: until?.signal });
      if (name === undefined) throw new Error("the answer names none");
      this.held = { name, since: performance.now() };
      return name;
    } catch (error) {
      const reason = `the endpoint's configuration could not be looked up: ${reasonOf(error)}`;
      return new Failure("endpoint_failed", reason, "later");
    }
  }
}
