import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Checkout, thing } from "./checkout";

const passphrase = { OFFLINE_INFERENCE_PLAN_KEY: "a passphrase for these tests" };

describe("a saved plan", () => {
  let desk: string;
  let planner: Checkout;
  let deployer: Checkout;
  beforeEach(async () => {
    desk = await mkdtemp(join(tmpdir(), "desk-"));
    [planner, deployer] = await Promise.all([Checkout.withTinyStack(), Checkout.withTinyStack()]);
    // The code lies in the planner's checkout alone: the archive that is copied at apply came with the plan.
    await writeFile(planner.path("code", "index.cjs"), "the planned code");
    const archive = { type: "zip", source_dir: "code", output_path: "worker.zip" };
    const command = `cp worker.zip ${desk}/applied.zip`;
    const a = thing("${data.archive_file.worker.output_base64sha256}", {
      provisioner: [{ "local-exec": { command } }],
    });
    await planner.write(
      { terraform_data: { a } },
      { data: { archive_file: { worker: archive } } },
      join(desk, "state"),
    );
  });
  afterEach(async () => {
    expect([...(await planner.plansLeft()), ...(await deployer.plansLeft())]).toEqual([]);
    await Promise.all([planner.remove(), deployer.remove(), rm(desk, { recursive: true })]);
  });

  const save = () => planner.start(["diff", "tiny", "--save", join(desk, "saved")], passphrase).ended;
  const apply = (stack = "tiny", above: Record<string, string> = passphrase, ...more: string[]) =>
    deployer.start(["deploy", stack, "--plan", join(desk, "saved"), "--auto-approve", ...more], above).ended;

  test("is applied in another checkout, which has nothing else of it, and only once", async () => {
    const saved = await save();
    expect(saved).toMatchObject({ status: 0, stderr: expect.stringContaining(`deploy tiny --plan ${desk}/saved`) });
    const applied = await apply();
    expect(applied).toMatchObject({ status: 0, stdout: saved.stdout, stderr: expect.stringContaining("1 added") });
    expect((await readFile(join(desk, "applied.zip"))).length).toBeGreaterThan(100);
    expect(existsSync(join(desk, "state"))).toBe(true);

    expect(await apply()).toMatchObject({ status: 1, stderr: expect.stringContaining("Saved plan is stale") });
  });

  test("is refused without its passphrase, for another stack, and beside --take-over", async () => {
    await save();
    const refused = async (...args: Parameters<typeof apply>) => {
      const { status, stdout, stderr } = await apply(...args);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      return stderr;
    };
    expect(await refused("tiny", {})).toContain("OFFLINE_INFERENCE_PLAN_KEY, which is not set");
    expect(await refused("tiny", { OFFLINE_INFERENCE_PLAN_KEY: "another passphrase of mine" })).toContain(
      "does not open",
    );
    expect(await refused("other")).toContain("is a plan of tiny, not of other.");
    expect(await refused("tiny", passphrase, "--take-over", "dev")).toContain("cannot be used with option");
    expect(existsSync(join(desk, "state"))).toBe(false);
  });

  test("is not made without a passphrase", async () => {
    expect(await planner.run("diff", "tiny", "--save", join(desk, "saved"))).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("OFFLINE_INFERENCE_PLAN_KEY, which is not set"),
    });
    expect(existsSync(join(desk, "saved"))).toBe(false);
  });
});
