import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from "@aws-sdk/client-sts";
import type { Shared } from "../../config";
import { awsError, isSignInFailure, namingActions } from "../shared/aws-error";
import { type Finding, messageOf, ok, problem } from "../shared/findings";

/** Who is signed in, and whether that is the account which config.ts deploys to. Asking needs no permission. */
export async function credentials(
  { account, region }: Pick<Shared, "account" | "region">,
  settings: STSClientConfig,
): Promise<Finding> {
  const client = namingActions(new STSClient(settings));
  try {
    const { Arn = "somebody", Account } = await client.send(new GetCallerIdentityCommand());
    if (account === undefined || account === Account) return ok(`You are signed in as ${Arn}.`);
    return problem(
      `You are signed in as ${Arn}, and config.ts deploys to the account ${account} only.`,
      "Sign in to that account, or name a profile that does: AWS_PROFILE, or `profile` in config.ts.",
    );
  } catch (error) {
    const text = messageOf(awsError("ask AWS who is signed in", error));
    if (!isSignInFailure(error)) return problem(text);
    const signIn = "aws sso login signs in again; aws configure sso or aws configure makes a profile.";
    const isUnknown = error instanceof Error && error.name === "InvalidClientTokenId";
    return problem(text, isUnknown ? `${signIn} Or the account has yet to enable the region ${region}.` : signIn);
  } finally {
    client.destroy();
  }
}
