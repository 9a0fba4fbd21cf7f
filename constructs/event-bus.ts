import { Fn, TerraformLocal } from "cdktf";
import { Construct } from "constructs";
import { type Access, allow } from "./access";

/** The default bus of EventBridge, which each account has in each region. */
export class EventBus extends Construct {
  private readonly arn: string;

  /** @param neighbourArn of any resource of the same region and account */
  constructor(scope: Construct, id: string, neighbourArn: string) {
    super(scope, id);
    const part = (place: number) => Fn.element(Fn.split(":", neighbourArn), place);
    const arn = Fn.join(":", ["arn", part(1), "events", part(3), part(4), "event-bus/default"]);
    this.arn = new TerraformLocal(this, "arn", arn).asString;
  }

  /** Lets its holder put events on it. */
  put(): Access {
    return allow(["events:PutEvents"], this.arn);
  }
}
