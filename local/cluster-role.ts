import { setMaxListeners } from "node:events";
import { ask } from "./ask";
import { signatureHeaders } from "./signature";

/** What S3 refused the cluster, as Redshift says it. */
export class S3Refused extends Error {
  constructor(status: number, code: string, message: string) {
    super(`S3ServiceException:${message},Status ${status},Error ${code},Rid 0,CanRetry 1`);
  }
}

/** An object of S3 as COPY and UNLOAD name it. @throws where it is none */
function pathOf(url: string): string {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.*)$/s.exec(url) ?? [];
  if (bucket === undefined || key === undefined) throw new Error(`${url} is no address of S3`);
  return `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
}

/** S3 as the cluster sees it by one of its roles. A call is made once: AWS's cluster tries again for long. */
export class ClusterRole {
  constructor(
    private readonly s3Url: string,
    private readonly roleArn: string,
    private readonly signal: AbortSignal,
  ) {
    setMaxListeners(0, signal); // every call in flight listens to it
  }

  /** @throws S3Refused */
  async get(url: string): Promise<Buffer> {
    return this.call("GET", pathOf(url));
  }

  /** @throws S3Refused */
  async put(url: string, body: Buffer): Promise<void> {
    await this.call("PUT", pathOf(url), body);
  }

  /** Whether there is an object whose address begins so. @throws S3Refused */
  async hasAny(prefix: string): Promise<boolean> {
    const [, bucket = "", ...key] = pathOf(prefix).split("/");
    const answer = await this.call("GET", `/${bucket}?list-type=2&max-keys=1&prefix=${key.join("/")}`);
    return answer.includes("<Contents>");
  }

  private async call(method: string, path: string, body?: Buffer): Promise<Buffer> {
    const url = new URL(this.s3Url + path);
    const roleName = this.roleArn.split("/").at(-1) ?? "";
    const headers = signatureHeaders({ method, url }, roleName);
    const answer = await ask(url, { method, headers, signal: this.signal }, body);
    if (answer.status < 300) return answer.body;
    const said = (element: string) =>
      new RegExp(`<${element}>([^<]*)</${element}>`).exec(answer.body.toString())?.[1] ?? "";
    throw new S3Refused(answer.status, said("Code"), said("Message"));
  }
}
