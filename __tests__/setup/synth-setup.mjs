// Before tests that read synthesized stacks: writes them into cdktf.out as well.
import globalSetup, { node } from "./global-setup.mjs";

export default async () => {
  await globalSetup();
  node("--import", "tsx", "main.ts");
};
