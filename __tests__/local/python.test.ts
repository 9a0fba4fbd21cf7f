import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { madeOnce } from "../../local/python";

let folder: string;
let requirements: string;
let made: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "made-once-"));
  requirements = join(folder, "requirements.txt");
  writeFileSync(requirements, "one==1\n");
  made = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const make = (meanwhile?: () => Promise<unknown>) =>
  madeOnce(join(folder, "made", "one"), requirements, async (fresh) => {
    made++;
    await meanwhile?.();
    writeFileSync(join(fresh, "content"), readFileSync(requirements));
  });

test("what requirements ask for is made once, and anew where they ask for something else", async () => {
  const first = await make();
  expect(first).toMatch(/\/made\/one-[0-9a-f]{12}$/);
  expect([await make(), made]).toEqual([first, 1]);
  writeFileSync(requirements, "one==2\n");
  const second = await make();
  expect([second === first, made]).toEqual([false, 2]);
  expect([first, second].map((each) => readFileSync(join(each, "content"), "utf8"))).toEqual(["one==1\n", "one==2\n"]);
});

test("of two that make it at once both have it, whole, and nothing else is left", async () => {
  let bothBegan = () => {};
  const begun = new Promise<void>((resolve) => {
    bothBegan = resolve;
  });
  const one = () => {
    if (made === 2) bothBegan();
    return begun; // neither is done before the other has begun
  };
  const [first, second] = await Promise.all([make(one), make(one)]);
  expect([second, made]).toEqual([first, 2]);
  expect(readdirSync(join(folder, "made"))).toHaveLength(1);
  expect(readdirSync(first)).toEqual(["content"]);
});

test("nothing is left of what could not be made, and the next one makes it", async () => {
  const failing = madeOnce(join(folder, "made", "one"), requirements, async () => {
    throw new Error("no space left");
  });
  await expect(failing).rejects.toThrow("no space left");
  expect(readdirSync(join(folder, "made"))).toEqual([]);
  await make();
  expect(made).toBe(1);
});
