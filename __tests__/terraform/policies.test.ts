import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { pythonWith } from "../../local/python";
import { StackFolder } from "./terraform";

const run = promisify(execFile);

const report = z.object({
  results: z.object({
    passed_checks: z.array(z.object({ check_id: z.string() })),
    failed_checks: z.array(z.object({ check_id: z.string(), check_name: z.string(), resource: z.string() })),
  }),
});

/** The checks that are said not to hold, each with why. */
const exempt = new Map(
  [...readFileSync(".checkov.yaml", "utf8").matchAll(/^ {2}- (\w+)(?: # (.+))?$/gm)].map(([, id = "", why]) => [
    id,
    why,
  ]),
);

test("every stack passes all checks of checkov but those that are exempt, each of which says why and is needed", async () => {
  const python = await pythonWith("checkov", join("__tests__", "setup", "checkov", "requirements.txt"));
  const failed = new Map<string, string>();
  let passed = 0;
  for (const stack of ["state", "inference-dev", "inference-prod"]) {
    const copy = await StackFolder.copyOf(stack);
    await copy.plan();
    const plan = join(copy.folder, "plan.json");
    await writeFile(plan, await copy.terraform("show", "-json", "plan"));
    const args = [
      "-m",
      "checkov.main",
      "-f",
      plan,
      "--framework",
      "terraform_plan",
      "--soft-fail",
      "--compact",
      "-o",
      "json",
    ];
    const { stdout } = await run(python, args, { cwd: copy.folder, maxBuffer: 1 << 26 });
    const { results } = report.parse(JSON.parse(stdout));
    passed += results.passed_checks.length;
    for (const { check_id, check_name, resource } of results.failed_checks) {
      failed.set(check_id, `${check_name}: ${resource} of ${stack}`);
    }
    await copy.remove();
  }
  const unlisted = [...failed].filter(([id]) => !exempt.has(id)).map(([id, what]) => `${id}: ${what}`);
  const needless = [...exempt.keys()].filter((id) => !failed.has(id));
  const unexplained = [...exempt].filter(([, why]) => why === undefined).map(([id]) => id);
  expect({ unlisted, needless, unexplained }).toEqual({ unlisted: [], needless: [], unexplained: [] });
  expect(passed).toBeGreaterThan(0);
});
