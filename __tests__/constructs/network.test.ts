import { Subnet } from "@cdktf/provider-aws/lib/subnet";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { Network } from "../../constructs/network";
import { inventoryOf, onlyResource, resourcesOf, synth } from "../setup/synth";

const network = () =>
  synth(
    (scope) =>
      new Network(scope, "network", {
        name: "private",
        region: "eu-west-1",
        cidrBlock: "10.0.0.0/16",
        subnets: [
          { cidrBlock: "10.0.2.0/24", availabilityZone: "eu-west-1a" },
          { cidrBlock: "10.0.3.0/24", availabilityZone: "eu-west-1b" },
        ],
      }),
  );

test("has no internet gateway, no NAT and no route but the endpoint's; another is drift", () => {
  expect(inventoryOf(network())).toEqual({
    aws_vpc: 1,
    aws_default_security_group: 1,
    aws_subnet: 2,
    aws_route_table: 1,
    aws_route_table_association: 2,
    aws_vpc_endpoint: 1,
  });
  const routeTable = resourcesOf(network()).find(({ type }) => type === "aws_route_table");
  expect(routeTable?.attributes.route).toEqual([]);
});

test("lets nothing through the security group that AWS makes with it", () => {
  const { attributes } = onlyResource(network(), "aws_default_security_group");
  expect(attributes).toMatchObject({ vpc_id: "${aws_vpc.network_vpc.id}", ingress: [], egress: [] });
});

test.each([
  ["eu-west-1a", "10.0.2.0/24"],
  ["eu-west-1b", "10.0.3.0/24"],
])("has a private subnet in %s", (zone, cidr) => {
  expect(network()).toHaveResourceWithProperties(Subnet, {
    availability_zone: zone,
    cidr_block: cidr,
    map_public_ip_on_launch: false,
  });
});

test("reaches S3 by a gateway endpoint from every subnet", () => {
  expect(network()).toHaveResourceWithProperties(VpcEndpoint, {
    service_name: "com.amazonaws.eu-west-1.s3",
    vpc_endpoint_type: "Gateway",
    route_table_ids: ["${aws_route_table.network_route_table.id}"],
  });
});
