import type { Permission, Reach, ServicePermissions } from "../permission";

/** What Terraform needs in EC2 for the network, and for the key pair of the bastion. */

const networkOf = ({ inRegion }: Reach) =>
  ["vpc", "subnet", "route-table", "vpc-endpoint", "security-group", "security-group-rule"].flatMap((kind) =>
    inRegion("ec2", `${kind}/*`),
  );

/** The network: what is made carries the tags, and only what carries them is changed. */
export const ec2 = (reach: Reach): ServicePermissions => ({
  types: [
    "aws_default_security_group",
    "aws_key_pair",
    "aws_route_table",
    "aws_route_table_association",
    "aws_security_group",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_endpoint",
  ],
  plan: [
    {
      actions: [
        "ec2:DescribeKeyPairs",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribePrefixLists",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
      ],
      resources: ["*"],
      reason: "EC2 limits no list to a resource",
    },
  ],
  apply: [...making(reach), ...changing(reach)],
});

/** To make it, and to tag it as it is made. */
const making = (reach: Reach): Permission[] => [
  {
    actions: [
      "ec2:AuthorizeSecurityGroupEgress",
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
      "ec2:CreateVpc",
      "ec2:CreateVpcEndpoint",
    ],
    resources: networkOf(reach),
    condition: reach.tagging,
  },
  {
    actions: ["ec2:CreateTags"],
    resources: [...networkOf(reach), ...reach.ours("ec2", "key-pair/")],
    condition: {
      StringEquals: {
        "ec2:CreateAction": [
          "AuthorizeSecurityGroupEgress",
          "CreateRouteTable",
          "CreateSecurityGroup",
          "CreateSubnet",
          "CreateVpc",
          "CreateVpcEndpoint",
          "ImportKeyPair",
        ],
      },
    },
    reason: "the condition lets it tag only what the same call makes, which carries the project's tag",
  },
  {
    // From then on its tag says whose it is, as with all others.
    actions: ["ec2:CreateTags"],
    resources: reach.inRegion("ec2", "security-group/*"),
    condition: {
      ...reach.tagging,
      Null: Object.fromEntries(Object.keys(reach.tagged.StringEquals).map((key) => [key, "true"])),
    },
    reason: "AWS makes a VPC's default group without a tag; the condition leaves out what has one by these names",
  },
];

/** To change and delete what carries the tags, and to make something in it. */
const changing = (reach: Reach): Permission[] => [
  {
    // What is made inside of something needs both: the tag on what is new, and on what it is made in.
    actions: [
      "ec2:AssociateRouteTable",
      "ec2:AuthorizeSecurityGroupEgress",
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
      "ec2:CreateTags",
      "ec2:CreateVpcEndpoint",
      "ec2:DeleteRouteTable",
      "ec2:DeleteSecurityGroup",
      "ec2:DeleteSubnet",
      "ec2:DeleteTags",
      "ec2:DeleteVpc",
      "ec2:DeleteVpcEndpoints",
      "ec2:DisassociateRouteTable",
      "ec2:ModifySecurityGroupRules",
      "ec2:ModifySubnetAttribute",
      "ec2:ModifyVpcAttribute",
      "ec2:ModifyVpcEndpoint",
      "ec2:ReplaceRouteTableAssociation",
      "ec2:RevokeSecurityGroupEgress",
      "ec2:RevokeSecurityGroupIngress",
    ],
    resources: networkOf(reach),
    condition: reach.tagged,
  },
  {
    actions: ["ec2:CreateTags", "ec2:DeleteKeyPair", "ec2:DeleteTags", "ec2:ImportKeyPair"],
    resources: reach.ours("ec2", "key-pair/"),
  },
  {
    actions: [
      "ec2:DescribeAccountAttributes",
      "ec2:DescribeAddresses",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInternetGateways",
      "ec2:DescribeNetworkInterfaces",
    ],
    resources: ["*"],
    reason: "EC2 limits no list to a resource; Redshift looks at the network for whoever makes a cluster",
  },
];
