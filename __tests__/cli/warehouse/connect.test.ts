import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json, type StandIn, serve } from "../../../local/stand-in";
import { plainNames } from "../../setup/names";
import { startProgram } from "../../setup/program";

/** Says how it was called, and that it is an SSH server's end of a tunnel, as long as somebody listens. */
const aws = `
  require("node:fs").writeFileSync(process.env.CALLS + "/aws", JSON.stringify([process.pid, ...process.argv.slice(2)]));
  process.stdout.write("SSH-2.0");
  process.stdin.resume();
`;

/** Starts the proxy command, runs the local command when that has led somewhere, and ends with the proxy, as OpenSSH does. */
const ssh = `
  const { spawn, execSync } = require("node:child_process");
  const args = process.argv.slice(2);
  require("node:fs").writeFileSync(process.env.CALLS + "/ssh", JSON.stringify([process.pid, ...args]));
  if (args.some((arg) => arg.includes(process.env.TAKEN_PORT + ":"))) {
    console.error("bind: Address already in use");
    process.exit(255);
  }
  const option = (name) => args.find((arg) => arg.startsWith(name + "=")).slice(name.length + 1);
  const proxy = spawn("exec " + option("ProxyCommand"), { shell: true, stdio: ["pipe", "pipe", "inherit"] });
  process.on("SIGTERM", () => proxy.kill("SIGHUP"));
  proxy.stdout.once("data", () => execSync(option("LocalCommand"), { stdio: "inherit" }));
  proxy.once("close", () => process.exit(255));
`;

const bastion = {
  instance_id: "i-0123456789abcdef0",
  private_ip: "10.0.2.17",
  endpoint_id: "eice-0123456789abcdef0",
  endpoint_dns_name: "eice-0123456789abcdef0.1a2b.ec2-instance-connect-endpoint.us-east-1.amazonaws.com",
  leads_to: "poc-dev-cluster.abc.us-east-1.redshift.amazonaws.com:5439",
};
const names = {
  ...plainNames,
  redshift_cluster_identifier: "poc-dev-cluster",
  redshift_reader: "predictions_reader",
};
const contract = {
  features: [{ name: "a", type: "String", optional: false }],
  request: "csv",
  answer: "json",
  outputs: [],
};

let folder: string;
let key: string;
let cloud: StandIn;
let told: object;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "connect-"));
  await mkdir(join(folder, "bin"));
  await mkdir(join(folder, "calls"));
  for (const [name, script] of Object.entries({ aws, ssh })) {
    await writeFile(join(folder, "bin", name), `#!${process.execPath}\n${script}`);
    await chmod(join(folder, "bin", name), 0o755);
  }
  key = join(folder, "team");
  await writeFile(key, "a private key");
  await writeFile(join(folder, "credentials"), "[o'team]\naws_access_key_id = key\naws_secret_access_key = secret\n");
  told = { ...names, bastion };
  cloud = await serve(({ headers }) =>
    json(headers["x-amz-target"] ? { Parameter: { Value: JSON.stringify(told) } } : contract),
  );
});
afterEach(async () => {
  await cloud.stop();
  await rm(folder, { recursive: true });
});

const connect = (...args: string[]) =>
  startProgram(["warehouse", "connect", "--env", "dev", ...args], {
    environment: {
      PATH: join(folder, "bin"),
      CALLS: join(folder, "calls"),
      TAKEN_PORT: "15432",
      AWS_ENDPOINT_URL: cloud.url,
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_PROFILE: undefined,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
    },
  });

/** How a program was called, and which process it is. */
async function callOf(program: "aws" | "ssh"): Promise<{ pid: number; args: string[] }> {
  const [pid, ...args] = JSON.parse(await readFile(join(folder, "calls", program), "utf8"));
  return { pid, args };
}
const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("opens a tunnel through the bastion, says what to type, and ends it at Ctrl-C with all that it has started", async () => {
  const { child, printed, ended } = connect("--key", key);
  await printed("stdout", "MasterPasswordSecretArn");
  const [started, proxy] = [await callOf("ssh"), await callOf("aws")];
  expect([started, proxy].map(({ pid }) => isThere(pid))).toEqual([true, true]);

  child.kill("SIGINT");
  const { status, stdout, stderr } = await ended;
  expect({ status, stderr }).toEqual({ status: 130, stderr: "" });
  expect([started, proxy].map(({ pid }) => isThere(pid))).toEqual([false, false]);

  expect(started.args).toEqual(
    expect.arrayContaining([
      "-N",
      `127.0.0.1:5439:${bastion.leads_to}`,
      "ExitOnForwardFailure=yes",
      "StrictHostKeyChecking=accept-new",
      "ControlMaster=no",
      "IdentitiesOnly=yes",
      key,
      `ec2-user@${bastion.instance_id}`,
    ]),
  );
  expect(proxy.args).toEqual([
    "ec2-instance-connect",
    "open-tunnel",
    "--private-ip-address",
    bastion.private_ip,
    "--instance-connect-endpoint-id",
    bastion.endpoint_id,
    "--instance-connect-endpoint-dns-name",
    bastion.endpoint_dns_name,
  ]);
  expect(stdout.split("\n").slice(0, 4)).toEqual([
    "localhost:5439 is the warehouse of dev, until Ctrl-C, for an hour at most. In another terminal:",
    "",
    '  PGPASSWORD="$(aws redshift get-cluster-credentials --db-user predictions_reader --db-name predictions --cluster-identifier poc-dev-cluster --region us-east-1 --query DbPassword --output text)" \\',
    '    psql "host=localhost port=5439 dbname=predictions user=IAM:predictions_reader sslmode=require"',
  ]);
});

test("takes another port of this machine, and as a profile what it is told; ssh looks for keys by itself", async () => {
  const { child, printed, ended } = connect("--port", "15439", "--profile", "o'team");
  await printed("stdout", "MasterPasswordSecretArn");
  child.kill("SIGTERM");
  const { status, stdout } = await ended;
  expect(status).toBe(143);
  const { args } = await callOf("ssh");
  expect(args).toContain(`127.0.0.1:15439:${bastion.leads_to}`);
  expect(args.filter((arg) => /^-i$|IdentitiesOnly/.test(arg))).toEqual([]);
  expect(stdout).toContain("port=15439");
  expect(stdout).toContain("--profile 'o'\\''team'");
});

test("says that a tunnel has ended by itself", async () => {
  const { printed, ended } = connect();
  await printed("stdout", "MasterPasswordSecretArn");
  process.kill((await callOf("aws")).pid);
  expect(await ended).toMatchObject({
    status: 1,
    stderr: "The tunnel has ended. AWS keeps one for an hour at most: the same command opens another.\n",
  });
  expect(isThere((await callOf("ssh")).pid)).toBe(false);
});

test("leaves it to ssh to say why there is no tunnel, and prints nothing to type", async () => {
  expect(await connect("--port", "15432").ended).toMatchObject({
    status: 1,
    stdout: "",
    stderr: "bind: Address already in use\nThe tunnel could not be opened, and it says above why.\n",
  });
});

test("names all at once that this machine lacks, before it asks AWS or starts anything", async () => {
  for (const name of ["aws", "ssh"]) await rm(join(folder, "bin", name));
  await cloud.stop();
  const { status, stdout, stderr } = await connect("--key", join(folder, "nowhere")).ended;
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr.split("\n")).toEqual([
    "There is no ssh in PATH: it comes with OpenSSH (https://www.openssh.com).",
    expect.stringMatching(/^There is no aws in PATH: it comes with the AWS CLI, 2\.12 or newer \(https:/),
    expect.stringMatching(/^The private key .*nowhere cannot be read: .*no such file/),
    "",
  ]);
});

test("a pipeline without a bastion says how to have one, and starts nothing", async () => {
  told = names;
  const { status, stderr } = await connect().ended;
  expect(status).toBe(1);
  expect(stderr).toContain('The pipeline "dev" has no bastion');
  expect(stderr).toContain(
    "`access: { bastion: true }` in config.ts, and deploy it: npx offline-inference deploy inference-dev",
  );
  await expect(callOf("ssh")).rejects.toThrow("ENOENT");
});

test("a port that is none is refused", async () => {
  for (const port of ["0", "65536", "ssh"]) {
    const { status, stderr } = await connect("--port", port).ended;
    expect(status).toBe(1);
    expect(stderr).toContain("A port is a number from 1 to 65535.");
  }
});
