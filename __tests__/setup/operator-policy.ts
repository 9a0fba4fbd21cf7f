import { readFile } from "node:fs/promises";
import { z } from "zod";

const policySchema = z.object({
  Statement: z.array(
    z.object({
      Sid: z.string(),
      Effect: z.literal("Allow"),
      Action: z.array(z.string()),
      Resource: z.array(z.string()),
    }),
  ),
});

/** The policy for operators in docs/operating.md, and the actions that its table names. */
export async function operatorPolicy() {
  const text = await readFile("docs/operating.md", "utf8");
  const [, json = ""] = /```json\n(.*?)```/s.exec(text) ?? [];
  const table = text.split("\n").filter((line) => /^\| (all|`[a-z ]+`) \|/.test(line));
  const named = table.flatMap((line) => [...line.matchAll(/`([a-z0-9-]+:\w+)`/g)].map(([, action = ""]) => action));
  return { statements: policySchema.parse(JSON.parse(json)).Statement, named: new Set(named) };
}
