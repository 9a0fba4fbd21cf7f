import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { settings } from "../setup/settings";
import { stateStackWithGitHub, writtenStacks } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";
import { StackFolder } from "./terraform";

/** What a stack would make on an empty account, and what it is synthesized of, by address. The folder is gone afterwards. */
async function planned(stack: StackFolder) {
  const synthesized = resourcesOf(await readFile(join(stack.folder, "cdk.tf.json"), "utf8"));
  const changes = await stack.plan();
  await stack.remove();
  return {
    made: changes.map(({ address, change }) => `${change.actions}: ${address}`).sort(),
    wanted: synthesized.map(({ address }) => `create: ${address}`).sort(),
  };
}

// The partition of us-east-1 is planned with the project's own stacks.
test.each([
  ["cn-north-1", "steady"],
  ["us-gov-west-1", "on-demand"],
] as const)(
  "the stacks in %s, of an environment that is %s, plan to create each of their resources",
  async (region, capacity) => {
    const stacks = await writtenStacks({ ...settings(), region, environments: { dev: { capacity } } });
    const folders = [
      await StackFolder.copyOfFolder(stacks.folderOf("dev")),
      await StackFolder.of(stateStackWithGitHub(region)),
    ];
    await stacks.remove();
    for (const { made, wanted } of await Promise.all(folders.map(planned))) expect(made).toEqual(wanted);
  },
);
