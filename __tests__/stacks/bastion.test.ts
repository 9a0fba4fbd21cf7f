import { Testing } from "cdktf";
import { z } from "zod";
import { type EnvironmentSettings, loadConfig } from "../../config";
import { namesSchema } from "../../contract/names";
import { InferenceStack } from "../../stacks/inference-stack";
import { settings } from "../setup/settings";
import { keyArn } from "../setup/stacks";
import { inventoryOf, onlyResource, resourcesOf } from "../setup/synth";

function stackWith(environment: EnvironmentSettings) {
  const { shared, environments } = loadConfig(settings(environment), {});
  if (environments.dev === undefined) throw new Error("no environment dev");
  return Testing.synth(new InferenceStack(Testing.app(), "inference-dev", shared, environments.dev));
}

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
const [key, port] = [keyArn("own"), 5440];
const alone = stackWith({ keyPair: { publicKey } });
const json = stackWith({ keyPair: { publicKey }, access: { bastion: true }, kmsKeyArn: key, warehouse: { port } });

const attributesOf = (address: string) => {
  const found = resourcesOf(json).find((resource) => resource.address === address);
  if (found === undefined) throw new Error(`no ${address}`);
  return found.attributes;
};
const bastion = "${aws_security_group.bastion_security_group.id}";
const endpoint = "${aws_security_group.bastion_endpoint_security_group.id}";
const cluster = "${aws_security_group.warehouse_security_group.id}";
const rule = z.object({
  protocol: z.string(),
  from_port: z.number(),
  to_port: z.number(),
  security_groups: z.array(z.string()),
  cidr_blocks: z.null(),
  ipv6_cidr_blocks: z.null(),
  prefix_list_ids: z.null(),
  self: z.null(),
});
const only = (rules: unknown) => z.tuple([rule]).parse(rules)[0];

test("a key pair alone opens nothing: there is no instance, and nothing comes in", () => {
  expect(resourcesOf(alone).filter(({ type }) => /instance_connect|^aws_instance$|_rule$/.test(type))).toEqual([]);
  expect(onlyResource(alone, "aws_security_group").attributes.ingress).toEqual([]);
});

test("a bastion is an instance, an endpoint, their groups, and nothing else", () => {
  expect(inventoryOf(json)).toEqual({
    ...inventoryOf(alone),
    aws_instance: 1,
    aws_ec2_instance_connect_endpoint: 1,
    aws_security_group: 3,
    aws_vpc_security_group_ingress_rule: 1,
    aws_vpc_security_group_egress_rule: 1,
  });
});

test("it is private, opens by the key pair alone, has no role, asks for IMDSv2, and its disk is encrypted", () => {
  const { attributes } = onlyResource(json, "aws_instance");
  expect(attributes).toMatchObject({
    instance_type: "t4g.nano",
    key_name: "${aws_key_pair.access_key_pair.key_name}",
    subnet_id: "${aws_subnet.network_private_subnet_1.id}",
    vpc_security_group_ids: [bastion],
    associate_public_ip_address: false,
    metadata_options: { http_endpoint: "enabled", http_tokens: "required", http_put_response_hop_limit: 1 },
    root_block_device: { encrypted: true, kms_key_id: key },
  });
  for (const none of ["iam_instance_profile", "user_data"]) expect(attributes).not.toHaveProperty(none);
});

test("it is made of AWS's newest image, and stays when there is a newer one", () => {
  const { data } = z.object({ data: z.record(z.string(), z.unknown()) }).parse(JSON.parse(json));
  expect(data.aws_ssm_parameter).toEqual({
    bastion_image: expect.objectContaining({
      name: expect.stringMatching(/^\/aws\/service\/ami-amazon-linux-latest\/.*-arm64$/),
    }),
  });
  expect(onlyResource(json, "aws_instance").attributes).toMatchObject({
    ami: "${data.aws_ssm_parameter.bastion_image.insecure_value}",
    lifecycle: { ignore_changes: ["ami"] },
  });
});

test("SSH comes from the endpoint alone, which leads to nothing else, and calls from an address of its own", () => {
  const { attributes } = onlyResource(json, "aws_vpc_security_group_ingress_rule");
  expect(attributes).toMatchObject({
    security_group_id: bastion,
    referenced_security_group_id: endpoint,
    ip_protocol: "tcp",
    from_port: 22,
    to_port: 22,
  });
  const { ingress, egress } = attributesOf("aws_security_group.bastion_endpoint_security_group");
  expect(ingress).toEqual([]);
  expect(only(egress)).toMatchObject({ protocol: "tcp", from_port: 22, to_port: 22, security_groups: [bastion] });
  expect(onlyResource(json, "aws_ec2_instance_connect_endpoint").attributes).toMatchObject({
    subnet_id: "${aws_subnet.network_private_subnet_1.id}",
    security_group_ids: [endpoint],
    preserve_client_ip: false,
  });
});

test("it reaches the warehouse's port alone, and there nobody else is let in", () => {
  const { attributes } = onlyResource(json, "aws_vpc_security_group_egress_rule");
  expect(attributes).toMatchObject({
    security_group_id: bastion,
    referenced_security_group_id: cluster,
    ip_protocol: "tcp",
    from_port: port,
    to_port: port,
  });
  const own = attributesOf("aws_security_group.bastion_security_group");
  for (const rules of ["ingress", "egress"]) expect(own).not.toHaveProperty(rules);
  const { ingress } = attributesOf("aws_security_group.warehouse_security_group");
  expect(only(ingress)).toMatchObject({ protocol: "tcp", from_port: port, to_port: port, security_groups: [bastion] });
});

test("a key pair that EC2 has already opens it too", () => {
  const theirs = stackWith({ keyPair: { existing: "theirs" }, access: { bastion: true } });
  expect(onlyResource(theirs, "aws_instance").attributes.key_name).toBe("theirs");
});

describe("what commands find of it", () => {
  const written = (stack: string) =>
    JSON.parse(String(onlyResource(stack, "aws_ssm_parameter").attributes.insecure_value));
  const found = {
    instance_id: "i-0123456789abcdef0",
    private_ip: "10.0.2.17",
    endpoint_id: "eice-0123456789abcdef0",
    endpoint_dns_name: "eice-0123456789abcdef0.2c9e71a5.ec2-instance-connect-endpoint.us-east-1.amazonaws.com",
    leads_to: "poc-dev-warehouse.c1a2b3d4e5f6.us-east-1.redshift.amazonaws.com:5439",
  };

  test("is where it is and where it leads", () => {
    expect(written(json).bastion).toEqual({
      instance_id: "${aws_instance.bastion_instance.id}",
      private_ip: "${aws_instance.bastion_instance.private_ip}",
      endpoint_id: "${aws_ec2_instance_connect_endpoint.bastion_endpoint.id}",
      endpoint_dns_name: "${aws_ec2_instance_connect_endpoint.bastion_endpoint.dns_name}",
      leads_to: "${aws_redshift_cluster.warehouse_cluster.endpoint}",
    });
    expect(namesSchema.parse({ ...written(alone), bastion: found }).bastion).toEqual(found);
    expect(written(alone)).not.toHaveProperty("bastion");
  });

  test.each(Object.keys(found))("is refused where %s is more than a name, for a shell reads it", (name) => {
    for (const wrong of ["; touch here", "$(touch here)", "--option", "a b", "%h"]) {
      const parsed = namesSchema.safeParse({ ...written(alone), bastion: { ...found, [name]: wrong } });
      expect(parsed.success).toBe(false);
    }
  });
});
