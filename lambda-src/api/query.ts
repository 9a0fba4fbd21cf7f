import type * as z from "zod";
import { isJson } from "../../contract/json-text";
import { InvalidRequest } from "../../pipeline/request-reader";
import type { Request } from "./http";

/** The parameters of a query, of which a route knows these. @throws InvalidRequest for others, and for one given twice */
export const parametersOf = (
  { queryStringParameters, multiValueQueryStringParameters }: Request,
  known: readonly string[],
): ReadonlyMap<string, string> => {
  for (const [name, values] of Object.entries(multiValueQueryStringParameters ?? {})) {
    if (values.length > 1) throw new InvalidRequest(`${name} must be given once, got ${JSON.stringify(values)}`);
  }
  const query = new Map(Object.entries(queryStringParameters ?? {}));
  const unknown = [...query.keys()].filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(", ");
    const only = known.length === 0 ? "" : `, only ${known.slice(0, -1).join(", ")} and ${known.at(-1)}`;
    throw new InvalidRequest(`there is no parameter ${names}${only}`);
  }
  return query;
};

/** The most that a page holds. */
const mostPerPage = 100;

/** How many of something a page is to hold. @throws InvalidRequest */
export const limitOf = (limit = "50"): number => {
  if (/^[1-9]\d*$/.test(limit) && Number(limit) <= mostPerPage) return Number(limit);
  throw new InvalidRequest(`limit must be a whole number from 1 to ${mostPerPage}, got ${JSON.stringify(limit)}`);
};

/** Where a page ends, as what the caller gives back to have the next one. */
export const nextOf = (place: unknown): string => Buffer.from(JSON.stringify(place)).toString("base64url");

/** What a text of JSON holds; nothing where it is none. */
const readJson = (text: string): unknown => (isJson(text) ? JSON.parse(text) : undefined);

/** Where the page before ended. @throws InvalidRequest for what no answer gave */
export const placeOf = <Schema extends z.ZodType>(next: string, schema: Schema): z.output<Schema> => {
  const parsed = schema.safeParse(readJson(Buffer.from(next, "base64url").toString()));
  if (parsed.success) return parsed.data;
  throw new InvalidRequest(`next must be what an answer gave as its next, got ${JSON.stringify(next)}`);
};

/** A parameter of the path, which a REST API hands on as it stands in the URL. @throws InvalidRequest */
export const pathParameter = ({ pathParameters }: Request, name: string): string => {
  const given = pathParameters?.[name] ?? "";
  try {
    return decodeURIComponent(given);
  } catch {
    throw new InvalidRequest(`${name} must be percent-encoded UTF-8, got ${JSON.stringify(given)}`);
  }
};
