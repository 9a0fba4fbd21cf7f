import { faults, faultsWith, settings } from "../setup/settings";

describe("the network", () => {
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
