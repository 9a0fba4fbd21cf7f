import { DefaultSecurityGroup } from "@cdktf/provider-aws/lib/default-security-group";
import { RouteTable } from "@cdktf/provider-aws/lib/route-table";
import { RouteTableAssociation } from "@cdktf/provider-aws/lib/route-table-association";
import { Subnet } from "@cdktf/provider-aws/lib/subnet";
import { Vpc } from "@cdktf/provider-aws/lib/vpc";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { Construct } from "constructs";

export interface NetworkProps {
  readonly name: string;
  readonly region: string;
  readonly cidrBlock: string;
  /** One private subnet each, in different Availability Zones; AWS chooses, and never moves it, where none is named. */
  readonly subnets: readonly { readonly cidrBlock: string; readonly availabilityZone?: string }[];
}

/** A VPC without a way in or out but to S3: private subnets and a gateway endpoint. */
export class Network extends Construct {
  readonly vpc: Vpc;
  readonly subnets: Subnet[];
  /** The addresses of S3, for security groups. */
  readonly s3PrefixListId: string;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    const { name, cidrBlock } = props;

    this.vpc = new Vpc(this, "vpc", { cidrBlock, enableDnsHostnames: true, tags: { Name: name } });
    // AWS makes it with the VPC, and lets its members reach each other and everything. It has no member, and lets none.
    new DefaultSecurityGroup(this, "default_security_group", {
      vpcId: this.vpc.id,
      ingress: [],
      egress: [],
      tags: { Name: `${name}-default` },
    });
    const routes = new RouteTable(this, "route_table", {
      vpcId: this.vpc.id,
      route: [], // whatever else leads out is drift, and taken away
      tags: { Name: `${name}-private` },
    });
    this.subnets = props.subnets.map(({ cidrBlock, availabilityZone }, index) => {
      const subnet = new Subnet(this, `private_subnet_${index + 1}`, {
        vpcId: this.vpc.id,
        cidrBlock,
        availabilityZone,
        mapPublicIpOnLaunch: false,
        tags: { Name: `${name}-private-${index + 1}` },
      });
      new RouteTableAssociation(this, `private_subnet_${index + 1}_routes`, {
        subnetId: subnet.id,
        routeTableId: routes.id,
      });
      return subnet;
    });
    const s3 = new VpcEndpoint(this, "s3", {
      vpcId: this.vpc.id,
      serviceName: `com.amazonaws.${props.region}.s3`,
      vpcEndpointType: "Gateway",
      routeTableIds: [routes.id],
      tags: { Name: `${name}-s3` },
    });
    this.s3PrefixListId = s3.prefixListId;
  }
}
