import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentOf } from "../../bench/counting-aws";
import { type CountingProcess, runMeasured, startCountingProcess, writeFeatures } from "../../bench/feeding";

export const few = 10_000;
const megabyte = 1024 ** 2;

/**
 * Runs a command on a file of ten thousand rows and on one of many more, on a stand-in that counts, and checks that these
 * take no more memory.
 * @param look looks at what has come of it: what was counted, and what lies in the folder
 */
export async function expectFlat(
  many: number,
  commandOn: (file: string) => string[],
  look: (counts: Awaited<ReturnType<CountingProcess["counts"]>>, folder: string) => Promise<void> | void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "large-"));
  const aws = await startCountingProcess();
  try {
    const peaks: number[] = [];
    for (const rows of [few, many]) {
      const file = join(folder, `${rows}.csv`);
      await writeFeatures(file, rows);
      const { status, stderr, peakBytes } = await runMeasured(environmentOf(aws.url), commandOn(file));
      if (status !== 0) throw new Error(stderr);
      peaks.push(peakBytes);
    }
    const [small = 0, large = 0] = peaks;
    expect(small).toBeGreaterThan(0);
    expect(large).toBeLessThan(400 * megabyte);
    expect(large - small).toBeLessThan(80 * megabyte);
    await look(await aws.counts(), folder);
  } finally {
    await aws.stop();
    await rm(folder, { recursive: true });
  }
}
