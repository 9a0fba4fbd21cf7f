import { dev, faults, faultsWith, settings } from "../setup/settings";

describe("the network", () => {
  const second = { cidrBlock: "10.0.3.0/24", availabilityZone: "us-west-1c" };
  const network = (cidrBlock: string, ...subnets: object[]) => faults(settings({ network: { cidrBlock, subnets } }));

  test("has its subnets inside the VPC", () => {
    expect(network("10.1.0.0/16", { cidrBlock: "10.1.255.0/24" }, { cidrBlock: "10.2.0.0/24" })).toEqual([
      expect.stringContaining(
        'environments.dev.network.subnets[1].cidrBlock: got "10.2.0.0/24"; allowed: a block inside the VPC\'s 10.1.0.0/16',
      ),
    ]);
  });

  test("has subnets that do not overlap", () => {
    expect(network("10.1.0.0/16", { cidrBlock: "10.1.0.0/24" }, { cidrBlock: "10.1.0.128/25" })).toEqual([
      expect.stringContaining(
        'environments.dev.network.subnets[1].cidrBlock: got "10.1.0.128/25"; allowed: a block that shares no address with 10.1.0.0/24',
      ),
    ]);
  });

  test("has subnets in different zones of the region", () => {
    expect(
      network(
        "10.1.0.0/16",
        { cidrBlock: "10.1.0.0/24", availabilityZone: "us-east-1b" },
        { cidrBlock: "10.1.1.0/24" },
      ),
    ).toEqual([
      expect.stringContaining(
        'subnets[1].availabilityZone: got "us-east-1b"; allowed: a zone that no other subnet is in',
      ),
    ]);
    for (const availabilityZone of ["eu-west-1a", "us-east-1", "us-east-1ab", "aus-east-1"]) {
      expect(
        network("10.1.0.0/16", { cidrBlock: "10.1.0.0/24", availabilityZone }, { cidrBlock: "10.1.1.0/24" }),
      ).toEqual([
        expect.stringContaining(`subnets[0].availabilityZone: got "${availabilityZone}"; allowed: a zone of us-east-1`),
      ]);
    }
  });

  test.each([
    ["us-west-1", [0, 1, 2]],
    ["ap-northeast-1", [1]],
    ["ca-central-1", [2]],
    ["cn-north-1", [2]],
    ["eu-central-1", []],
    ["us-gov-west-1", []],
  ])("in %s asks for the zones that not every account has, of subnets %j", (region, asked) => {
    const subnets = [0, 1, 2].map((index) => ({ cidrBlock: `10.0.${index}.0/24` }));
    expect(faults(settings({ network: { subnets } }, { region }))).toEqual(
      asked.map((index) =>
        expect.stringMatching(
          `^environments\\.dev\\.network\\.subnets\\[${index}\\]\\.availabilityZone: got nothing; allowed: the name of a zone ` +
            `that your account has, .*: aws ec2 describe-availability-zones --region ${region} \\(https://`,
        ),
      ),
    );
    const named = subnets.map((subnet, index) => ({ ...subnet, availabilityZone: `${region}${"acd".charAt(index)}` }));
    expect(dev({ network: { subnets: named } }, { region }).network.subnets).toEqual(named);
  });

  test("asks for no zone of the first subnet that is taken over, which stays where AWS has put it", () => {
    const { network } = dev(
      { takeOver: true, network: { subnets: [{ cidrBlock: "10.0.2.0/24" }, second] } },
      { region: "us-west-1" },
    );
    expect(network.subnets).toEqual([{ cidrBlock: "10.0.2.0/24", availabilityZone: undefined }, second]);
  });

  test("has two to six subnets", () => {
    const subnets = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ cidrBlock: `10.1.${index}.0/24` }));
    expect([1, 2, 6, 7].filter((count) => network("10.1.0.0/16", ...subnets(count)).length > 0)).toEqual([1, 7]);
  });

  test.each(["10.0.0.0/15", "10.0.0.0/29", "10.0.0.1/16", "10.0.0.0", "nonsense"])(
    "may not have the addresses %s",
    (cidrBlock) => {
      expect(faultsWith("network.cidrBlock", cidrBlock)).toEqual([
        expect.stringContaining(
          `environments.dev.network.cidrBlock: got "${cidrBlock}"; allowed: an IPv4 block such as "10.0.0.0/16", its first address and 16 to 28 bits (https://`,
        ),
      ]);
    },
  );
});
