import { accountId, credentialsOf } from "./credentials";
import { element, elements, fault, xml } from "./query-protocol";
import { serveSigned } from "./signature";
import type { StandIn } from "./stand-in";

/** How long credentials of a role hold, in milliseconds. */
const heldFor = 3_600_000;

/**
 * Starts STS with roles that anybody with a secret of this run may take on.
 * @param roles their names
 */
export function startSts(roles: readonly string[]): Promise<StandIn> {
  return serveSigned(({ body }) => {
    const asked = new URLSearchParams(body.toString());
    const action = asked.get("Action");
    if (action !== "AssumeRole") return fault("InvalidAction", 400, `no operation ${action}`);
    const arn = asked.get("RoleArn") ?? "";
    const role = arn.split("/").at(-1) ?? "";
    if (!roles.includes(role) || arn !== `arn:aws:iam::${accountId}:role/${role}`) {
      return fault("AccessDenied", 403, `User is not authorized to perform: sts:AssumeRole on resource: ${arn}`);
    }
    const { accessKeyId, secretAccessKey } = credentialsOf(role);
    const credentials = elements({
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: "of this run",
      Expiration: new Date(Date.now() + heldFor).toISOString(),
    });
    const result = element("AssumeRoleResult", element("Credentials", credentials));
    return xml(200, element("AssumeRoleResponse", result));
  });
}
