import { Testing } from "cdktf";
import type { Construct } from "constructs";
import { z } from "zod";
import type { Access } from "../../constructs/access";
import { ReadableStack } from "../../constructs/addresses";
import { NodeFunction } from "../../constructs/node-function";

/** The Terraform JSON of a stack that holds just what `build` makes. */
export function synth(build: (scope: Construct) => unknown): string {
  const stack = new ReadableStack(Testing.app(), "test");
  build(stack);
  return Testing.synth(stack);
}

const terraformJson = z.object({
  resource: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  output: z.record(z.string(), z.object({ value: z.unknown() })).default({}),
});

/** All resources in synthesized Terraform JSON, each with its type and address. */
export function resourcesOf(json: string) {
  return Object.entries(terraformJson.parse(JSON.parse(json)).resource).flatMap(([type, byName]) =>
    Object.entries(byName).map(([name, attributes]) => ({ type, address: `${type}.${name}`, attributes })),
  );
}

/** How many resources of each type there are. */
export function inventoryOf(json: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of resourcesOf(json)) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

const policy = z.object({
  Statement: z.array(
    z.object({
      Effect: z.enum(["Allow", "Deny"]),
      Principal: z.unknown().optional(),
      Action: z.union([z.string(), z.array(z.string())]).transform((action) => [action].flat()),
      Resource: z
        .union([z.string(), z.array(z.string())])
        .default([])
        .transform((resource) => [resource].flat()),
      Condition: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.array(z.string())]))).optional(),
    }),
  ),
});

/** The statements of a policy document in an attribute. */
export const statementsOf = (document: unknown) => policy.parse(JSON.parse(z.string().parse(document))).Statement;

/** The statements of the inline policies of roles, with the address of each. */
export function roleStatementsOf(json: string) {
  return resourcesOf(json)
    .filter(({ type }) => type === "aws_iam_role_policy")
    .flatMap(({ address, attributes }) =>
      statementsOf(attributes.policy).map((statement) => ({ address, ...statement })),
    );
}

/** The statements of the customer-managed policies that a role holds, by the role's address. */
export function attachedStatementsOf(json: string, role: string) {
  const resources = resourcesOf(json);
  const reference = (value: unknown, attribute: string) =>
    String(value).replace(new RegExp(`^\\$\\{(.+)\\.${attribute}\\}$`), "$1");
  const held = resources
    .filter(
      ({ type, attributes }) =>
        type === "aws_iam_role_policy_attachment" && reference(attributes.role, "name") === role,
    )
    .map(({ attributes }) => reference(attributes.policy_arn, "arn"));
  return resources
    .filter(({ type, address }) => type === "aws_iam_policy" && held.includes(address))
    .flatMap(({ attributes }) => statementsOf(attributes.policy));
}

/** The one resource of a type. */
export function onlyResource(json: string, type: string) {
  const found = resourcesOf(json).filter((resource) => resource.type === type);
  const [only] = found;
  if (found.length !== 1 || !only) throw new Error(`expected one ${type}, found ${found.length}`);
  return only;
}

/** A function that is given an access, and all else about it is of no concern. */
export const holderOf = (scope: Construct, access: Access) =>
  new NodeFunction(scope, "holder", {
    functionName: "holder",
    roleName: "holder-role",
    bundle: "dist/api",
    memoryMegabytes: 256,
    timeoutSeconds: 10,
    logRetentionDays: 7,
    uses: [access],
  });

/** What a function that is given `access` may do and is told, beside writing its log. */
export function granted(access: (scope: Construct) => Access) {
  const json = synth((scope) => holderOf(scope, access(scope)));
  const statements = roleStatementsOf(json).filter(({ address }) => address === "aws_iam_role_policy.holder_policy");
  const { variables } = z
    .object({ variables: z.record(z.string(), z.string()) })
    .parse(
      resourcesOf(json).find(({ address }) => address === "aws_lambda_function.holder_function")?.attributes
        .environment,
    );
  return {
    may: statements.map(({ Action, Resource }) => [Action, Resource]).slice(0, -1),
    knows: variables,
  };
}
