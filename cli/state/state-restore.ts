import { createInterface } from "node:readline/promises";
import { createColors, showsColours } from "../colours";
import { messageOf } from "../findings";
import { stackFolder, terraform } from "../terraform";
import { stateBackend } from "./state-backend";
import { type Content, StateBucket, timeOf } from "./state-bucket";
import { restoreCommand } from "./state-doctor";
import { changedNames, difference, parseState, type State, withSerial } from "./state-file";

/**
 * Makes an old version of a stack's state the current one, after it has shown what differs and asked. The one that was
 * current stays a version of the bucket.
 * @throws when nothing may be restored: while the state is locked, or would be lost
 */
export async function restoreState(stack: string, version: string, isApproved: boolean): Promise<void> {
  const backend = stateBackend(stack);
  const { key } = backend;
  const bucket = new StateBucket(backend);
  if (!(await bucket.exists()))
    throw new Error(`The bucket ${bucket.name} does not exist: there is nothing to restore.`);
  await refuseUnsafe(stack, bucket, key);

  const content = await bucket.read(key, version);
  if (content === undefined) throw await unknownVersion(bucket, key, version);
  const old = snapshot(content);
  const current = await currentSnapshot(bucket, key);
  if (current?.id === old.id) {
    console.log(`Version ${version} is the current state of ${stack}: there is nothing to restore.`);
    return;
  }
  console.log(changeLines(stack, old, current).join("\n"));
  if (!isApproved && !(await confirm("Restore it?"))) {
    console.error("Nothing was restored.");
    process.exitCode = 1;
    return;
  }

  const folder = stackFolder(stack);
  await terraform(folder, ["init", "-input=false", "-reconfigure", "-no-color"]);
  if ((await currentSnapshot(bucket, key))?.id !== current?.id) {
    throw new Error(`The state of ${stack} has been written meanwhile. Nothing was restored: look at it anew.`);
  }
  const serial = current === undefined ? old.state.serial : current.state.serial + 1;
  const force = current !== undefined && isOfOtherHistory(old, current) ? ["-force"] : [];
  await terraform(folder, ["state", "push", "-no-color", ...force, "-"], "capture", withSerial(old.text, serial));
  const restored = await currentSnapshot(bucket, key);
  console.log(
    [
      `Restored: version ${restored?.id} is the state of ${stack} now, serial ${restored?.state.serial}.`,
      ...(current === undefined
        ? []
        : [`What was current stays in the bucket. To go back: ${restoreCommand(stack, current.id)}`]),
      `AWS is as it was. What a deployment would change there: npm run diff -- ${stack}`,
    ].join("\n"),
  );
}

async function refuseUnsafe(stack: string, bucket: StateBucket, key: string): Promise<void> {
  const lock = await bucket.lock(key);
  if (lock !== undefined) {
    throw new Error(
      `The state of ${stack} is locked by ${lock.holder}. Nothing is restored while somebody may write it: ` +
        `npx offline-inference state doctor ${stack} says how a lock is released.`,
    );
  }
  if ((await bucket.versioning()) !== "Enabled") {
    throw new Error(
      `The bucket ${bucket.name} is not versioned: the current state would be lost. npm run bootstrap sets it right.`,
    );
  }
}

async function unknownVersion(bucket: StateBucket, key: string, version: string): Promise<Error> {
  const versions = await bucket.versions(key);
  return new Error(
    [
      `s3://${bucket.name}/${key} has no version "${version}". ${versions.length === 0 ? "It has none at all." : "The latest it has:"}`,
      ...versions.map(({ id, written }) => `  ${id}  ${timeOf(written)}`),
    ].join("\n"),
  );
}

type Snapshot = Content & { readonly state: State };

/** A version of the state. @throws when it is no state */
function snapshot(content: Content): Snapshot {
  try {
    return { ...content, state: parseState(content.text) };
  } catch (error) {
    throw new Error(`Version ${content.id} cannot be read: ${messageOf(error)}`);
  }
}

async function currentSnapshot(bucket: StateBucket, key: string): Promise<Snapshot | undefined> {
  const content = await bucket.read(key);
  try {
    return content && snapshot(content);
  } catch (error) {
    throw new Error(
      `The current state is broken. ${messageOf(error)}\n` +
        "Terraform overwrites nothing that it cannot read. Delete it, which leaves it as a version, then restore again:\n" +
        `  aws s3api delete-object --bucket ${bucket.name} --key ${key}`,
    );
  }
}

const isOfOtherHistory = (one: Snapshot, other: Snapshot) => one.state.lineage !== other.state.lineage;

/** What restoring a version changes. Names only: a state holds secrets. */
function changeLines(stack: string, old: Snapshot, current?: Snapshot): string[] {
  const { green, yellow, red } = createColors(showsColours(process.stdout));
  const from = current?.state.resources ?? new Map();
  const resources = difference(from, old.state.resources);
  const outputs = difference(current?.state.outputs ?? new Map(), old.state.outputs);
  const named = ({ id, written, state }: Snapshot) => `version ${id} (serial ${state.serial}, ${timeOf(written)})`;
  const namesOf = (address: string) => changedNames(from.get(address) ?? {}, old.state.resources.get(address) ?? {});
  const lines = [
    ...resources.added.map((address) => green(`  + ${address}`)),
    ...resources.removed.map((address) => red(`  - ${address}`)),
    ...resources.changed.map((address) => `${yellow(`  ~ ${address}`)}: ${namesOf(address).join(", ")}`),
    ...outputs.added.map((name) => green(`  + output ${name}`)),
    ...outputs.removed.map((name) => red(`  - output ${name}`)),
    ...outputs.changed.map((name) => yellow(`  ~ output ${name}`)),
  ];
  return [
    current === undefined
      ? `${stack} has no current state. This is in ${named(old)}:`
      : `What becomes of the state of ${stack} when ${named(old)} replaces ${named(current)}:`,
    ...(lines.length === 0 ? ["  Its resources and outputs are the same."] : lines),
    ...(resources.removed.length === 0
      ? []
      : ["What goes (-) stays on AWS, and Terraform knows it no more: it must be imported, or deleted by hand."]),
    ...(current === undefined || !isOfOtherHistory(old, current)
      ? []
      : [
          `It is the state of another history: lineage ${old.state.lineage}, and the current one is of ${current.state.lineage}. ` +
            "The current one was begun anew, or is another stack's: be sure which of them knows what is on AWS.",
        ]),
  ];
}

/** Asks a person. @throws when there is none */
async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new Error("Nothing was restored: there is no terminal to ask at. --auto-approve restores without asking.");
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => prompt.once("close", () => resolve(""))); // Ctrl-C, Ctrl-D
  const answer = await Promise.race([prompt.question(`${question} y/N `), ended]);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}
