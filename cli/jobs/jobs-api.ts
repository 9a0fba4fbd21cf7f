import { LambdaClient } from "@aws-sdk/client-lambda";
import { SignatureV4 } from "@smithy/signature-v4";
import { z } from "zod";
import { type JobSettings, jobCost, jobSettings, jobStates, resultFormats, rowCounts } from "../../contract/job";
import { parsedJson } from "../../contract/json-text";
import { type clientSettings, reasonOf } from "../../pipeline/clients";
import { Patience } from "../../pipeline/flow";

const time = z.iso.datetime().transform((text) => new Date(text));
/** A job, as far as commands read what the API says of it. */
const jobSchema = z.object({
  id: z.string(),
  state: z.enum(jobStates),
  createdAt: time,
  endedAt: time.optional(),
  deadline: time,
  input: z.object({ key: z.string(), bytes: z.number() }),
  settings: jobSettings.pick({ columns: true, limit: true, tenant: true }).strip(),
  counts: rowCounts.optional(),
  result: z
    .object({
      manifest: z.string(),
      format: z.enum(resultFormats),
      parts: z.array(z.object({ key: z.string(), rows: z.number() })),
      changedSince: z.number(),
    })
    .optional(),
  errors: z.array(z.string()).optional(),
  cost: jobCost.optional(),
  releases: z.array(z.string()).optional(),
});
export interface ShownJob extends Readonly<z.output<typeof jobSchema>> {
  /** All that the API says of it. */
  readonly json: unknown;
}

const jobIn = (json: unknown): ShownJob => ({ ...jobSchema.parse(json), json });

/** A job for machines, or several: the object that `GET /jobs/{id}`, or `GET /jobs`, gives. */
export const jobJson = ({ json }: ShownJob | JobPage) => JSON.stringify(json, undefined, 2);

const pageSchema = z.object({
  jobs: z.array(jobSchema.pick({ id: true, state: true, createdAt: true, counts: true })),
  next: z.string().optional(),
});
export interface JobPage extends Readonly<z.output<typeof pageSchema>> {
  /** All that the API says. */
  readonly json: unknown;
}

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** The API refused a call, and says why. */
export class RefusedByApi extends Error {
  override readonly name = "RefusedByApi";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What a job is made of. */
interface NewJob extends Partial<Omit<JobSettings, "deadlineSeconds">> {
  readonly id?: string;
  readonly input: { readonly key: string } | { readonly rows: readonly object[] };
  /** How long it may take, in seconds. @default the longest there is */
  readonly deadline?: number;
}

/** Without any answer for so long, a call is given up, in milliseconds. */
const patienceMilliseconds = 60_000;

/** What the API answers where it has put a request on the queue. */
const queuedSchema = z.object({ requestId: z.string() });

/** The jobs of a pipeline, by its API: what any program can do. */
export class JobsApi {
  private readonly client: LambdaClient;

  /** @param url of the API's stage */
  constructor(
    private readonly url: string,
    settings: Partial<ReturnType<typeof clientSettings>> = {},
  ) {
    // Knows the region, who is signed in and the way through a proxy, as every client of AWS's does.
    this.client = new LambdaClient(settings);
  }

  /** Starts a job. @returns the job, which was there already where the same was started before @throws RefusedByApi */
  async start(job: NewJob, signal: AbortSignal): Promise<{ readonly job: ShownJob; readonly isNew: boolean }> {
    const { status, json } = await this.call("POST", "/jobs", signal, job);
    return { job: jobIn(json), isNew: status === 201 };
  }

  /** @returns undefined where there is no such job */
  async get(id: string, signal: AbortSignal): Promise<ShownJob | undefined> {
    try {
      return jobIn((await this.call("GET", `/jobs/${encodeURIComponent(id)}`, signal)).json);
    } catch (error) {
      if (error instanceof RefusedByApi && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The newest jobs. */
  async list(limit: number, signal: AbortSignal): Promise<JobPage> {
    const { json } = await this.call("GET", `/jobs?limit=${limit}`, signal);
    return { ...pageSchema.parse(json), json };
  }

  /** Asks nothing more of a job. @throws RefusedByApi where it has ended, or is none */
  async cancel(id: string, signal: AbortSignal): Promise<ShownJob> {
    return jobIn((await this.call("POST", `/jobs/${encodeURIComponent(id)}/cancel`, signal)).json);
  }

  /** Asks for one prediction. @param request as `POST /predict` takes it @returns the request's id @throws RefusedByApi */
  async ask(request: object, signal: AbortSignal): Promise<string> {
    return queuedSchema.parse((await this.call("POST", "/predict", signal, request)).json).requestId;
  }

  private async call(method: "GET" | "POST", path: string, signal: AbortSignal, content?: unknown) {
    const patience = new Patience(patienceMilliseconds);
    for (let attempt = 1; ; attempt++) {
      const answer = await this.send(method, new URL(this.url + path), signal, content).catch((error: unknown) => {
        if (signal.aborted) throw error;
        return { status: 503, json: undefined, failure: `the API could not be reached: ${reasonOf(error)}` };
      });
      const { status, json } = answer;
      if (status < 400) return { status, json };
      const said = errorSchema.safeParse(json).data?.error.message ?? awsMessage.safeParse(json).data?.message;
      const refusal = new RefusedByApi(
        status,
        said ?? ("failure" in answer ? answer.failure : `the API answered ${status}`),
      );
      if (status < 500 && status !== 429) throw refusal;
      await patience.wait(attempt, refusal, signal);
    }
  }

  private async send(method: string, url: URL, signal: AbortSignal, content: unknown) {
    const { region, credentials, sha256, requestHandler } = this.client.config;
    const body = content === undefined ? undefined : JSON.stringify(content);
    const { protocol, hostname, port, host, pathname: path } = url;
    const request = {
      method,
      protocol,
      hostname,
      port: port === "" ? undefined : Number(port),
      path,
      query: Object.fromEntries(url.searchParams),
      headers: { host, ...(body !== undefined && { "content-type": "application/json" }) },
      body,
    };
    const signer = new SignatureV4({ service: "execute-api", region, credentials, sha256 });
    const { response } = await requestHandler.handle(await signer.sign(request), { abortSignal: signal });
    return { status: response.statusCode, json: await jsonIn(response.body) };
  }

  destroy(): void {
    this.client.destroy();
  }
}

/** Works with the API of a pipeline's jobs, and closes it. */
export async function withApi<Result>(
  { apiUrl }: { readonly apiUrl: string },
  work: (api: JobsApi) => Promise<Result>,
): Promise<Result> {
  const api = new JobsApi(apiUrl);
  try {
    return await work(api);
  } finally {
    api.destroy();
  }
}

/** What API Gateway itself says. */
const awsMessage = z.object({ message: z.string() });

/** The most that is read of an answer, in bytes: Lambda's are smaller (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const answerBytes = 6_291_556;

async function jsonIn(body: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > answerBytes) throw new Error("the API's answer is larger than any of its answers");
    chunks.push(chunk);
  }
  return parsedJson(Buffer.concat(chunks).toString());
}
