import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { runProgram } from "../../setup/program";

let proxy: Server;
/** What was asked of the proxy: hosts to be put through to, and addresses. */
let asked: string[];
beforeEach(async () => {
  asked = [];
  proxy = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(403).end();
  });
  proxy.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
});
afterEach(() => {
  proxy.close();
  proxy.closeAllConnections();
});

const address = () => `127.0.0.1:${z.object({ port: z.number() }).parse(proxy.address()).port}`;
const keys = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "none", AWS_REGION: "us-east-1" };
const job = (environment: Record<string, string | undefined>) =>
  runProgram(["job", "list", "--env", "dev"], { environment: { ...keys, AWS_PROFILE: undefined, ...environment } });

test.each(["HTTPS_PROXY", "https_proxy"])("calls of AWS go through the proxy that %s names", async (name) => {
  const { status, stderr } = await job({ [name]: `http://${address()}` });
  expect(new Set(asked)).toEqual(new Set(["ssm.us-east-1.amazonaws.com:443"]));
  expect(status).toBe(1);
  expect(stderr).toContain("The proxy that HTTPS_PROXY names lets nobody through to there");
  expect(stderr).not.toContain("    at ");
});

test("so does what signs in for them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "aws-"));
  const config = `[profile role]\nrole_arn = arn:aws:iam::123456789012:role/operator\nsource_profile = keys\nregion = us-east-1\n[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = none\n`;
  await writeFile(join(folder, "config"), config);
  await job({
    HTTPS_PROXY: `http://${address()}`,
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_PROFILE: "role",
    AWS_CONFIG_FILE: join(folder, "config"),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
  });
  expect(new Set(asked)).toEqual(new Set(["sts.us-east-1.amazonaws.com:443"]));
});

test.each(["amazonaws.com", ".amazonaws.com", "ssm.us-east-1.amazonaws.com", "*"])(
  "what NO_PROXY names is called directly: %s",
  async (noProxy) => {
    const endpoint = "https://ssm.us-east-1.amazonaws.com.invalid";
    const names = noProxy === "*" ? noProxy : `elsewhere.example,${noProxy}.invalid`;
    await job({ HTTPS_PROXY: `http://${address()}`, NO_PROXY: names, AWS_ENDPOINT_URL_SSM: endpoint });
    expect(asked).toEqual([]);
  },
);

test("what runs on this machine is called directly, and HTTP_PROXY alone is for http alone", async () => {
  await job({ HTTP_PROXY: `http://${address()}`, AWS_ENDPOINT_URL_SSM: "http://127.0.0.1:9" });
  await job({ HTTP_PROXY: `http://${address()}`, AWS_ENDPOINT_URL_SSM: "https://aws.invalid" });
  expect(asked).toEqual([]);
  await job({ HTTP_PROXY: `http://${address()}`, AWS_ENDPOINT_URL_SSM: "http://aws.invalid" });
  expect(new Set(asked)).toEqual(new Set(["http://aws.invalid/"]));
});

test("an address that is none is refused by name, without its password", async () => {
  const { status, stdout, stderr } = await job({ HTTPS_PROXY: "socks5://me:secret@proxy.example.com" });
  expect({ status, stdout, stderr }).toEqual({
    status: 1,
    stdout: "",
    stderr:
      'HTTPS_PROXY must be the address of a proxy, such as http://proxy.example.com:3128, got "socks5://…@proxy.example.com"\n',
  });
});
