import { z } from "zod";

const advice = [
  {
    when: /credential|token|InvalidAccessKeyId|SignatureDoesNotMatch/i,
    advice: "Sign in to AWS, or name another profile: AWS_PROFILE, or `profile` in config.ts.",
  },
  {
    when: /AccessDenied|Forbidden|\b403\b/i,
    advice: "It belongs to another account, or who you are signed in as has no permission for this.",
  },
  {
    when: /PermanentRedirect|\b301\b/i,
    advice: "It is in another region than `region` in config.ts says.",
  },
  {
    when: /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|TimeoutError/,
    advice: "AWS could not be reached: is there a network, and is AWS_ENDPOINT_URL right if it is set?",
  },
];

const awsFailure = z.looseObject({
  name: z.string(),
  message: z.string(),
  code: z.string().optional(),
  $metadata: z.looseObject({ httpStatusCode: z.number().optional() }).optional(),
});

/** The failure of a call of AWS for people: what was tried and on what, what AWS said, and what to do about it. */
export function awsError(doing: string, error: unknown): Error {
  const { data } = awsFailure.safeParse(error);
  if (data === undefined) return new Error(`Cannot ${doing}: ${error}`);
  const { name, message, code, $metadata } = data;
  const status = $metadata?.httpStatusCode;
  const said = [...new Set([name, code ?? "", message, status === undefined ? "" : `HTTP ${status}`])]
    .filter((part) => part !== "" && part !== "Error" && part !== "UnknownError")
    .join(", ")
    .replace(/\.$/, "");
  const what = advice.find(({ when }) => when.test(said))?.advice;
  return new Error([`Cannot ${doing}: ${said}.`, ...(what === undefined ? [] : [what])].join(" "));
}

/** Whether a call of SageMaker's failed since there is nothing of that name: it has no error of its own for that. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof Error && /could not find|not found|does not exist/i.test(`${error.name} ${error.message}`);
