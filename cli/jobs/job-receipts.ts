import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileNameOf, receiptFolder } from "./receipt";

const cancelledSuffix = "-cancelled.csv";

/** Where the requests go that are taken off the queue. */
export const cancelledFileOf = (jobId: string) => join(receiptFolder, `${fileNameOf(jobId)}${cancelledSuffix}`);

/** A receipt that may name requests of a job. */
export interface JobReceipt {
  readonly path: string;
  /** Whether it names what was taken off the queue. */
  readonly cancelled: boolean;
}

/**
 * The receipts of a job, the oldest first: what is published again after it was cancelled is in a later one.
 * @param named the files @default those in `receipts/` that begin with the job's name; they may name other jobs too
 */
export async function receiptsOfJob(jobId: string, named: readonly string[] = []): Promise<JobReceipt[]> {
  const paths = named.length > 0 ? named : await receiptsInFolder(jobId);
  const dated = await Promise.all(
    paths.map(async (path) => ({ path, at: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  return dated
    .sort((one, other) => one.at - other.at)
    .map(({ path }) => ({ path, cancelled: basename(path).endsWith(cancelledSuffix) }));
}

async function receiptsInFolder(jobId: string): Promise<string[]> {
  const names = await readdir(receiptFolder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const start = fileNameOf(jobId);
  return names
    .filter(
      (name) =>
        (name === `${start}.csv` || (name.startsWith(`${start}-`) && name.endsWith(".csv"))) &&
        !/\.(ids|rejects)\.csv$/.test(name),
    )
    .map((name) => join(receiptFolder, name));
}
