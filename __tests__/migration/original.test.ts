import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Moto, startMoto } from "../setup/moto";
import { applyOriginal } from "../setup/original";

/** Addresses as they stand in the Terraform of the original. */
const declared = async () => {
  const hcl = await readFile("__tests__/fixtures/original/main.tf", "utf8");
  return [...hcl.matchAll(/^resource "(\w+)" "(\w+)"/gm)].map(([, type, name]) => `${type}.${name}`);
};

let moto: Moto;
let folder: string;
beforeAll(async () => {
  moto = await startMoto();
  folder = await mkdtemp(join(tmpdir(), "original-"));
});
afterAll(async () => {
  await moto.stop();
  await rm(folder, { recursive: true, force: true });
});

test("the original's 38 resources apply on moto, and the next plan is empty", async () => {
  const { resources, terraform } = await applyOriginal(moto, folder);
  expect(Object.keys(resources)).toHaveLength(38);
  expect(Object.keys(resources).sort()).toEqual((await declared()).sort());
  const plan = await terraform("plan", "-input=false", "-no-color", "-detailed-exitcode");
  expect(plan).toContain("No changes.");
  console.log(`the original: ${Object.keys(resources).length} applied, 0 drift`);
});
