import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { actionsFor, callNamed } from "../../aws/call-actions";
import { beginning } from "./printing";

interface Client {
  readonly middlewareStack: {
    add<Input extends object, Output>(
      middleware: (
        next: (call: { input: Input }) => Promise<Output>,
        context: { readonly clientName?: string; readonly commandName?: string },
      ) => (call: { input: Input }) => Promise<Output>,
      options: { readonly step: "initialize"; readonly name: string },
    ): void;
  };
}

/** Lets the errors of a client's calls name the permission that the call needs. */
export function namingActions<Any extends Client>(client: Any): Any {
  client.middlewareStack.add(
    (next, { clientName = "", commandName = "" }) =>
      (call) =>
        next(call).catch((error: unknown) => {
          if (error instanceof Error) Object.assign(error, { action: actionOf(clientName, commandName, call.input) });
          throw error;
        }),
    { step: "initialize", name: "namingActions" },
  );
  return client;
}

/** The permissions that a call needs: `a`, or `a and b`. */
function actionOf(clientName: string, commandName: string, input: object): string {
  const call = callNamed(clientName.replace(/Client$/, ""), commandName.replace(/Command$/, ""));
  const isOldVersion = "VersionId" in input && input.VersionId !== undefined;
  const needed = (actionsFor(call) ?? [call]).map((need) => {
    const [usual = need, ofOldVersion = usual] = need.split(" | ");
    return isOldVersion ? ofOldVersion : usual;
  });
  return needed.join(" and ") || call;
}

/** What AWS, or its client, says where nobody is signed in, or not any more. */
const signInFailure =
  /credential|security token|(?:Expired|Invalid|Missing)(?:Client|Authentication)?Token|token (?:is|has) expired|InvalidAccessKeyId|InvalidSignature|SignatureDoesNotMatch/i;

const signIn = "Sign in to AWS, or name another profile: AWS_PROFILE, or `profile` in config.ts.";

/** Why a profile signs nobody in: AWS's client goes on to its other ways, and in the end says nothing of the profile. */
function whyNobody(profile: string | undefined): string {
  if (profile === undefined) return signIn;
  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = process.env;
  const folder = join(homedir(), ".aws");
  const files = [AWS_CONFIG_FILE || join(folder, "config"), AWS_SHARED_CREDENTIALS_FILE || join(folder, "credentials")];
  const sections = files.flatMap((file) => sectionOf(profile, file) ?? []);
  if (sections.length === 0) return `There is no profile "${profile}" in ${files.join(" and ")}.`;
  return /^\s*credential_process\s*=/m.test(sections.join("\n"))
    ? `The program failed that the profile "${profile}" names as its credential_process: run it by hand to see why.`
    : `The profile "${profile}" has no credentials, and no way to get some. ${signIn}`;
}

/** What a file of profiles says of one; undefined where it says nothing. */
function sectionOf(profile: string, file: string): string | undefined {
  try {
    const sections = readFileSync(file, "utf8").split(/^\s*(?=\[)/m);
    return sections.find((section) => /^\[\s*(?:profile\s+)?["']?(.*?)["']?\s*\]/.exec(section)?.[1] === profile);
  } catch {
    return undefined; // there need be no such file
  }
}

const advice: { readonly when: RegExp; readonly advice: (action?: string) => string }[] = [
  { when: /could not (?:load|resolve) credentials/i, advice: () => whyNobody(process.env.AWS_PROFILE) },
  {
    when: /requires multi-factor authentication/i,
    advice: () =>
      'The profile wants a code of MFA, for which the AWS CLI asks: eval "$(aws configure export-credentials --profile NAME --format env)", and then without AWS_PROFILE and `profile`.',
  },
  {
    when: /aws sso login|\bSSO session\b|TokenProviderError/i,
    advice: () => "The session of IAM Identity Center is over, or was never begun: aws sso login --profile NAME.",
  },
  {
    when: signInFailure,
    advice: () => signIn,
  },
  {
    when: /AccessDenied|Forbidden|\b403\b/i,
    advice: (action) =>
      `It belongs to another account, or who you are signed in as ${action === undefined ? "has no permission for this" : `needs the permission ${action} on it`}.`,
  },
  {
    when: /PermanentRedirect|\b301\b/i,
    advice: () => "It is in another region than `region` in config.ts says.",
  },
  {
    when: /Proxy server refused/i,
    advice: () => "The proxy that HTTPS_PROXY names lets nobody through to there, or wants to know who asks.",
  },
  {
    when: /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|TimeoutError/,
    advice: () =>
      "AWS could not be reached: is there a network, and are HTTPS_PROXY and AWS_ENDPOINT_URL right where they are set?",
  },
];

/** What IAM says of a call that it refuses, in the words of most services; S3 puts the resource into quotes. */
const named =
  /not authorized to perform:? (?<action>[\w-]+:\w+)(?: on (?:the )?resource:? "?(?<resource>arn:[^\s"]*[^\s",]))?/;
const denied = /with an explicit deny(?: in an? (?<policy>[\w -]*policy))?/;

/**
 * What to do about a call that was not allowed: which permission it needs, and on what.
 * @param tried the permission that the call needs by itself, where AWS does not say which was missing
 */
function permissionAdvice(said: string, tried: string | undefined): string | undefined {
  const { action, resource = "it" } = named.exec(said)?.groups ?? {};
  if (action === undefined) return undefined;
  const known = action.toLowerCase() === tried?.toLowerCase() ? tried : action; // SQS says sqs:sendmessage
  const deny = denied.exec(said);
  if (deny === null) return `Who you are signed in as needs the permission ${known} on ${resource}.`;
  return `A ${deny.groups?.policy ?? "policy"} denies ${known} on ${resource}, whatever else allows it.`;
}

const awsFailure = z.looseObject({
  name: z.string(),
  message: z.string(),
  code: z.string().optional(),
  action: z.string().optional(),
  $metadata: z.looseObject({ httpStatusCode: z.number().optional() }).optional(),
});

/** The most characters of what AWS said that people are shown. */
const saidCharacters = 2_000;

/**
 * The failure of a call of AWS for people: what was tried and on what, what AWS said, and what to do about it. Where the
 * call was not allowed it names the permission, if AWS does or the client is one of `namingActions`.
 */
export function awsError(doing: string, error: unknown): Error {
  const { data } = awsFailure.safeParse(error);
  if (data === undefined) return new Error(`Cannot ${doing}: ${beginning(String(error), saidCharacters)}`);
  const { name, message, code, action, $metadata } = data;
  const status = $metadata?.httpStatusCode;
  const said = [...new Set([name, code ?? "", message, status === undefined ? "" : `HTTP ${status}`])]
    .filter((part) => part !== "" && part !== "Error" && part !== "UnknownError")
    .map((part) => beginning(part, saidCharacters))
    .join(", ")
    .replace(/\.$/, "");
  const what = permissionAdvice(said, action) ?? advice.find(({ when }) => when.test(said))?.advice(action);
  return new Error([`Cannot ${doing}: ${said}.`, ...(what === undefined ? [] : [what])].join(" "), { cause: error });
}

/**
 * For people, why a call of AWS failed: `.catch(failedTo("look at the queue"))`. An interruption stays as it is.
 * @param signal what interrupts @default it is told by the error
 */
export const failedTo = (doing: string, signal?: AbortSignal) => (error: unknown) => {
  const isInterrupted = signal ? signal.aborted : error instanceof Error && error.name === "AbortError";
  throw isInterrupted ? error : awsError(doing, error);
};

/** Works with a client of AWS's, and lets go of it. @throws for people, where that fails; what interrupts stays as it is */
export async function withClient<Any extends Client & { destroy(): void }, Result>(
  client: Any,
  doing: string,
  work: (client: Any) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  try {
    return await work(namingActions(client));
  } catch (error) {
    throw signal?.aborted ? signal.reason : awsError(doing, error);
  } finally {
    client.destroy();
  }
}

/** Whether a call of SageMaker's failed since there is nothing of that name: it has no error of its own for that. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof Error && /could not find|not found|does not exist/i.test(`${error.name} ${error.message}`);

/** Nothing, where a call of SageMaker's failed since there is nothing of that name. */
export function noneWhereMissing(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}

/** Whether a call failed since nobody is signed in. @param error what the client threw, or what `awsError` made of it */
export const isSignInFailure = (error: unknown): boolean =>
  error instanceof Error &&
  (error.cause instanceof Error ? isSignInFailure(error.cause) : signInFailure.test(`${error.name} ${error.message}`));
