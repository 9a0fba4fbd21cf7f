import { type TerraformElement, TerraformStack } from "cdktf";
import { Node } from "constructs";

/** The ids that lead from its stack down to a construct, joined by `_`. */
export function pathInStack({ node }: { readonly node: Node }): string {
  const stack = node.scopes.findIndex((scope) => TerraformStack.isStack(scope));
  return node.scopes
    .slice(stack + 1)
    .map((scope) => scope.node.id)
    .join("_");
}

/**
 * A stack whose Terraform addresses are the paths of its constructs, `aws_sqs_queue.inference_queue`, without the
 * digits that CDKTF adds: they are read in every review, and typed in `terraform state` commands.
 */
export class ReadableStack extends TerraformStack {
  private readonly owners = new Map<string, string>();

  /** @throws if two constructs would share an address, as `a_b/c` and `a/b_c` do */
  protected override allocateLogicalId(element: TerraformElement | Node): string {
    const node = element instanceof Node ? element : element.node;
    const address = pathInStack({ node });
    const owner = this.owners.get(address) ?? node.path;
    if (owner !== node.path) {
      throw new Error(`${owner} and ${node.path} would share the Terraform address "${address}"`);
    }
    this.owners.set(address, node.path);
    return address;
  }
}
