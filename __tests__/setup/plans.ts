import type { Plan } from "../../cli/deployment/plan";
import { readPlan } from "../../cli/deployment/plan";

/** One resource's change as `terraform show -json` tells of it, with what a test says of it. */
export interface PlannedChange {
  readonly address: string;
  /** @default ["update"] */
  readonly actions?: string[];
  readonly before?: unknown;
  readonly after?: unknown;
  readonly after_unknown?: unknown;
  readonly before_sensitive?: unknown;
  readonly after_sensitive?: unknown;
  readonly replace_paths?: (string | number)[][];
  readonly importing?: { id?: string };
  readonly previous_address?: string;
  readonly action_reason?: string;
  readonly deposed?: string;
  readonly mode?: string;
}

/** What `terraform show -json` says about a plan of these changes. `rest` goes above the usual. */
export function planJson(changes: readonly PlannedChange[], rest: Record<string, unknown> = {}): string {
  return JSON.stringify({
    format_version: "1.2",
    applyable: changes.length > 0,
    resource_changes: changes.map((planned) => {
      const { address, previous_address, action_reason, deposed, mode = "managed", ...change } = planned;
      const type = address.split(".")[0];
      const provider_name = "registry.terraform.io/hashicorp/aws";
      const about = { address, previous_address, action_reason, deposed, mode, type, provider_name };
      return { ...about, change: { actions: ["update"], ...change } };
    }),
    ...rest,
  });
}

export const planOf = (...changes: PlannedChange[]): Plan => readPlan(planJson(changes));
