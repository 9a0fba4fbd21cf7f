import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { startServerProcess } from "../../local/server-process";

/** Whether something listens there. */
const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

test("runs a server until it is stopped", async () => {
  const server = await startServerProcess("sqs-process.mjs");
  expect(await listens(server.port)).toBe(true);
  await server.stop();
  expect(await listens(server.port)).toBe(false);
});

test("the server ends with its parent, however that ends", async () => {
  const script = `require(${JSON.stringify(join(__dirname, "../../local/server-process"))})
    .startServerProcess("sqs-process.mjs").then(({ port }) => console.log(port));`;
  const parent = spawn(process.execPath, ["--import", "tsx", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [told] = await once(parent.stdout, "data");
  const port = Number(String(told));
  expect(await listens(port)).toBe(true);
  parent.kill("SIGKILL");
  while (await listens(port));
  await expect(listens(port)).resolves.toBe(false);
});
