// Makes the virtual environment of the tests' AWS once, before several test files would at the same time.
import { tsImport } from "tsx/esm/api";
import globalSetup from "./global-setup.mjs";

export default async () => {
  const { installMoto } = await tsImport("./moto.ts", import.meta.url);
  await installMoto();
  await globalSetup();
};
