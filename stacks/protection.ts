import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import type { TerraformResource, TerraformStack } from "cdktf";

/** Has Terraform refuse every plan that would destroy one of these: what it holds would be gone. */
export function preventLoss(resources: readonly TerraformResource[]): void {
  for (const resource of resources) resource.lifecycle = { ...resource.lifecycle, preventDestroy: true };
}

/** Bounds what the roles of a stack can be allowed: those that GitHub's workflows deploy with make no others. */
export function boundRoles(stack: TerraformStack, permissionsBoundary: string): void {
  for (const role of stack.node.findAll()) if (role instanceof IamRole) role.permissionsBoundary = permissionsBoundary;
}
