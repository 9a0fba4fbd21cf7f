import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { program } from "../../cli/program";
import { allCommands, exitCodes, fullName } from "../../cli/shared/help";
import { pathName } from "../../cli/shared/project-root";
import { operator } from "../../local/credentials";
import { checkoutWithoutTerraform } from "../setup/fake-terraform";

const run = promisify(execFile);
const launcher = resolve("cli/offline-inference.mjs");

const metafile = z.object({
  inputs: z.record(
    z.string(),
    z.object({ imports: z.array(z.object({ path: z.string(), kind: z.string(), external: z.boolean().optional() })) }),
  ),
});

/** What a line for bash ends with, where `$cli` is the program. */
function bash(line: string) {
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((ended) => {
    const env = { ...process.env, cli: `${process.execPath} ${launcher}` };
    const child = execFile("bash", ["--norc", "-c", line], { env }, (_error, stdout, stderr) =>
      ended({ status: child.exitCode, stdout, stderr }),
    );
  });
}

const commands = allCommands(program()).map((command) => ({ name: fullName(command), command }));

describe("every command", () => {
  test.each(commands)(
    "$name says what it is for, and is shown by examples of calls that it takes",
    ({ name, command }) => {
      expect(command.description()).toMatch(/\.$/);
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      const [, shown = ""] = /^Examples:\n((?: {2}.+\n)+)/m.exec(help) ?? [];
      const lines = shown.split("\n").filter((line) => line !== "");
      expect(lines).not.toEqual([]);
      for (const line of lines) {
        const parts = line.trim().split(" | "); // what it reads may come by a pipe
        const words = (parts.find((part) => part.startsWith("offline-inference ")) ?? line.trim())
          .split(/ (?:[>|<].*)?/)
          .filter((word) => word !== "");
        if (name !== "offline-inference") expect(`${words.join(" ")} `).toMatch(new RegExp(`^${name} `));
        const called = words.reduce((at, word) => at.commands.find((one) => one.name() === word) ?? at, program());
        const flags = [...called.options, ...program().options].flatMap(({ long, short }) => [long, short]);
        for (const flag of words.filter((word) => /^--./.test(word))) {
          if (called.name() !== "complete") expect(flags).toContain(flag);
        }
      }
    },
  );

  test("starts without the modules that only some need", async () => {
    const script = `
      import { build } from "esbuild";
      import { bundleOptions } from "./scripts/bundle-cli.mjs";
      const { metafile } = await build({ ...bundleOptions("nowhere"), write: false });
      console.log(JSON.stringify(metafile));
    `;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], { maxBuffer: 1 << 26 });
    const { inputs } = metafile.parse(JSON.parse(stdout));
    const reached = new Map<string, string>();
    const reach = (path: string, from: string) => {
      if (reached.has(path)) return;
      reached.set(path, from);
      for (const { kind, path: next, external } of inputs[path]?.imports ?? []) {
        if (kind !== "dynamic-import") reach(external ? `node_modules/${next}` : next, path);
      }
    };
    reach("cli/main.ts", "nothing");
    expect(reached.size).toBeGreaterThan(10);
    const others = [...reached].filter(
      ([path, from]) =>
        /^node_modules\/(?!node:|commander\/|picocolors\/)/.test(path) && !from.startsWith("node_modules/"),
    );
    expect(others).toEqual([]); // what is reached, and from where
  });
});

describe("help", () => {
  test("shows the commands in groups, each once", async () => {
    const { status, stdout } = await bash("$cli help");
    expect(status).toBe(0);
    const groups = [...stdout.matchAll(/^([A-Z][a-z ]+):\n/gm)].map(([, title]) => title);
    expect(groups).toEqual(["Options", "Work", "Model", "Deploy", "Look after", "Examples", "Exit codes"]);
    expect(stdout.match(/^ {2}deploy /gm)).toHaveLength(1);
  });

  test("of a command within another is that command's own", async () => {
    const asked = await bash("$cli help model ship");
    expect(asked).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^Usage: offline-inference model ship /),
      stderr: "",
    });
    expect(asked.stdout).toBe((await bash("$cli model ship --help")).stdout);
  });
});

test("--version prints the package's", async () => {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile("package.json", "utf8")));
  expect(await bash("$cli --version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});

describe("what is mistyped", () => {
  test.each([
    ["depoly state", "error: unknown command 'depoly'\n(Did you mean deploy?)\nSee: offline-inference --help\n"],
    ["model uplaod", "error: unknown command 'uplaod'\n(Did you mean upload?)\nSee: offline-inference model --help\n"],
    [
      "diff state --markdow",
      "error: unknown option '--markdow'\n(Did you mean --markdown?)\nSee: offline-inference diff --help\n",
    ],
    ["help model nope", "error: unknown command 'nope'\nSee: offline-inference model --help\n"],
    ["diff", "error: missing required argument 'stack'\nSee: offline-inference diff --help\n"],
  ])("%s ends with 1, what may be meant and where to read on", async (words, stderr) => {
    expect(await bash(`$cli ${words}`)).toEqual({ status: 1, stdout: "", stderr });
  });
});

describe("an error", () => {
  const failing = "$cli keypair import nowhere.pub";

  test("is one line, and with --debug what it comes from too", async () => {
    const short = await bash(failing);
    expect(short).toEqual({ status: 1, stdout: "", stderr: expect.stringMatching(/^.*nowhere\.pub.*\n$/) });
    for (const line of [`${failing} --debug`, failing.replace("$cli", "$cli --debug")]) {
      const { status, stderr } = await bash(line);
      expect(status).toBe(1);
      expect(stderr).toContain(short.stderr.trim());
      expect(stderr).toMatch(/^ +at .*cli\/\S+\.ts:\d+/m);
    }
  });

  test("of what is synthesized is said without its stack, and one of the folder is said as such", async () => {
    const folder = await mkdtemp(join(tmpdir(), "program-"));
    const run = (words: string) => bash(`cd ${folder}; $cli ${words}`);
    const here = `cannot synthesize: ${folder} has no main.ts. Run it in the folder of the project.\n`;
    expect(await run("state doctor")).toEqual({ status: 1, stdout: "", stderr: here });

    await mkdir(join(folder, "scripts"));
    await symlink(resolve("node_modules"), join(folder, "node_modules"));
    await writeFile(join(folder, "scripts", "build.mjs"), "");
    await writeFile(join(folder, "main.ts"), 'throw new TypeError("no such thing");');
    const wrong = "cannot synthesize: TypeError: no such thing\n";
    expect(await run("state doctor")).toEqual({ status: 1, stdout: "", stderr: wrong });
    expect((await run("state doctor --debug")).stderr).toMatch(/ at .*main\.ts:1/);
    await rm(folder, { recursive: true });
  });
});

describe("the exit codes that help lists", () => {
  const unread = (words: string) => `exec 3> >(exec true); wait $!; $cli ${words} >&3`;
  const interrupted = (signal: string) =>
    `fifo=$(mktemp -u); mkfifo $fifo; $cli keypair import $fifo & exec 9>$fifo; kill -${signal} $!; wait $!`;
  const losing = ({ checkout, environment }: Awaited<ReturnType<typeof checkoutWithoutTerraform>>) => {
    const { accessKeyId, secretAccessKey } = operator.credentials;
    const keys = `AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey}`;
    const signedIn = `${keys} AWS_ENDPOINT_URL_STS=${process.env.TEST_SQS_URL}`;
    const terraform = `TERRAFORM_BINARY_NAME=${environment.TERRAFORM_BINARY_NAME}`;
    return `cd ${checkout.folder}; ${signedIn} ${terraform} $cli diff inference-dev`;
  };
  /** Lines for bash by the code that each ends with. */
  const lines: Record<string, string[]> = {
    0: ["$cli help", "$cli cost"],
    1: ["$cli", "$cli cost --nope", "$cli keypair import nowhere.pub"],
    130: [interrupted("INT")],
    143: [interrupted("TERM")],
    141: ["--help", "--version", "cost", "complete -- model ''", "help model ship"].map(unread),
  };

  test("are what a shell sees of each", async () => {
    const stack = await checkoutWithoutTerraform("inference-dev", {});
    await stack.plans({ address: "aws_sqs_queue.requests", actions: ["delete"] });
    const all: Record<string, string[]> = { ...lines, 2: [losing(stack)] };
    const listed = [...exitCodes.matchAll(/\b\d+\b/g)].map(String);
    expect(Object.keys(all).sort()).toEqual(listed.sort());
    const ended = await Promise.all(
      Object.entries(all).flatMap(([code, some]) =>
        some.map(async (line) => [code, line, String((await bash(line)).status)]),
      ),
    );
    await stack.checkout.remove();
    expect(ended.filter(([code, , status]) => code !== status)).toEqual([]);
  });

  test("are 141 without a word where nobody reads", async () => {
    expect(await bash(unread("complete -- model ''"))).toEqual({ status: 141, stdout: "", stderr: "" });
  });

  test("are 1 where a command lacks what it is to do, and its help is no output", async () => {
    const groups = commands.filter(({ command }) => command.commands.length > 0).map(({ name }) => name);
    const ended = await Promise.all(groups.map((name) => bash(name.replace("offline-inference", "$cli"))));
    expect(ended.map(({ status, stdout }) => ({ status, stdout }))).toEqual(
      groups.map(() => ({ status: 1, stdout: "" })),
    );
  });
});

describe("in a folder of a project", () => {
  let project: string;
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "project-"));
    await mkdir(join(project, "data", "keys"), { recursive: true });
    await writeFile(join(project, "cdktf.json"), "{}");
    const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB me@desk";
    await writeFile(join(project, "data", "keys", "team.pub"), `${key}\n`);
  });
  afterAll(() => rm(project, { recursive: true }));

  test("a command works on the project, and takes a path from where it was called", async () => {
    const { status } = await bash(`cd ${project}/data; $cli keypair import keys/team.pub --env dev`);
    expect(status).toBe(0);
    const written = JSON.parse(await readFile(join(project, "key-pairs.json"), "utf8"));
    expect(Object.keys(written)).toEqual(["dev"]);
    expect(await readdir(join(project, "data"))).toEqual(["keys"]);
  });

  test("a script of npm's takes it from where npm was called", async () => {
    const called = `npm_lifecycle_event=diff INIT_CWD=${project}/data/keys`;
    expect((await bash(`cd ${project}; ${called} $cli keypair import team.pub --env prod`)).status).toBe(0);
  });

  test("every argument and option is known to take a path, or none", () => {
    const given = commands.flatMap(({ command }) => [
      ...command.registeredArguments.map((argument) => argument.name()),
      ...command.options.flatMap(({ flags }) => /[<[](.*)[>\]]$/.exec(flags)?.[1] ?? []),
    ]);
    const others = new Set(given.filter((name) => !pathName.test(name)));
    const noPaths =
      "address character code command count environment feature=column format id ids job list name number rows seconds " +
      "shell stack text time type usd value whom words";
    expect([...others].sort()).toEqual(noPaths.split(" "));
  });
});

describe("Ctrl-C", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "program-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("ends a command with 130 for the shell, and without a word", async () => {
    const fifo = join(folder, "team.pub");
    await run("mkfifo", [fifo]);
    const child = spawn(process.execPath, [launcher, "keypair", "import", fifo]);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
    const written = await open(fifo, "w"); // waits until it is read
    child.kill("SIGINT");
    const [status, signal] = await once(child, "close");
    await written.close();
    expect({ status, signal, said }).toEqual({ status: null, signal: "SIGINT", said: "" }); // of which a shell makes 130
  });
});
