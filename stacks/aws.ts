import { ArchiveProvider } from "@cdktf/provider-archive/lib/provider";
import { DataAwsCallerIdentity } from "@cdktf/provider-aws/lib/data-aws-caller-identity";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { S3Backend, type TerraformStack } from "cdktf";
import type { Shared } from "../config";
import { oldestTerraform } from "./terraform-version";

/**
 * Gives a stack its providers and its backend: the account and region, tags on every resource, state in S3.
 * @returns the account
 */
export function useAws(
  stack: TerraformStack,
  shared: Shared,
  tags: Record<string, string>,
  stateKey: string,
): { readonly account: string } {
  const { region, profile, account, stateBucket, kmsKeyArn: kmsKeyId } = shared;
  new AwsProvider(stack, "aws", {
    region,
    profile,
    allowedAccountIds: account === undefined ? undefined : [account],
    defaultTags: [{ tags }],
  });
  new ArchiveProvider(stack, "archive");
  new S3Backend(stack, { bucket: stateBucket, key: stateKey, region, profile, encrypt: true, kmsKeyId });
  stack.addOverride("terraform.backend.s3.use_lockfile", true);
  stack.addOverride("terraform.required_version", `>= ${oldestTerraform}`);
  return { account: account ?? new DataAwsCallerIdentity(stack, "account").accountId };
}
