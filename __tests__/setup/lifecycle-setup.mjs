// Makes the virtual environment of the tests' AWS once, before several test files would at the same time. The stacks are
// written too: the pipeline that runs on this machine is made of one.
import { tsImport } from "tsx/esm/api";
import synthSetup from "./synth-setup.mjs";

export default async () => {
  const { installMoto } = await tsImport("./moto.ts", import.meta.url);
  await installMoto();
  await synthSetup();
};
