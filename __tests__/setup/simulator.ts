import { runSimulation } from "@cloud-copilot/iam-simulate";
import type { statementsOf } from "./synth";

/** A call of AWS, as IAM is asked whether it is allowed. */
export interface AskedCall {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string | string[]>>;
}

/** What a role may do: its policies, and the policy that is its permissions boundary. */
export interface Holder {
  readonly policies: ReturnType<typeof statementsOf>;
  /** @default it has none */
  readonly boundary?: ReturnType<typeof statementsOf>;
}

/** The account that everything is in here. */
export const account = "000000000000";

/** Who acts, where a policy says `${aws:userid}`. */
export const user = "AROAHOLDER:session";

/** A KMS key lets IAM decide: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html */
const defaultKeyPolicy = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "kms:*", Resource: "*" }],
};

/** Whether AWS lets a role make a call, by a simulation of IAM's rules. @throws where IAM knows no such call */
export async function lets({ policies, boundary }: Holder, { action, resource, context = {} }: AskedCall) {
  const document = (statements: Holder["policies"]) => ({
    name: "policy",
    // Terraform's `$${` is `${` in AWS.
    policy: JSON.parse(JSON.stringify({ Version: "2012-10-17", Statement: statements }).replaceAll("$${", "${")),
  });
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${account}:assumed-role/holder/session`,
        action,
        resource: { resource, accountId: account },
        contextVariables: { "aws:userid": user, ...context },
      },
      identityPolicies: [document(policies)],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: action.startsWith("kms:") ? defaultKeyPolicy : undefined,
      permissionBoundaryPolicies: boundary && [document(boundary)],
    },
    {},
  );
  if (result.resultType === "error") throw new Error(`${action} on ${resource}: ${JSON.stringify(result.errors)}`);
  return result.overallResult === "Allowed";
}
