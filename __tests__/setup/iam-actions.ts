import { actionsFor, callNamed } from "../../aws/call-actions";

/** A call of AWS: the service as its requests are signed for it or as it is called in policies, and the operation. */
export interface AwsCall {
  readonly service: string;
  readonly operation: string;
}

/** API Gateway's actions are the HTTP methods of its operations. */
function apiGatewayMethod(operation: string): string {
  if (operation === "TagResource") return "PUT";
  if (operation === "UntagResource") return "DELETE";
  const methods: [prefix: RegExp, method: string][] = [
    [/^(Get|Export)/, "GET"],
    [/^(Create|Import|Generate|Test)/, "POST"],
    [/^Update/, "PATCH"],
    [/^Put/, "PUT"],
    [/^(Delete|Flush)/, "DELETE"],
  ];
  const method = methods.find(([prefix]) => prefix.test(operation))?.[1];
  if (method === undefined) throw new Error(`which HTTP method is API Gateway's ${operation}?`);
  return method;
}

/**
 * The actions that IAM must allow a caller for a call, each, and one of those that ` | ` parts: `{ s3, HeadBucket }` needs
 * `s3:ListBucket`. A call of Terraform's that the table does not know needs the action of its name.
 */
export function iamActionOf({ service, operation }: AwsCall): readonly string[] {
  // Lambda's operations have the date of their version behind them in some SDKs: GetFunction20150331.
  const call = callNamed(service, operation.replace(/(20\d{6}(v\d)?)$/, ""));
  return actionsFor(call) ?? [service === "apigateway" ? `apigateway:${apiGatewayMethod(operation)}` : call];
}

/** Whether statements allow an action, on whatever resource. Their actions are named one by one, so no wildcard counts. */
export function allows(
  statements: readonly { readonly Effect: "Allow" | "Deny"; readonly Action: readonly string[] }[],
  needed: string,
): boolean {
  const named = (effect: "Allow" | "Deny", action: string) =>
    statements.some(({ Effect, Action }) => Effect === effect && Action.includes(action));
  return needed.split(" | ").some((action) => named("Allow", action) && !named("Deny", action));
}

/** What is needed of actions and not allowed. */
export const lacking = (allowed: readonly string[], needs: readonly string[]) =>
  [...new Set(needs)].filter((need) => !need.split(" | ").some((action) => allowed.includes(action)));

/** What is allowed of actions and not needed. */
export const spare = (allowed: readonly string[], needs: readonly string[]) => {
  const needed = needs.flatMap((need) => need.split(" | "));
  return [...new Set(allowed)].filter((action) => !needed.includes(action));
};
