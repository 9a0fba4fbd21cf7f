import { z } from "zod";
import type { EnvironmentReleases } from "../../config/releases";
import { synthesizedStacks } from "./stacks";

/** The part of inference-dev that is the model's, where this is released: it is applied in seconds. */
export function modelStack(dev: EnvironmentReleases | undefined): string {
  const { terraform, provider, moved, data, resource } = z
    .looseObject({
      data: z.object({ aws_caller_identity: z.unknown() }), // the account, which the role is for
      resource: z.record(z.string(), z.record(z.string(), z.unknown())),
    })
    .parse(JSON.parse(synthesizedStacks(dev && { dev })["inference-dev"] ?? ""));
  const models = Object.entries(resource).flatMap(([type, byName]) => {
    const kept = Object.entries(byName).filter(([name]) => name.startsWith("model_"));
    return kept.length > 0 ? [[type, Object.fromEntries(kept)] as const] : [];
  });
  return JSON.stringify({
    terraform,
    provider,
    ...(moved !== undefined && { moved }),
    data,
    resource: Object.fromEntries(models),
  });
}
