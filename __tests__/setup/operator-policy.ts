import { readFile } from "node:fs/promises";
import { z } from "zod";

const policySchema = z.object({
  Statement: z.array(
    z.object({
      Sid: z.string(),
      Effect: z.literal("Allow"),
      Action: z.array(z.string()),
      Resource: z.array(z.string()),
      Condition: z.record(z.string(), z.record(z.string(), z.string())).optional(),
    }),
  ),
});

/** The actions that a text of the documentation names. */
export const actionsIn = (text: string): string[] =>
  [...text.matchAll(/`([a-z0-9-]+:\w+)`/g)].map(([, action = ""]) => action);

/** The policy in docs/operating.md for a program that has jobs alone. */
export const jobsPolicy = () => policyIn("A program that has jobs alone");

/** The policy there for who erases. */
export const erasurePolicy = () => policyIn("One person's data: `erase`");

/** The policy there for who comes in by a bastion. */
export const bastionPolicy = () => policyIn("SQL from your desk: `warehouse connect`");

async function policyIn(title: string) {
  const [, section = ""] = (await readFile("docs/operating.md", "utf8")).split(`\n## ${title}\n`);
  const [, json = ""] = /```json\n(.*?)```/s.exec(section) ?? [];
  return policySchema.parse(JSON.parse(json)).Statement;
}

/** The policy for operators in docs/operating.md, and what its table says of each command. */
export async function operatorPolicy() {
  const text = await readFile("docs/operating.md", "utf8");
  const [, json = ""] = /```json\n(.*?)```/s.exec(text) ?? [];
  const rows = new Map(
    [...text.matchAll(/^\| `?(all|[a-z]+(?: [a-z]+)?)`? \| (.*:[A-Z].*|those of .*) \|$/gm)].map(
      ([, command = "", said = ""]) => [command, said],
    ),
  );
  /** What a command's row names, and the rows that it refers to. */
  const namedFor = (command: string): string[] => {
    const said = rows.get(command) ?? "";
    const others = [...said.matchAll(/`([a-z ]+)`/g)].flatMap(([, other = ""]) => (rows.has(other) ? [other] : []));
    return [...actionsIn(said), ...others.flatMap(namedFor)];
  };
  return {
    statements: policySchema.parse(JSON.parse(json)).Statement,
    commands: [...rows.keys()],
    /** The actions that the row of a command names itself. */
    ownOf: (command: string) => actionsIn(rows.get(command) ?? ""),
    namedFor: (command: string) => [...namedFor("all"), ...namedFor(command)],
    named: new Set([...rows.values()].flatMap(actionsIn)),
    /** The actions that a section names. */
    section: (title: string) => {
      const [, found] = text.split(`\n## ${title}\n`);
      if (found === undefined) throw new Error(`docs/operating.md has no section "${title}"`);
      return actionsIn(found.split("\n## ")[0] ?? "");
    },
  };
}
