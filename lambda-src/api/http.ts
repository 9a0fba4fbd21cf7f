import type { APIGatewayProxyResult } from "aws-lambda";
import * as z from "zod";
import { bytesOf } from "../../contract/bytes";

/** What is needed of a REST API's proxy event. */
export const requestSchema = z.object({
  httpMethod: z.string(),
  /** The route as the REST API knows it, such as /predict/{id}. */
  resource: z.string(),
  path: z.string(),
  pathParameters: z.record(z.string(), z.string()).nullish(),
  queryStringParameters: z.record(z.string(), z.string()).nullish(),
  multiValueQueryStringParameters: z.record(z.string(), z.array(z.string())).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().default(false),
});

export type Request = z.infer<typeof requestSchema>;

/** An answer with an error, whose code callers may rely on. */
export class Fault extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** The most of a body, in UTF-8 bytes. */
const mostBytes = 5_000_000;

/** The text of a request's body. @throws Fault where it is too large */
export const textOf = ({ body, isBase64Encoded }: Request): string => {
  const text = isBase64Encoded ? Buffer.from(body ?? "", "base64").toString("utf8") : (body ?? "");
  const bytes = bytesOf(text);
  if (bytes <= mostBytes) return text;
  const sizes = `at most ${mostBytes.toLocaleString("en")} UTF-8 bytes, got ${bytes.toLocaleString("en")}`;
  throw new Fault(413, "too_large", `the body must be ${sizes}`);
};

/** When a caller is to come again who found us busy. */
export const retryLater = { "retry-after": "5" };

export const json = (
  statusCode: number,
  body: unknown,
  headers: Record<string, string> = {},
): APIGatewayProxyResult => ({
  statusCode,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});
