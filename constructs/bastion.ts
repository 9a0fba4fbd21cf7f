import { DataAwsSsmParameter } from "@cdktf/provider-aws/lib/data-aws-ssm-parameter";
import { Ec2InstanceConnectEndpoint } from "@cdktf/provider-aws/lib/ec2-instance-connect-endpoint";
import { Instance } from "@cdktf/provider-aws/lib/instance";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule";
import { Construct } from "constructs";
import { bastionImage, bastionInstanceType } from "../aws/bastion";
import type { Network } from "./network";

export interface BastionProps {
  /** The tag Name of the instance, and what those of the rest begin with. */
  readonly name: string;
  readonly network: Network;
  /** The key pair that opens it. */
  readonly keyName: string;
  /** The KMS key that its disk is encrypted with. @default EBS's own */
  readonly kmsKeyArn?: string;
}

/**
 * A private instance that people reach the warehouse through. Nothing of it is open: an EC2 Instance Connect Endpoint
 * leads to its SSH whom IAM lets, and there the key pair is asked for. It reaches what it is led to, and has no role.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/connect-with-ec2-instance-connect-endpoint.html
 */
export class Bastion extends Construct {
  readonly instance: Instance;
  readonly endpoint: Ec2InstanceConnectEndpoint;
  readonly securityGroup: SecurityGroup;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: BastionProps,
  ) {
    super(scope, id);
    const { name, network, keyName, kmsKeyArn } = props;
    const [subnet] = network.subnets;
    if (subnet === undefined) throw new Error(`The network of ${name} has no subnet.`);

    // Its rules are resources of their own: groups that name each other in their rules would wait for each other.
    this.securityGroup = new SecurityGroup(this, "security_group", {
      vpcId: network.vpc.id,
      description: "The bastion: SSH from its endpoint, and the warehouse",
      tags: { Name: name },
    });
    const ssh = { fromPort: 22, toPort: 22 };
    const endpointGroup = new SecurityGroup(this, "endpoint_security_group", {
      vpcId: network.vpc.id,
      description: "The endpoint that leads to the bastion",
      ingress: [],
      egress: [{ ...ssh, protocol: "tcp", securityGroups: [this.securityGroup.id], description: "SSH of the bastion" }],
      tags: { Name: `${name}-endpoint` },
    });
    new VpcSecurityGroupIngressRule(this, "ssh", {
      ...ssh,
      ipProtocol: "tcp",
      securityGroupId: this.securityGroup.id,
      referencedSecurityGroupId: endpointGroup.id,
      description: "SSH from the endpoint",
      tags: { Name: name },
    });
    this.endpoint = new Ec2InstanceConnectEndpoint(this, "endpoint", {
      subnetId: subnet.id,
      securityGroupIds: [endpointGroup.id],
      preserveClientIp: false, // the bastion is called from the endpoint's address, whoever calls
      tags: { Name: name },
    });
    const image = new DataAwsSsmParameter(this, "image", { name: bastionImage });
    this.instance = new Instance(this, "instance", {
      ami: image.insecureValue,
      instanceType: bastionInstanceType,
      keyName,
      subnetId: subnet.id,
      vpcSecurityGroupIds: [this.securityGroup.id],
      associatePublicIpAddress: false,
      ebsOptimized: true,
      metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
      rootBlockDevice: { encrypted: true, kmsKeyId: kmsKeyArn },
      tags: { Name: name },
      // AWS publishes an image every few weeks, and another image is another instance: it has the newest of its first day.
      // EC2 could look the parameter up itself (resolve:ssm:…), but not beside an encrypted disk in Terraform:
      // https://github.com/hashicorp/terraform-provider-aws/issues/43488
      lifecycle: { ignoreChanges: ["ami"] },
    });
  }

  /** Lets it reach a port of what is in a security group, and nothing else but what it was let before. */
  reach(id: string, { id: referencedSecurityGroupId }: SecurityGroup, port: number): void {
    new VpcSecurityGroupEgressRule(this, id, {
      fromPort: port,
      toPort: port,
      ipProtocol: "tcp",
      securityGroupId: this.securityGroup.id,
      referencedSecurityGroupId,
      description: `The ${id}`,
      tags: { Name: this.props.name },
    });
  }
}
