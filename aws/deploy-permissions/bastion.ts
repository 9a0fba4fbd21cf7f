import { bastionImage, bastionInstanceType } from "../bastion";
import { forKey, type Permission, type Reach, type ServicePermissions } from "../permission";

/** What Terraform needs for a bastion. It hands EC2 no role, and so needs no PassRole. */
export const bastion = (reach: Reach): ServicePermissions => ({
  types: [
    "aws_ec2_instance_connect_endpoint",
    "aws_instance",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
  ],
  ...(reach.bastionKeyPair === undefined
    ? { plan: [], apply: [] }
    : { plan: bastionPlan(reach), apply: [...running(reach, reach.bastionKeyPair), ...reaching(reach)] }),
});

const bastionPlan = ({ arn, region }: Reach): Permission[] => [
  {
    actions: [
      "ec2:DescribeImages",
      "ec2:DescribeInstanceAttribute",
      "ec2:DescribeInstanceConnectEndpoints",
      "ec2:DescribeInstanceCreditSpecifications",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances",
      "ec2:DescribeTags",
      "ec2:DescribeVolumes",
    ],
    resources: ["*"],
    reason: "EC2 limits no list to a resource",
  },
  {
    actions: ["ssm:GetParameter"],
    resources: [arn(`ssm:${region}::parameter${bastionImage}`)],
    reason: "AWS says there for everybody which image is its newest",
  },
];

/** To run the instance. */
const running = ({ arn, inRegion, region, tagged, tagging }: Reach, keyPair: string): Permission[] => [
  {
    actions: ["ec2:RunInstances"],
    resources: inRegion("ec2", "instance/*"),
    condition: { StringEquals: { ...tagging.StringEquals, "ec2:InstanceType": bastionInstanceType } },
  },
  { actions: ["ec2:RunInstances"], resources: inRegion("ec2", "volume/*"), condition: tagging },
  { actions: ["ec2:RunInstances"], resources: inRegion("ec2", "subnet/*", "security-group/*"), condition: tagged },
  {
    actions: ["ec2:RunInstances"],
    resources: inRegion("ec2", `key-pair/${keyPair}`),
    reason: "the settings of the environment say which key pair it is",
  },
  {
    actions: ["ec2:RunInstances"],
    resources: [arn(`ec2:${region}::image/*`)],
    condition: { StringEquals: { "ec2:Owner": "amazon" } },
    reason: "AWS makes an image every few weeks; the condition leaves out those of others",
  },
  {
    actions: ["ec2:CreateNetworkInterface", "ec2:RunInstances"],
    resources: inRegion("ec2", "network-interface/*"),
    reason: "it is made with its instance or endpoint, in a subnet that must carry the project's tag",
  },
  {
    actions: ["ec2:CreateNetworkInterface"],
    resources: inRegion("ec2", "subnet/*", "security-group/*"),
    condition: tagged,
  },
];

/** To make the endpoint that leads to it, and to change and delete both. */
const reaching = ({ iam, inRegion, kmsKeyArn, tagged, tagging }: Reach): Permission[] => [
  {
    actions: ["ec2:CreateInstanceConnectEndpoint"],
    resources: inRegion("ec2", "instance-connect-endpoint/*"),
    condition: tagging,
  },
  {
    actions: ["ec2:AuthorizeSecurityGroupIngress"],
    resources: inRegion("ec2", "security-group-rule/*"),
    condition: tagging,
  },
  {
    actions: ["ec2:AuthorizeSecurityGroupIngress", "ec2:CreateInstanceConnectEndpoint"],
    resources: inRegion("ec2", "security-group/*", "subnet/*"),
    condition: tagged,
  },
  {
    actions: ["ec2:CreateTags"],
    resources: inRegion("ec2", "instance-connect-endpoint/*", "instance/*", "security-group-rule/*", "volume/*"),
    condition: {
      StringEquals: {
        "ec2:CreateAction": ["AuthorizeSecurityGroupIngress", "CreateInstanceConnectEndpoint", "RunInstances"],
      },
    },
    reason: "the condition lets it tag only what the same call makes, which carries the project's tag",
  },
  {
    actions: ["ec2:CreateTags", "ec2:DeleteTags"],
    resources: inRegion("ec2", "instance-connect-endpoint/*", "instance/*", "volume/*"),
    condition: tagged,
  },
  {
    actions: ["ec2:DeleteInstanceConnectEndpoint", "ec2:TerminateInstances"],
    resources: inRegion("ec2", "instance-connect-endpoint/*", "instance/*"),
    condition: tagged,
  },
  {
    actions: ["iam:CreateServiceLinkedRole"],
    resources: [iam("role/aws-service-role/*")],
    condition: { StringEquals: { "iam:AWSServiceName": "ec2-instance-connect.amazonaws.com" } },
    reason: "AWS makes this role for an account's first endpoint, and says what it may do",
  },
  // EBS uses the key in the name of whoever runs the instance, and has itself granted it, as the warehouse does.
  // https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
  ...forKey(kmsKeyArn, { actions: ["kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"] }),
];
