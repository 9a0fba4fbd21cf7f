import { chmod, readFile, writeFile } from "node:fs/promises";
import { Checkout } from "../terraform/checkout";
import { type PlannedChange, planJson } from "./plans";

/** It shows the plan that a test has written, and keeps what it was called with. */
const terraform = (calls: string, plan: string) => `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require("node:fs");
const args = process.argv.slice(2);
appendFileSync(${JSON.stringify(calls)}, args.join(" ") + "\\n");
if (args[0] === "show") process.stdout.write(readFileSync(${JSON.stringify(plan)}, "utf8"));
if (args[0] === "apply") process.exit(Number(process.env.APPLY_ENDS ?? 0));
`;

/** A checkout whose one stack is what a test says, and where no Terraform runs: what stands for it does nothing. */
export async function checkoutWithoutTerraform(stack: string, json: object) {
  const checkout = await Checkout.withTinyStack();
  const [program, calls, plan] = [checkout.path("terraform"), checkout.path("calls"), checkout.path("plan.json")];
  const folder = `cdktf.out/stacks/${stack}`;
  const written = JSON.stringify(JSON.stringify({ provider: { aws: [{ region: "us-east-1" }] }, ...json }));
  await writeFile(
    checkout.path("main.ts"),
    `import { mkdirSync, writeFileSync } from "node:fs";
mkdirSync("${folder}", { recursive: true });
writeFileSync("${folder}/cdk.tf.json", ${written});
`,
  );
  await writeFile(program, terraform(calls, plan));
  await chmod(program, 0o755);
  return {
    checkout,
    /** What a process needs to take it for Terraform. */
    environment: { TERRAFORM_BINARY_NAME: program },
    /** Says what is planned from now on, and forgets what Terraform was called with. */
    plans: async (...changes: PlannedChange[]) => {
      await writeFile(calls, "");
      await writeFile(plan, planJson(changes));
    },
    /** What Terraform was called with, each call a line. */
    calls: async () => (await readFile(calls, "utf8")).split("\n").filter((line) => line !== ""),
  };
}
