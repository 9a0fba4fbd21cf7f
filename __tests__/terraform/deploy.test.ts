import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, watch } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { z } from "zod";
import { reviewJson } from "../../cli/deployment/review";
import { atTerminal, Checkout, thing } from "./checkout";

describe("a stack", () => {
  let checkout: Checkout;
  beforeEach(async () => {
    checkout = await Checkout.withTinyStack();
  });
  afterEach(async () => {
    expect(await checkout.plansLeft()).toEqual([]);
    await checkout.remove();
  });

  const inputs = async () => {
    const state = z.object({
      resources: z.array(
        z.object({
          name: z.string(),
          instances: z.array(z.object({ attributes: z.object({ input: z.object({ value: z.unknown() }) }) })),
        }),
      ),
    });
    const { resources } = state.parse(JSON.parse(await readFile(checkout.state("tiny"), "utf8")));
    return Object.fromEntries(resources.map(({ name, instances }) => [name, instances[0]?.attributes.input.value]));
  };

  test("is looked at without a change, deployed, and has no changes then", async () => {
    const command = `ls -l plan > ${checkout.path("listing")}`;
    await checkout.write({ terraform_data: { a: thing("1", { provisioner: [{ "local-exec": { command } }] }) } });
    const looked = await checkout.start(["diff", "tiny"], { CI: "true" }).ended; // where picocolors has colours on
    expect(looked).toEqual({
      status: 0,
      stdout:
        "tiny: 1 created\n\nCreated\n  + terraform_data.a\n\n" +
        "To apply it usually takes a minute or two (assumed).\n\nSafe: nothing stateful is lost.\n",
      stderr: "Bundling and synthesizing ...\nPlanning tiny ...\nTo apply it: npx offline-inference deploy tiny\n",
    });
    expect(existsSync(checkout.state("tiny"))).toBe(false);

    const deployed = await checkout.run("deploy", "tiny", "--auto-approve");
    expect(deployed).toMatchObject({
      status: 0,
      stdout: looked.stdout,
      stderr: expect.stringContaining("Apply complete! Resources: 1 added"),
    });
    expect(await inputs()).toEqual({ a: "1" });
    expect(await readFile(checkout.path("listing"), "utf8")).toMatch(/^-rw------- /); // while it was applied

    const again = await checkout.run("deploy", "tiny", "--auto-approve");
    expect(again).toMatchObject({
      status: 0,
      stdout: "tiny: no changes\n\nSafe: nothing stateful is lost.\n",
      stderr: expect.stringMatching(/There is nothing to apply\.\n$/),
    });
  });

  test("is shown for machines and for a pull request, without secrets", async () => {
    const secret = "hunter2-hunter2";
    await checkout.write({ terraform_data: { a: thing(`\${sensitive("${secret}")}`), b: thing("1") } });
    await checkout.run("deploy", "tiny", "--auto-approve");
    await checkout.write({ terraform_data: { a: thing("2"), b: thing("2", { triggers_replace: ["x"] }) } });

    const json = await checkout.run("diff", "tiny", "--json", "--take-over", "dev");
    expect(await readFile(checkout.path("arguments"), "utf8")).toBe("--take-over dev --deployable");
    expect(reviewJson.parse(JSON.parse(json.stdout))).toMatchObject({
      stack: "tiny",
      safe: true,
      counts: { updated: 1, replaced: 1 },
      changes: [
        {
          address: "terraform_data.a",
          kind: "update",
          attributes: [
            { path: "input", before: "(sensitive)", after: "(sensitive)" },
            { path: "output", before: expect.any(String) },
          ],
        },
        {
          address: "terraform_data.b",
          kind: "replace",
          forcedBy: [{ path: "triggers_replace", before: "null", after: '["x"]' }],
        },
      ],
    });
    const markdown = await checkout.run("diff", "tiny", "--markdown");
    expect(await readFile(checkout.path("arguments"), "utf8")).toBe("--deployable");
    expect(markdown.stdout).toMatch(/^<!-- offline-inference plan: tiny -->\n/);
    expect(markdown.stdout).toContain("# terraform_data.b must be replaced");
    for (const { stdout, stderr } of [json, markdown]) expect(`${stdout}${stderr}`).not.toContain(secret);
  });

  test("whose plan fails ends with 1 and with what Terraform says", async () => {
    await checkout.write({ terraform_data: { a: thing("${terraform_data.b.output}") } });
    const { status, stdout, stderr } = await checkout.run("diff", "tiny");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("terraform plan failed.");
    expect(stderr).toContain("Reference to undeclared resource");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test("that there is none of, and an address that is not lost, end with 1", async () => {
    await checkout.write({ terraform_data: { a: thing("1") } });
    expect(await checkout.run("diff", "other")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('There is no stack "other". The stacks of config.ts: tiny'),
    });
    expect(await checkout.run("deploy", "tiny", "--auto-approve", "--allow-destroy", "terraform_data.a")).toMatchObject(
      {
        status: 1,
        stderr: expect.stringContaining("--allow-destroy names terraform_data.a, which this plan does not lose"),
      },
    );
    expect(existsSync(checkout.state("tiny"))).toBe(false);
  });

  test("is not deployed when nobody can be asked", async () => {
    await checkout.write({ terraform_data: { a: thing("1") } });
    expect(await checkout.run("deploy", "tiny")).toEqual({
      status: 1,
      stdout: "",
      stderr: "Nobody can be asked here, since this is no terminal. With --auto-approve nobody is asked.\n",
    });
  });

  test.each([
    { answer: "y", keys: "y\r", status: 0, said: "Apply complete!" },
    { answer: "Enter", keys: "\r", status: 1, said: "Nothing was applied." },
    { answer: "Ctrl-C", keys: "\x03", status: 130, said: "Interrupted by SIGINT." },
    { answer: "the end of the input", keys: "\x04", status: 1, said: "Nothing was applied." },
  ])("at a terminal is deployed on a yes only: $answer ends with $status", async ({ keys, status, said }) => {
    await checkout.write({ terraform_data: { a: thing("1") } });
    const run = checkout.start(["deploy", "tiny"], {}, atTerminal);
    const asked = async () => {
      while (!run.said.stdout.includes("Apply this to tiny? [y/N] ")) await once(run.child.stdout, "data");
    };
    await Promise.race([asked(), run.ended]);
    run.child.stdin.write(keys);
    expect(await run.ended).toMatchObject({ status, stdout: expect.stringContaining(said) });
    expect(existsSync(checkout.state("tiny"))).toBe(status === 0);
  });

  test("leaves no plan behind when it is told to end, and Terraform keeps what it did", async () => {
    const command = `touch ${checkout.path("started")}; exec tail -f /dev/null`; // ends when Terraform is told to
    const provisioner = [{ "local-exec": { command } }];
    await checkout.write({
      terraform_data: { a: thing("1"), b: thing("2", { provisioner, depends_on: ["terraform_data.a"] }) },
    });
    const written = watch(checkout.folder);
    const started = async () => {
      for await (const { filename } of written) if (filename === "started") break;
    };
    // What comes before the last one in PATH may be a wrapper, which takes signals for itself.
    const found = (process.env.PATH ?? "")
      .split(delimiter)
      .map((folder) => join(folder, "terraform"))
      .filter(existsSync);
    const run = checkout.start(["deploy", "tiny", "--auto-approve"], { TERRAFORM_BINARY_NAME: found.at(-1) ?? "" });
    await Promise.race([started(), run.ended]);
    run.child.kill("SIGTERM");
    expect(await run.ended).toMatchObject({
      status: 143,
      stderr: expect.stringMatching(/Interrupted by SIGTERM\.\n$/),
    });
    expect(await inputs()).toMatchObject({ a: "1" });
  });
});
