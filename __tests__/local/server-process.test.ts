import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { startServerProcess } from "../../local/server-process";

/** Whether something listens there. */
const listens = (address: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(Number(new URL(address).port), "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

test("runs a server until it is stopped", async () => {
  const server = await startServerProcess("sqs-process.mjs");
  expect(await listens(server.address)).toBe(true);
  await server.stop();
  expect(await listens(server.address)).toBe(false);
});

test("the server ends with its parent, however that ends", async () => {
  const script = `require(${JSON.stringify(join(__dirname, "../../local/server-process"))})
    .startServerProcess("sqs-process.mjs").then(({ address }) => console.log(address));`;
  const parent = spawn(process.execPath, ["--import", "tsx", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [told] = await once(parent.stdout, "data");
  const address = String(told).trim();
  expect(await listens(address)).toBe(true);
  parent.kill("SIGKILL");
  while (await listens(address));
  await expect(listens(address)).resolves.toBe(false);
});
