import { z } from "zod";
import { isEverybodysZone } from "../aws/availability-zones";
import { isInside, overlap, parseCidr } from "../aws/cidr";
import { isWithin, limits } from "../aws/limits";
import { fault, got, group, type Rule, refuse, ruled } from "./faults";
import { naming, type Surroundings } from "./surroundings";

const { prefixLength, subnetSource } = limits.vpc;

const cidrBlock = (source: string) => {
  const error = refuse(
    `an IPv4 block such as "10.0.0.0/16", its first address and ${prefixLength.min} to ${prefixLength.max} bits`,
    source,
  );
  return z.string({ error }).refine((value) => isWithin(parseCidr(value)?.prefixLength ?? 0, prefixLength), { error });
};

/** The VPC of the warehouse. */
export const networkSection = (around: Surroundings) => {
  const named = naming(around);
  return ruled(
    group({
      /** The VPC's name. @default `model.name` and `-vpc` */
      name: named(around.names.vpc, limits.tags.value),
      /** The VPC's addresses. @default 10.0.0.0/16 */
      cidrBlock: cidrBlock(prefixLength.source).prefault("10.0.0.0/16"),
      /**
       * The private subnets, two or more in different zones, or three on demand.
       * @default 10.0.2.0/24 and 10.0.3.0/24, and on demand 10.0.4.0/24
       */
      subnets: subnetList(around),
    }),
    [subnetsRule(around)],
  );
};

const subnetList = (around: Surroundings) => {
  const { region } = around;
  const onDemand = around.capacity === "on-demand";
  const least = onDemand ? 3 : 2;
  const subnet = group({
    /** The subnet's addresses, inside the VPC's. */
    cidrBlock: cidrBlock(subnetSource),
    /**
     * Asked for where not every account has the default. @default the region's zone a for the first subnet, b for
     * the second, and so on; where `takeOver` is set, the first stays in the zone that AWS chose for it
     */
    availabilityZone: z
      .string({ error: refuse("the name of a zone") })
      .refine((zone) => region === undefined || [..."abcdef"].some((letter) => zone === region + letter), {
        error: refuse(`a zone of ${region}, such as "${region}a"`, subnetSource),
      })
      .optional(),
  });
  return z
    .array(subnet, { error: refuse("a list of subnets") })
    .min(least, {
      error: onDemand
        ? refuse("three subnets or more on demand, each in a zone of its own", limits.redshift.serverlessSource)
        : refuse("two subnets or more, each in a zone of its own"),
    })
    .max(6, { error: refuse("six subnets or fewer, each in a zone of its own") })
    .transform((subnets) =>
      subnets.map(({ cidrBlock, availabilityZone }, index) => {
        const letter = "abcdef".charAt(index);
        const hasDefault = region !== undefined && isEverybodysZone(region, letter) && !staysWhereItIs(around, index);
        return { cidrBlock, availabilityZone: availabilityZone ?? (hasDefault ? region + letter : undefined) };
      }),
    )
    .prefault(["10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24"].slice(0, least).map((cidrBlock) => ({ cidrBlock })));
};

/** Whether a subnet stays in the zone that AWS chose for it. */
const staysWhereItIs = ({ takeOver }: Surroundings, index: number) => takeOver && index === 0;

interface Network {
  readonly cidrBlock: string;
  readonly subnets: readonly { readonly cidrBlock: string; readonly availabilityZone?: string }[];
}

/** That the subnets lie in the VPC, apart from each other and each in a zone. */
const subnetsRule = (around: Surroundings): Rule<Network> => ({
  of: ["subnets", "cidrBlock"],
  faults: ({ cidrBlock: vpc, subnets }) =>
    subnets.flatMap((subnet, index) => {
      const { availabilityZone } = subnet;
      const earlier = subnets.slice(0, index);
      const shared = earlier.find((other) => overlap(other.cidrBlock, subnet.cidrBlock));
      const zoneTaken = earlier.some((other) => availabilityZone && other.availabilityZone === availabilityZone);
      const zoneMissing = availabilityZone === undefined && !staysWhereItIs(around, index);
      const refused = (field: keyof typeof subnet, allowed: string) =>
        fault(["subnets", index, field], got(subnet[field], allowed, subnetSource));
      return [
        ...(isInside(subnet.cidrBlock, vpc) ? [] : [refused("cidrBlock", `a block inside the VPC's ${vpc}`)]),
        ...(shared ? [refused("cidrBlock", `a block that shares no address with ${shared.cidrBlock}`)] : []),
        ...(zoneTaken ? [refused("availabilityZone", "a zone that no other subnet is in")] : []),
        ...(zoneMissing && around.region ? [refused("availabilityZone", zoneOfYours(around.region))] : []),
      ];
    }),
});

const zoneOfYours = (region: string) =>
  `the name of a zone that your account has, for not every account has the same in ${region}: ` +
  `aws ec2 describe-availability-zones --region ${region}`;
