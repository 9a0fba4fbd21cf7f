/** A part of AWS with accounts, ARNs and a domain of its own. */
export interface Partition {
  /** What its ARNs begin with behind `arn:`. */
  readonly name: string;
  /**
   * The domain of its endpoints and of its registries of images. The services that roles are for end with amazonaws.com in
   * all of them (https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_iam.ServicePrincipalOpts.html).
   */
  readonly dnsSuffix: string;
}

/** The partition of the regions that begin with none of the below. */
const commercial: Partition = { name: "aws", dnsSuffix: "amazonaws.com" };

/** The others, by what their regions begin with: https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json */
const others: Readonly<Record<string, Partition>> = {
  "cn-": { name: "aws-cn", dnsSuffix: "amazonaws.com.cn" },
  "us-gov-": { name: "aws-us-gov", dnsSuffix: "amazonaws.com" },
  "eusc-": { name: "aws-eusc", dnsSuffix: "amazonaws.eu" },
  "us-iso-": { name: "aws-iso", dnsSuffix: "c2s.ic.gov" },
  "us-isob-": { name: "aws-iso-b", dnsSuffix: "sc2s.sgov.gov" },
  "eu-isoe-": { name: "aws-iso-e", dnsSuffix: "cloud.adc-e.uk" },
  "us-isof-": { name: "aws-iso-f", dnsSuffix: "csp.hci.ic.gov" },
};

/** Every partition that there is. */
export const partitions: readonly Partition[] = [commercial, ...Object.values(others)];

/** The partition that a region is in. */
export function partitionOf(region: string): Partition {
  return Object.entries(others).find(([start]) => region.startsWith(start))?.[1] ?? commercial;
}

/** An ARN as its region has it: `s3:::bucket` is `arn:aws:s3:::bucket`, and `arn:aws-cn:s3:::bucket` in China. */
export const arnIn = (region: string, resource: string) => `arn:${partitionOf(region).name}:${resource}`;
