import { setMaxListeners } from "node:events";
import { Agent, type RequestOptions, request } from "node:http";

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
    const roleName = this.roleArn.split("/").at(-1);
    const authorization = `AWS4-HMAC-SHA256 Credential=${roleName}/20260101/us-east-1/s3/aws4_request`;
    const answer = await ask(
      this.s3Url + path,
      { method, headers: { authorization }, agent, signal: this.signal },
      body,
    );
    if (answer.status < 300) return answer.body;
    const said = (element: string) =>
      new RegExp(`<${element}>([^<]*)</${element}>`).exec(answer.body.toString())?.[1] ?? "";
    throw new S3Refused(answer.status, said("Code"), said("Message"));
  }
}

const agent = new Agent({ keepAlive: true });

/** Node's own client: of thousands of small objects, fetch would be the most of the work. */
const ask = (url: string, options: RequestOptions, body?: Buffer) =>
  new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
    const asked = request(url, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
      answer.once("error", reject);
    });
    asked.once("error", (error) => reject(options.signal?.aborted ? options.signal.reason : error));
    asked.end(body);
  });
