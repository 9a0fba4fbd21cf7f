import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { z } from "zod";
import { pythonWith } from "../../local/python";

const run = promisify(execFile);
const program = resolve("__tests__/setup/moto");

/** One call of AWS: `service` as in an IAM action, `operation` as in its API. Method and path are what API Gateway's actions stand for. */
export interface AwsCall {
  readonly service: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
}

const ready = z.object({ url: z.url() });
const calls: z.ZodType<AwsCall[]> = z.array(
  z.object({ service: z.string(), operation: z.string(), method: z.string(), path: z.string() }),
);
const holdings = z.record(z.string(), z.number());

/** An AWS account on loopback: moto, with its gaps filled (moto/gaps.py). It keeps nothing after `stop`. */
export async function startMoto() {
  const python = await installMoto();
  const server = spawn(python, [join(program, "server.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(server, "close");
  let stopping = false;
  closed.then(([status, signal]) => {
    if (!stopping) console.error(`moto ended before it was told to, with ${signal ?? status}`);
  });
  const [line] = await Promise.race([
    once(createInterface(server.stdout), "line"),
    closed.then(() => {
      throw new Error("moto ended before it was ready; it says why above");
    }),
  ]);
  const { url } = ready.parse(JSON.parse(String(line)));
  const environment = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_"))),
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: "us-east-1",
    AWS_DEFAULT_REGION: "us-east-1", // the name that the CLI knows
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    CHECKPOINT_DISABLE: "1",
    GOGC: "400", // Terraform and its provider collect garbage less often: a fifth less of the processor, for 200 MB
  };
  const ask = async (path: string) => (await fetch(`${url}/moto-api/${path}`)).json();
  return {
    url,
    /**
     * What a process needs to take it for AWS: Terraform's provider, its S3 backend, and the SDKs. An endpoint at an IP
     * address makes all of them name a bucket in the path, so that none has to be told to.
     */
    environment,
    /** AWS's CLI: what it answers, where it answers anything. */
    aws: async (...args: string[]): Promise<unknown> => {
      const command = ["-m", "awscli", "--endpoint-url", url, "--output", "json", ...args];
      const { stdout } = await run(python, command, { env: environment, maxBuffer: 1 << 26 });
      return stdout === "" ? undefined : JSON.parse(stdout);
    },
    /** Runs a script of bash's in a folder, in which `aws` is AWS's CLI. */
    bash: (script: string, cwd: string) =>
      run("bash", ["--norc", "-euc", `aws() { "${python}" -m awscli --endpoint-url ${url} "$@"; }\n${script}`], {
        cwd,
        env: environment,
        maxBuffer: 1 << 26,
      }),
    /** Every call since the start, in its order. */
    calls: async () => calls.parse(await ask("calls")),
    /** How many resources of each of Terraform's types it holds, but for what every account has. None left out is 0. */
    holdings: async () => holdings.parse(await ask("holdings")),
    stop: async () => {
      stopping = true;
      server.stdin.end();
      await closed;
    },
  };
}

export type Moto = Awaited<ReturnType<typeof startMoto>>;

/** The Python of a virtual environment that holds just what requirements.txt says, made the first time. */
export const installMoto = (): Promise<string> => pythonWith("moto", join(program, "requirements.txt"));
