import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { accountId } from "./credentials";

export interface FunctionOptions {
  readonly name: string;
  /** Path of a CommonJS file that exports `handler`. */
  readonly bundle: string;
  readonly timeoutSeconds: number;
  readonly memoryMegabytes: number;
  /** The function's own variables, and those that Lambda gives every function: credentials, region. Nothing else is seen. */
  readonly environment: Record<string, string>;
  /** File that its output is appended to, for its user alone. @default its output is dropped */
  readonly logFile?: string;
}

export interface LocalFunction {
  readonly name: string;
  /**
   * Calls the handler in a process that no other invocation uses at the time, a warm one if there is one.
   * @throws FunctionError when the handler throws, its process ends, or its time runs out (which ends its process).
   */
  invoke(event: unknown): Promise<unknown>;
  /** Kills every process of the function at once, as a crash would. The next invocation starts a new one. */
  kill(): void;
  /** Ends every process of the function; what they were doing fails. Its log is whole then. */
  stop(): Promise<void>;
}

/** What Lambda answers instead of a result, with its `FunctionError` set. */
export class FunctionError extends Error {
  constructor(
    readonly errorType: string,
    message: string,
  ) {
    super(message);
  }
}

const answer = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ error: z.object({ errorType: z.string(), errorMessage: z.string() }) }),
  z.object({ result: z.unknown() }),
]);

/** Makes a Lambda function of a bundle. Its processes start when they are needed and stay warm. */
export function startFunction(options: FunctionOptions): LocalFunction {
  const idle: Sandbox[] = [];
  const all = new Set<Sandbox>();
  const log =
    options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: "a", mode: 0o600 });
  const underWay = new Set<Promise<unknown>>();
  let stopped = false;

  async function invoke(event: unknown): Promise<unknown> {
    const sandbox = idle.pop() ?? new Sandbox(options, log);
    all.add(sandbox);
    try {
      return await sandbox.invoke(event);
    } catch (error) {
      if (!sandbox.alive) log?.write(`${error}\n`); // a process that was ended could not say so itself
      throw error;
    } finally {
      if (sandbox.alive) idle.push(sandbox);
      else all.delete(sandbox);
    }
  }

  return {
    name: options.name,
    invoke: async (event) => {
      if (stopped) throw new FunctionError("Runtime.Stopped", `${options.name} is stopped`);
      const invocation = invoke(event);
      underWay.add(invocation);
      return invocation.finally(() => underWay.delete(invocation));
    },
    kill: () => {
      for (const sandbox of all) sandbox.kill();
      idle.length = 0;
    },
    stop: async () => {
      stopped = true;
      const ends = [...all].map((sandbox) => sandbox.stop());
      await Promise.allSettled([...ends, ...underWay]);
      await new Promise<void>((end) => (log ? log.end(end) : end()));
    },
  };
}

/** One process of a function, which works on one event at a time. */
class Sandbox {
  private readonly process: ChildProcess;
  private readonly exited: Promise<unknown>;
  /** It has exited, and all that it had written is read. */
  private readonly closed: Promise<unknown>;
  private readonly ready: Promise<unknown>;

  constructor(
    private readonly options: FunctionOptions,
    log: NodeJS.WritableStream | undefined,
  ) {
    const { name, bundle, memoryMegabytes, environment } = options;
    this.process = fork(resolve("local", "function-process.cjs"), [resolve(bundle)], {
      detached: true, // Ctrl-C in a terminal reaches only the parent, which stops its children in order
      execArgv: [`--max-old-space-size=${memoryMegabytes}`],
      env: {
        PATH: process.env.PATH,
        NODE_PATH: resolve("node_modules"), // Lambda's Node.js has AWS's SDK, and a bundle may leave a part of it out
        LAMBDA_TASK_ROOT: dirname(resolve(bundle)),
        AWS_LAMBDA_FUNCTION_NAME: name,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMegabytes),
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.process.stdout?.on("data", (chunk) => log?.write(chunk));
    this.process.stderr?.on("data", (chunk) => log?.write(chunk));
    this.process.setMaxListeners(0);
    this.exited = once(this.process, "exit");
    this.closed = new Promise((resolve) => this.process.once("close", resolve));
    this.ready = once(this.process, "message");
    this.ready.catch(() => {}); // told to whoever invokes
  }

  get alive() {
    return this.process.exitCode === null && this.process.signalCode === null && !this.process.killed;
  }

  async invoke(event: unknown): Promise<unknown> {
    const { name, timeoutSeconds, memoryMegabytes, environment } = this.options;
    await this.orEnd(this.ready);
    const context = {
      awsRequestId: randomUUID(),
      functionName: name,
      functionVersion: "$LATEST",
      invokedFunctionArn: `arn:aws:lambda:${environment.AWS_REGION}:${accountId}:function:${name}`,
      memoryLimitInMB: String(memoryMegabytes),
      logGroupName: `/aws/lambda/${name}`,
      callbackWaitsForEmptyEventLoop: false,
    };
    const answered = once(this.process, "message");
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      this.kill();
    }, timeoutSeconds * 1000);
    try {
      this.process.send({ event, context, deadline: Date.now() + timeoutSeconds * 1000 });
      const [message] = await this.orEnd(answered);
      const outcome = answer.parse(message);
      if ("error" in outcome) throw new FunctionError(outcome.error.errorType, outcome.error.errorMessage);
      return "result" in outcome ? outcome.result : undefined;
    } catch (error) {
      if (timedOut) throw new FunctionError("Sandbox.Timedout", `Task timed out after ${timeoutSeconds} seconds`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  kill() {
    this.process.kill("SIGKILL");
  }

  async stop() {
    if (this.alive) this.kill();
    await this.closed;
  }

  /** What `event` brings, unless the process ends before. */
  private orEnd<T>(event: Promise<T>): Promise<T> {
    const { name } = this.options;
    return Promise.race([
      event,
      this.exited.then((): never => {
        throw new FunctionError("Runtime.ExitError", `the process of ${name} ended before it answered`);
      }),
    ]);
  }
}
