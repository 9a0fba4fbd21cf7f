import { Agent, type IncomingHttpHeaders, type RequestOptions, request } from "node:http";

const agent = new Agent({ keepAlive: true });

/** Node's own client: of thousands of small objects, fetch would be the most of the work, and it sets Host itself. */
export const ask = (url: URL, options: RequestOptions, body?: Buffer) =>
  new Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    const asked = request(url, { ...options, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("end", () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
      });
      answer.once("error", reject);
    });
    asked.once("error", (error) => reject(options.signal?.aborted ? options.signal.reason : error));
    asked.end(body);
  });
