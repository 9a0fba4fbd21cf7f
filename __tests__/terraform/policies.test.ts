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

/** The checks that are said not to hold, each with why, and of which resources alone, where the reason begins with them. */
const exempt = new Map(
  [...readFileSync(".checkov.yaml", "utf8").matchAll(/^ {2}- (\w+)(?: # (?:of ([^:]+): )?(.+))?$/gm)].map(
    ([, id = "", of, why]) => [id, { of: of?.split(" and "), why }],
  ),
);

test("every stack passes all checks of checkov but those that are exempt, each of which says why and is needed", async () => {
  const python = await pythonWith("checkov", join("__tests__", "setup", "checkov", "requirements.txt"));
  const failed: { id: string; resource: string; what: string }[] = [];
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
      failed.push({ id: check_id, resource, what: `${check_id}: ${check_name}: ${resource} of ${stack}` });
    }
    await copy.remove();
  }
  const isListed = (id: string, resource: string) => exempt.get(id)?.of?.includes(resource) ?? exempt.has(id);
  const unlisted = failed.filter(({ id, resource }) => !isListed(id, resource)).map(({ what }) => what);
  const needless = [...exempt].flatMap(([id, { of = [undefined] }]) =>
    of
      .filter((resource) => !failed.some((one) => one.id === id && resource === (resource && one.resource)))
      .map((resource) => [id, resource]),
  );
  const unexplained = [...exempt].filter(([, { why }]) => why === undefined).map(([id]) => id);
  expect({ unlisted, needless, unexplained }).toEqual({ unlisted: [], needless: [], unexplained: [] });
  expect(passed).toBeGreaterThan(0);
});
