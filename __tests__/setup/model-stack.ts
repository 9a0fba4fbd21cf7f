import { Testing } from "cdktf";
import { z } from "zod";
import { loadConfig } from "../../config";
import type { EnvironmentReleases } from "../../config/releases";
import { InferenceStack } from "../../stacks/inference-stack";
import { settings } from "./settings";
import { synthesizedStacks } from "./stacks";

/** The part of inference-dev that is the model's, where this is released: it is applied in seconds. */
export const modelStack = (dev: EnvironmentReleases | undefined): string =>
  cut(synthesizedStacks(dev && { dev })["inference-dev"] ?? "", ["model_"]);

/** The same with what scales it, of instances of a type. */
export function scaledModelStack(instanceType: string): string {
  const scaling = { instanceCount: { min: 1, max: 3 }, predictionsPerSecond: 25, deadlineSeconds: 7_200 };
  const workingHours = { min: 2, from: 8, to: 18, timeZone: "Europe/Berlin" };
  const { shared, environments } = loadConfig(settings({ model: { instanceType, ...scaling, workingHours } }), {});
  if (environments.dev === undefined) throw new Error("no environment dev");
  const json = Testing.synth(new InferenceStack(Testing.app(), "inference-dev", shared, environments.dev));
  const others = json.replace(/\$\{(aws_sqs_queue|aws_lambda_function)\.(\w+)\.\w+\}/g, "$2"); // which the alarms only name
  return cut(others, ["model_", "scaling_"]);
}

/** The part of a stack whose addresses begin so. */
function cut(json: string, beginnings: readonly string[]): string {
  const { terraform, provider, moved, data, resource } = z
    .looseObject({
      data: z.object({ aws_caller_identity: z.unknown() }), // the account, which the role is for
      resource: z.record(z.string(), z.record(z.string(), z.unknown())),
    })
    .parse(JSON.parse(json));
  const models = Object.entries(resource).flatMap(([type, byName]) => {
    const kept = Object.entries(byName).filter(([name]) => beginnings.some((beginning) => name.startsWith(beginning)));
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
