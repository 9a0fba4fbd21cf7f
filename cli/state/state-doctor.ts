import { check, type Finding, linesOf, messageOf, ok, problem, warning } from "../findings";
import { stackFolder, stackNames, terraform } from "../terraform";
import { stateBackend } from "./state-backend";
import { type PolicyStatement, StateBucket, timeOf, type Version } from "./state-bucket";
import { driftOf } from "./state-drift";
import { parseState, type State } from "./state-file";

const bootstrap = "npm run bootstrap sets it right.";

/**
 * Prints whether the state of a stack, or of all, is safe and true.
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
      exists ? await bucketFindings(bucket) : [problem("It does not exist.", "npm run bootstrap makes it.")],
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
  let state: State | undefined;
  const found = await check(async () => {
    const current = await bucket.read(key);
    if (current === undefined) return absentState(stack, await bucket.versions(key));
    try {
      state = parseState(current.text);
    } catch (error) {
      return problem(`Its state cannot be read: ${messageOf(error)}`, "Bring an older version back, see below.");
    }
    const { serial, lineage, terraformVersion, resources } = state;
    return ok(
      `Its state has ${countOf(resources.size, "resource")}, written ${timeOf(current.written)} by Terraform ` +
        `${terraformVersion}: serial ${serial} of lineage ${lineage}.`,
    );
  });
  let isLocked = true; // until it is known that it is not
  const lock = await check(async () => {
    const held = await bucket.lock(key);
    isLocked = held !== undefined;
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
  if (found.mark === "warning") return [found, lock]; // there never was a state
  const notLooked = warning("What has changed on AWS is not looked for while it may be written.");
  const changes = state === undefined ? [] : [isLocked ? notLooked : await check(() => drift(stack))];
  return [found, lock, ...changes, await check(() => versions(stack, bucket, key))];
}

const countOf = (count: number, thing: string) => `${count} ${thing}${count === 1 ? "" : "s"}`;

function absentState(stack: string, [latest]: readonly Version[]): Finding {
  if (latest === undefined) return warning("It has no state yet: nothing of it is deployed.");
  return problem("Its state was deleted.", `The last one can be brought back: ${restoreCommand(stack, latest.id)}`);
}

/** What brings a version back. */
export const restoreCommand = (stack: string, version: string) =>
  `npx offline-inference state doctor ${stack} --restore ${version}`;

async function drift(stack: string): Promise<Finding> {
  console.error(`Comparing the state of ${stack} with what is on AWS ...`);
  const folder = stackFolder(stack);
  await terraform(folder, ["init", "-input=false", "-reconfigure", "-no-color"]);
  const found = await driftOf(folder);
  if (found.length === 0) return ok("Nothing has changed on AWS since the last apply.");
  return problem(
    `${countOf(found.length, "resource")} changed on AWS since the last apply:`,
    `npm run diff -- ${stack} shows how a deployment sets them back. To keep a change, write it into the stack first.`,
    found.map(({ address, changed }) => `${address}: ${changed === undefined ? "deleted" : changed.join(", ")}`),
  );
}

/** The latest versions of a state as a table, and how to bring one back. */
async function versions(stack: string, bucket: StateBucket, key: string): Promise<Finding> {
  const rows = await Promise.all(
    (await bucket.versions(key)).map(async ({ id, written, size }) => [
      id,
      timeOf(written),
      `${size} B`,
      ...(await columnsOf(bucket, key, id)),
    ]),
  );
  const table = [["version", "written", "size", "serial", "resources"], ...rows];
  const width = (column: number) => Math.max(...table.map((row) => row[column]?.length ?? 0));
  return {
    ...ok("The latest versions of it, newest first:"),
    details: table.map((row) =>
      row
        .map((cell, column) => cell.padEnd(width(column)))
        .join("  ")
        .trimEnd(),
    ),
    mend: `${restoreCommand(stack, "VERSION")} shows what one differs in, asks, and brings it back.`,
  };
}

async function columnsOf(bucket: StateBucket, key: string, version: string): Promise<string[]> {
  try {
    const content = await bucket.read(key, version);
    if (content === undefined) return ["gone", ""];
    const { serial, resources } = parseState(content.text);
    return [String(serial), String(resources.size)];
  } catch {
    return ["unreadable", ""];
  }
}
