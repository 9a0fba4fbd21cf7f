/**
 * The letters of the zones that every account has, where they are not a, b and c. Zones that are full are closed to new
 * accounts, and in the oldest regions an account has its own letters for them:
 * https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html#constrained-zones
 */
const letters: Readonly<Record<string, string>> = {
  "ap-northeast-1": "ac", // older accounts have b too, and newer ones d
  "ap-northeast-2": "abcd",
  "ca-central-1": "abd",
  "cn-north-1": "abd",
  "us-east-1": "abcdef",
  "us-west-1": "", // two of a, b and c
  "us-west-2": "abcd",
};

/** Whether every account has a zone of this letter in a region. */
export const isEverybodysZone = (region: string, letter: string): boolean =>
  (letters[region] ?? "abc").includes(letter);
