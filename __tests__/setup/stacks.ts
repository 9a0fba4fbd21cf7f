import { Testing } from "cdktf";
import { loadConfig } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { StateStack } from "../../stacks/state-stack";

/** Every stack of the project as it would be deployed, by name. */
export function synthesizedStacks(): Record<string, string> {
  const { shared, environments } = loadConfig();
  const app = Testing.app();
  const stacks = [
    new StateStack(app, "state", shared),
    ...Object.values(environments).map(
      (environment) => new InferenceStack(app, `inference-${environment.name}`, shared, environment),
    ),
  ];
  return Object.fromEntries(stacks.map((stack) => [stack.node.id, Testing.synth(stack)]));
}

/** The state stack of a team that deploys from GitHub. */
export function stateStackWithGitHub(): string {
  const { shared, environments } = loadConfig();
  const account = "123456789012";
  const github = { repository: "team/inference", account, environments: Object.keys(environments) };
  return Testing.synth(new StateStack(Testing.app(), "state", { ...shared, account, github }));
}
