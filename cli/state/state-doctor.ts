import { check, type Finding, linesOf, messageOf, ok, problem, warning } from "../shared/findings";
import { commandsFor } from "../shared/options";
import { stackFolder, stackNames } from "../shared/terraform";
import { stateBackend } from "./state-backend";
import { type PolicyStatement, StateBucket, timeOf } from "./state-bucket";
import { parseState } from "./state-file";

const bootstrap = `${commandsFor({})("bootstrap")} sets it right.`;
const oldVersions = "Bring an old version back: docs/state.md";

/**
 * Prints whether the state of a stack, or of all, is safe.
 * @returns whether all is well
 * @throws when there is no such stack, or AWS cannot be asked
 */
export async function examine(stack?: string): Promise<boolean> {
  const stacks = (stack === undefined ? stackNames() : [stack]).map((name) => ({
    name,
    backend: stateBackend(name),
  }));
  const buckets = new Map(stacks.map(({ backend }) => [backend.bucket, new StateBucket(backend)]));
  let isWell = true;
  const print = (title: string, findings: readonly Finding[]) => {
    console.log([title, ...findings.flatMap(linesOf)].join("\n"));
    if (findings.some(({ mark }) => mark === "problem")) isWell = false;
  };
  for (const [name, bucket] of buckets) {
    const exists = await bucket.exists();
    print(
      `The bucket ${name} in ${bucket.region}`,
      exists
        ? await bucketFindings(bucket)
        : [problem("It does not exist.", `${commandsFor({})("bootstrap")} makes it.`)],
    );
    if (!exists) continue;
    for (const { name: stack, backend } of stacks.filter(({ backend }) => backend.bucket === name)) {
      print(`\n${stack}, in s3://${name}/${backend.key}`, await stackFindings(stack, bucket, backend.key));
    }
  }
  return isWell;
}

async function bucketFindings(bucket: StateBucket): Promise<Finding[]> {
  const versioning = check(async () => {
    const status = await bucket.versioning();
    if (status === "Enabled") return ok("It is versioned: a state that is overwritten or deleted can be brought back.");
    return problem(
      `It is not versioned${status === undefined ? "" : ` (${status})`}: a state that is overwritten or deleted is lost.`,
      bootstrap,
    );
  });
  const encryption = check(async () => {
    const algorithm = await bucket.encryption();
    return algorithm === undefined
      ? problem("It does not encrypt by default.", bootstrap)
      : ok(`It encrypts by default (${algorithm}).`);
  });
  const privacy = check(async () =>
    (await bucket.isPrivate())
      ? ok("It is closed to the public.")
      : problem("It can be opened to the public.", bootstrap),
  );
  const policy = (async () => {
    const refuses = (text: string, isRefused: (statements: PolicyStatement[]) => boolean) =>
      check(async () =>
        isRefused(await statements) ? ok(`It refuses ${text}.`) : problem(`It does not refuse ${text}.`, bootstrap),
      );
    const statements = bucket.policy();
    return Promise.all([
      refuses("plain HTTP", (all) => refusesPlainHttp(all, bucket.name)),
      refuses("to be emptied", (all) => refusesToBeEmptied(all, bucket.name)),
    ]);
  })();
  return [await versioning, await encryption, await privacy, ...(await policy)];
}

/** Whether a policy refuses everybody an action on the bucket and all in it, in a statement with such a condition. */
const denies = (
  statements: PolicyStatement[],
  bucket: string,
  action: string,
  hasCondition: (condition: unknown) => boolean,
) =>
  [`s3:::${bucket}`, `s3:::${bucket}/any`].every((resource) =>
    statements.some(
      ({ Effect, Principal, Action, Resource, Condition }) =>
        Effect === "Deny" &&
        /^("\*"|\{"AWS":\[?"\*"\]?\})$/.test(JSON.stringify(Principal) ?? "") &&
        Action.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
        Resource.some((pattern) => matches(pattern.replace(/^arn:[^:]*:/, ""), resource)) &&
        hasCondition(Condition),
    ),
  );

// No action has that name: only what holds for all of them matches.
const refusesPlainHttp = (statements: PolicyStatement[], bucket: string) =>
  denies(statements, bucket, "s3:AnyAction", (condition) =>
    /^\{"Bool":\{"aws:SecureTransport":\[?"?false"?\]?\}\}$/i.test(JSON.stringify(condition) ?? ""),
  );

const refusesToBeEmptied = (statements: PolicyStatement[], bucket: string) =>
  ["s3:DeleteObjectVersion", "s3:DeleteBucket"].every((action) =>
    denies(statements, bucket, action, (condition) => condition === undefined),
  );

/** Whether a text is one of a pattern of IAM's, in which `*` is any text and `?` any sign. */
const matches = (pattern: string, text: string) =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
  ).test(text);

async function stackFindings(stack: string, bucket: StateBucket, key: string): Promise<Finding[]> {
  const found = await check(async () => {
    const current = await bucket.read(key);
    if (current === undefined) {
      return (await bucket.hasVersions(key))
        ? problem("Its state was deleted.", oldVersions)
        : warning("It has no state yet: nothing of it is deployed.");
    }
    try {
      const { serial, lineage, terraformVersion, resources } = parseState(current.text);
      return ok(
        `Its state has ${countOf(resources.size, "resource")}, written ${timeOf(current.written)} by Terraform ` +
          `${terraformVersion}: serial ${serial} of lineage ${lineage}.`,
      );
    } catch (error) {
      return problem(`Its state cannot be read: ${messageOf(error)}`, oldVersions);
    }
  });
  const lock = await check(async () => {
    const held = await bucket.lock(key);
    if (held === undefined) return ok("It is not locked.");
    const folder = stackFolder(stack);
    return problem(
      `It is locked by ${held.holder}.`,
      "Wait until that ends. Once you are sure that nothing runs any more: " +
        (held.id === undefined
          ? `delete s3://${bucket.name}/${key}.tflock, which is no lock that Terraform wrote.`
          : `terraform -chdir=${folder} init && terraform -chdir=${folder} force-unlock ${held.id}`),
    );
  });
  return [found, lock];
}

const countOf = (count: number, thing: string) => `${count} ${thing}${count === 1 ? "" : "s"}`;
