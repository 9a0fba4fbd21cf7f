/** The regions in which a workgroup of Redshift Serverless may have 4 RPUs, where the least of all others is 8. */
const withFour: readonly string[] = [
  ...["us-east-1", "us-east-2", "us-west-1", "us-west-2"],
  ...["ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2"],
  ...["eu-north-1", "eu-west-1"],
];

/**
 * The least base capacity that a workgroup may have in a region, in RPUs.
 * https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html
 */
export const leastRpus = (region: string): number => (withFour.includes(region) ? 4 : 8);

/** The least that a workgroup is paid for once it is asked something, in seconds: https://aws.amazon.com/redshift/pricing/ */
export const leastPaidSeconds = 60;
