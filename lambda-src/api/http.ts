import type { APIGatewayProxyResult } from "aws-lambda";
import * as z from "zod";

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
