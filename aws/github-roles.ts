import { arnIn } from "./partitions";

/** What GitHub's roles and their limits are called. */

/** The path of what limits GitHub's workflows, roles and policies: outside of what a deployment may change. */
export const githubPath = "/github/";

/** Who vouches for GitHub's workflows. */
export const githubIssuer = "token.actions.githubusercontent.com";

/** The one OIDC provider that an account can have for GitHub. */
export const githubProviderArn = (account: string, region: string) =>
  arnIn(region, `iam::${account}:oidc-provider/${githubIssuer}`);

/** The policy that is the permissions boundary of an environment's roles, whose names start with a prefix. */
export const boundaryArn = ({ account, region, prefix }: Readonly<Record<"account" | "region" | "prefix", string>>) =>
  arnIn(region, `iam::${account}:policy${githubPath}${boundaryName(prefix)}`);
export const boundaryName = (prefix: string) => `${prefix}-boundary`;

/** The role that an environment is deployed with from GitHub. */
export const deployRoleName = (prefix: string) => `${prefix}-deploy`;
