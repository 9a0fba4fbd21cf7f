import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type FunctionOptions, type LocalFunction, startFunction } from "../../local/lambda";
import { bundleOf } from "../setup/bundle";

const running: LocalFunction[] = [];
afterEach(() => Promise.all(running.splice(0).map((one) => one.stop())));

function functionOf(handlerBody: string, options: Partial<FunctionOptions> = {}) {
  const local = startFunction({
    name: "fixture",
    bundle: bundleOf(handlerBody),
    timeoutSeconds: 10,
    memoryMegabytes: 128,
    environment: { AWS_REGION: "us-east-1" },
    ...options,
  });
  running.push(local);
  return local;
}

/** A server that says when each of so many callers has called, and answers them all on demand. */
async function meetingPoint() {
  const waiting: (() => void)[] = [];
  let notify = () => {};
  const server = createServer((_, response) => {
    waiting.push(() => response.end());
    notify();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = z.object({ port: z.number() }).parse(server.address());
  return {
    handlerBody: `await fetch("http://127.0.0.1:${port}"); return process.pid;`,
    arrived: (count: number) =>
      new Promise<void>((resolve) => {
        notify = () => waiting.length >= count && resolve();
        notify();
      }),
    release: () => {
      for (const answer of waiting.splice(0)) answer();
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

test("gives the handler the event, and its answer back", async () => {
  const echo = functionOf("return { got: event };");
  expect(await echo.invoke({ a: [1, "2"] })).toEqual({ got: { a: [1, "2"] } });
});

test("a handler that returns nothing answers null, as Lambda has it", async () => {
  expect(await functionOf("").invoke({})).toBeNull();
});

test("gives the handler a context that counts its time down", async () => {
  const local = functionOf("return { ...context, remaining: context.getRemainingTimeInMillis() };", {
    timeoutSeconds: 7,
  });
  const context = z.looseObject({ awsRequestId: z.uuid(), remaining: z.number() }).parse(await local.invoke({}));
  expect(context).toMatchObject({ functionName: "fixture", memoryLimitInMB: "128" });
  expect(context.remaining).toBeGreaterThan(0);
  expect(context.remaining).toBeLessThanOrEqual(7000);
});

test("shows the function its own variables and none of ours", async () => {
  process.env.OURS = "secret";
  const environment = z
    .record(z.string(), z.string())
    .parse(
      await functionOf("return process.env;", { environment: { AWS_REGION: "us-east-1", QUEUE_URL: "theirs" } }).invoke(
        {},
      ),
    );
  delete process.env.OURS;
  expect(environment).toMatchObject({
    QUEUE_URL: "theirs",
    AWS_REGION: "us-east-1",
    AWS_LAMBDA_FUNCTION_NAME: "fixture",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
  });
  expect(environment).not.toHaveProperty("OURS");
  expect(environment).not.toHaveProperty("HOME");
});

test("fails with the handler's error, and goes on in the same process", async () => {
  const local = functionOf('if (event.fail) throw new TypeError("no good"); return process.pid;');
  const before = await local.invoke({});
  await expect(local.invoke({ fail: true })).rejects.toMatchObject({ errorType: "TypeError", message: "no good" });
  expect(await local.invoke({})).toBe(before);
});

test("fails when the process ends itself, and starts another for the next event", async () => {
  const local = functionOf("if (event.exit) process.exit(1); return process.pid;");
  const before = await local.invoke({});
  await expect(local.invoke({ exit: true })).rejects.toMatchObject({ errorType: "Runtime.ExitError" });
  expect(await local.invoke({})).not.toBe(before);
});

test("fails for a bundle that cannot be loaded", async () => {
  const local = functionOf("", { bundle: join(tmpdir(), "nowhere", "index.cjs") });
  await expect(local.invoke({})).rejects.toMatchObject({ errorType: "Runtime.ExitError" });
});

test("kills the process when its time runs out", async () => {
  const local = functionOf(
    "if (event.hang) await new Promise(() => setInterval(() => {}, 1000)); return process.pid;",
    {
      timeoutSeconds: 1,
    },
  );
  const pid = z.number().parse(await local.invoke({}));
  await expect(local.invoke({ hang: true })).rejects.toThrow("Task timed out after 1 seconds");
  expect(await local.invoke({})).not.toBe(pid);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("says in the log that a process has ended", async () => {
  const logFile = join(mkdtempSync(join(tmpdir(), "offline-inference-log-")), "fixture.log");
  const local = functionOf("process.exit(1);", { logFile });
  await expect(local.invoke({})).rejects.toThrow();
  await local.stop();
  expect(readFileSync(logFile, "utf8")).toContain("the process of fixture ended before it answered");
});

test("is stopped when it has written what its invocations had to say, those that its end cut off too", async () => {
  const place = await meetingPoint();
  const logFile = join(mkdtempSync(join(tmpdir(), "offline-inference-log-")), "fixture.log");
  const local = functionOf(`console.log("#".repeat(60_000)); ${place.handlerBody}`, { logFile });
  const cutOff = Promise.allSettled(Array.from({ length: 4 }, () => local.invoke({})));
  await place.arrived(4);
  await local.stop();
  place.close();
  const log = readFileSync(logFile, "utf8");
  await cutOff;
  expect(log.match(/ended before it answered/g)).toHaveLength(4);
  expect(log.match(/#/g)).toHaveLength(240_000);
});

test("works on one event per process at a time, and uses a warm process again", async () => {
  const place = await meetingPoint();
  const local = functionOf(place.handlerBody);
  const both = [local.invoke({}), local.invoke({})];
  await place.arrived(2);
  place.release();
  const pids = await Promise.all(both);
  expect(new Set(pids).size).toBe(2);
  const third = local.invoke({});
  await place.arrived(1);
  place.release();
  expect(pids).toContain(await third);
  place.close();
});

test("fails what is under way when it is killed, and works again afterwards", async () => {
  const place = await meetingPoint();
  const local = functionOf(place.handlerBody);
  const killed = local.invoke({});
  const failure = expect(killed).rejects.toMatchObject({ errorType: "Runtime.ExitError" });
  await place.arrived(1);
  local.kill();
  await failure;
  place.release();
  const next = local.invoke({});
  await place.arrived(1);
  place.release();
  expect(await next).toEqual(expect.any(Number));
  place.close();
});

test("leaves no process behind when it is stopped, and takes no more events", async () => {
  const local = functionOf("return process.pid;");
  const pid = z.number().parse(await local.invoke({}));
  await local.stop();
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  await expect(local.invoke({})).rejects.toThrow("fixture is stopped");
});

test("keeps what the function prints", async () => {
  const logFile = join(mkdtempSync(join(tmpdir(), "offline-inference-log-")), "fixture.log");
  const local = functionOf('console.log("to stdout"); console.error("to stderr"); throw new Error("thrown");', {
    logFile,
  });
  await expect(local.invoke({})).rejects.toThrow("thrown");
  await local.stop();
  const log = readFileSync(logFile, "utf8");
  for (const line of ["to stdout", "to stderr", "Error: thrown"]) expect(log).toContain(line);
});
