import { z } from "zod";
import { clientSettings } from "../../pipeline/clients";
import { withClient } from "./aws-error";

const taken = z.object({
  Credentials: z.object({
    AccessKeyId: z.string(),
    SecretAccessKey: z.string(),
    SessionToken: z.string(),
    Expiration: z.date(),
  }),
});

/**
 * The credentials of a role that whoever is signed in takes on, for a client that asks for them when it needs them, and
 * anew before they expire.
 */
export const inRole = (RoleArn: string) => async () => {
  const { AssumeRoleCommand, STSClient } = await import("@aws-sdk/client-sts");
  const sts = new STSClient(clientSettings({ requestTimeout: 10_000 }));
  return withClient(sts, `take on the role ${RoleArn}`, async (client) => {
    const command = new AssumeRoleCommand({ RoleArn, RoleSessionName: "offline-inference" });
    const { Credentials } = taken.parse(await client.send(command));
    return {
      accessKeyId: Credentials.AccessKeyId,
      secretAccessKey: Credentials.SecretAccessKey,
      sessionToken: Credentials.SessionToken,
      expiration: Credentials.Expiration,
    };
  });
};
