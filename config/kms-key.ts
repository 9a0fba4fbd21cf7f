import type { NameLimit } from "../aws/limits";
import { arnIn } from "../aws/partitions";
import { type Rule, text } from "./faults";

const keyArn: NameLimit = {
  pattern: /^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
  maximumLength: 256,
  allowed:
    "the ARN of a KMS key itself, arn:<partition>:kms:<region>:<account>:key/<id>, for roles are allowed no alias",
  source: "https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html",
};

/** A KMS key that is the customer's. */
export const kmsKeyArn = () => text(keyArn).optional();

/** That the key is where it is used. */
export const keyIsIn = <Value extends { readonly kmsKeyArn?: string }>(
  regionOf: (value: Value) => string | undefined,
): Rule<Value> => ({
  of: ["kmsKeyArn"],
  holds: (value) => {
    const region = regionOf(value);
    return region === undefined || (value.kmsKeyArn?.startsWith(arnIn(region, `kms:${region}:`)) ?? true);
  },
  allowed: (value) => `a key in ${regionOf(value)}, where what it encrypts is`,
  source: "https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html",
});
