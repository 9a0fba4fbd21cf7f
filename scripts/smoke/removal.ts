import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { bucketExists, localState } from "../../cli/deployment/bootstrap";
import { messageOf } from "../../cli/shared/findings";
import { runTerraform, terraform } from "../../cli/shared/terraform";
import { answersBucketBeside } from "../../config/shared";
import { folders } from "../../contract/answers-bucket";
import { deleteObjects } from "../../pipeline/s3";
import { thingsOf } from "./account";
import { checkoutOf, logOf, type RunRecord, writeRecord } from "./record";
import { endOf, runNode, runProgram } from "./run-commands";
import { stateBucketOf } from "./settings";

const outcomesLeft = 2; // what `destroy` ends with then

const stackFolderOf = ({ name }: RunRecord, stack: string) => join(checkoutOf(name), "cdktf.out", "stacks", stack);

/** What takes away what a run made. Each may be called again where it has failed. @throws with what is wrong */
const removers: Record<RunRecord["made"][number], (run: RunRecord) => Promise<void>> = {
  environment: async (run) => {
    const args = ["destroy", `inference-${run.name}`, "--auto-approve"];
    const destroy = () => runProgram(args, { folder: checkoutOf(run.name), log: logOf(run.name) });
    let ran = await destroy();
    if (ran.status === outcomesLeft) {
      await dropOutcomes(run); // a run's own, which nobody needs
      ran = await destroy();
    }
    if (ran.status !== 0) throw new Error(endOf(ran));
  },
  state: async (run) => {
    const options = { folder: checkoutOf(run.name), log: logOf(run.name) };
    for (const args of [["scripts/build.mjs"], ["--import", "tsx", "main.ts"]]) {
      const ran = await runNode(args, options);
      if (ran.status !== 0) throw new Error(endOf(ran));
    }
    const folder = stackFolderOf(run, "state");
    const local = resolve(options.folder, localState);
    const isLocal = existsSync(local);
    if (!isLocal && !(await bucketExists(folder))) return; // its bucket is the first thing that has a state
    const file = join(folder, "cdk.tf.json");
    writeFileSync(file, removable(readFileSync(file, "utf8"), local));
    const moved = isLocal ? ["-reconfigure"] : ["-migrate-state", "-force-copy"];
    await terraform(folder, ["init", "-input=false", ...moved]);
    await terraform(folder, ["apply", "-input=false", "-auto-approve", "-no-color"]);
    await terraform(folder, ["destroy", "-input=false", "-auto-approve", "-no-color"]);
  },
};

const stackSchema = z.looseObject({
  terraform: z.looseObject({}),
  resource: z.record(z.string(), z.record(z.string(), z.looseObject({ depends_on: z.array(z.string()).optional() }))),
});

const policies = "aws_s3_bucket_policy";

/** What lets Terraform destroy resources of these types. */
const letsGo: Readonly<Record<string, object>> = {
  aws_s3_bucket: { force_destroy: true, lifecycle: {} },
  aws_api_gateway_account: { reset_on_delete: true },
};

/** The stack `state` with its state in a file, and without what keeps its buckets from being emptied and destroyed. */
export function removable(text: string, local: string): string {
  const stack = stackSchema.parse(JSON.parse(text));
  const { [policies]: _, ...kept } = stack.resource;
  const resource = Object.fromEntries(
    Object.entries(kept).map(([type, bodies]) => [
      type,
      Object.fromEntries(
        Object.entries(bodies).map(([id, { depends_on: after, ...body }]) => {
          const left = after?.filter((address) => !address.startsWith(`${policies}.`));
          return [id, { ...body, ...(left && { depends_on: left }), ...letsGo[type] }];
        }),
      ),
    ]),
  );
  const backend = { local: { path: local } };
  // Of several lines: Terraform shows the one that is at fault.
  return JSON.stringify({ ...stack, terraform: { ...stack.terraform, backend }, resource }, null, 2);
}

/** Deletes the outcomes of a run that are in no table. */
async function dropOutcomes({ name, account, region, profile }: RunRecord): Promise<void> {
  const client = new S3Client({ region, profile });
  const Bucket = answersBucketBeside(stateBucketOf(name, account), name);
  try {
    for (const Prefix of [folders.staged, folders.rejected]) {
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
        const objects = Contents.flatMap(({ Key }) => (Key === undefined ? [] : [{ Key }]));
        await deleteObjects(client, Bucket, objects, { signal: new AbortController().signal });
      }
    }
  } finally {
    client.destroy();
  }
}

/** How long AWS may list what is gone: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html */
const listed = { milliseconds: 120_000, between: 5_000 };

/** What AWS lists of a run. @param waits whether all of it should be gone, and is asked about again */
async function stillThere(run: RunRecord, waits: boolean): Promise<string[]> {
  for (const begin = Date.now(); ; await setTimeout(listed.between)) {
    const things = await thingsOf(run, run);
    if (things.length === 0 || !waits || Date.now() - begin > listed.milliseconds) return things;
  }
}

/** The addresses of what Terraform still has of a stack. */
async function addressesIn(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const { status, stdout } = await runTerraform(folder, ["state", "list"], "capture");
  if (status !== 0) return [];
  return stdout.split("\n").filter((address) => address !== "" && !address.startsWith("data."));
}

/**
 * Takes away what a run made and nothing else, the last first, and looks what is there of its name then.
 * @param tell told what is removed, and why something is not
 * @returns the record, with what is left
 */
export async function remove(run: RunRecord, tell: (line: string) => void): Promise<RunRecord> {
  const left: string[] = [];
  let record = run;
  for (const made of [...run.made].reverse()) {
    const begin = Date.now();
    const name = made === "environment" ? "destroy" : "removal of the stack state";
    tell(`Removing: ${made === "environment" ? `inference-${run.name}` : "the stack state, and its buckets"} ...`);
    const fault = await removers[made](record).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
    const seconds = Math.round((Date.now() - begin) / 1_000);
    const proves = made === "environment" ? ["destroy"] : [];
    const step = { name, passed: fault === undefined, seconds, proves, ...(fault !== undefined && { fault }) };
    const stays = record.made.filter((other) => other !== made || fault !== undefined);
    record = { ...record, steps: [...record.steps, step], made: stays };
    writeRecord(record);
    if (fault === undefined) continue;
    tell(fault);
    const stack = made === "environment" ? `inference-${run.name}` : "state";
    left.push(...(await addressesIn(stackFolderOf(run, stack))));
    break; // the stack state keeps the states of the others
  }
  left.push(...(await stillThere(record, left.length === 0)));
  const isGone = left.length === 0 && record.made.length === 0;
  record = { ...record, left, ...(isGone && { removedAt: new Date().toISOString() }) };
  writeRecord(record);
  if (isGone) rmSync(checkoutOf(run.name), { recursive: true, force: true });
  return record;
}
