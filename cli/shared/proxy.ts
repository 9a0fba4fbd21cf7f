import { syncBuiltinESMExports } from "node:module";
import { createGlobalProxyAgent } from "global-agent";

/** A proxy as the environment names it; undefined where it names none. @throws when it is no address of one */
function proxyIn(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const given = environment[name] || environment[name.toLowerCase()];
  if (!given) return undefined;
  const address = /^\w+:\/\//.test(given) ? given : `http://${given}`;
  if (URL.canParse(address) && new URL(address).protocol === "http:") return new URL("/", address).href;
  const shown = given.replace(/\/\/[^/]*@/, "//…@"); // what precedes the @ is a secret
  throw new Error(`${name} must be the address of a proxy, such as http://proxy.example.com:3128, got "${shown}"`);
}

/** Hosts that are called directly: this machine, and those that NO_PROXY names, with all below a domain. */
function directHosts(environment: NodeJS.ProcessEnv): string {
  const named = (environment.NO_PROXY || environment.no_proxy || "").split(/[\s,]+/).filter(Boolean);
  const hosts = named.flatMap((host) => (/^[.*]/.test(host) ? [host] : [host, `.${host}`]));
  return ["localhost", "127.0.0.1", "[::1]", ...hosts].join(",");
}

/**
 * Sends all calls of this process through the proxies that HTTPS_PROXY and HTTP_PROXY name, as Terraform does
 * (https://pkg.go.dev/net/http#ProxyFromEnvironment): those of every client of AWS's, and of what signs in for them.
 * @throws when one of them is no address of a proxy
 */
export function throughProxy(environment: NodeJS.ProcessEnv): void {
  const [https, http] = ["HTTPS_PROXY", "HTTP_PROXY"].map((name) => proxyIn(environment, name));
  if (https === undefined && http === undefined) return;
  const agent = createGlobalProxyAgent({ forceGlobalAgent: true });
  agent.HTTPS_PROXY = https ?? ""; // null would stand for the other one
  agent.HTTP_PROXY = http ?? "";
  agent.NO_PROXY = directHosts(environment);
  syncBuiltinESMExports(); // the clients see what it has put in the place of Node's own
}
