import { startCountingAws } from "./counting-aws";

/** Runs {@link startCountingAws} as a process of its own: it is told how long a call takes, and tells its address. */
async function main() {
  const { url } = await startCountingAws({ milliseconds: Number(process.argv[2] ?? 0) }, false);
  process.once("disconnect", () => process.exit()); // it keeps nothing
  process.send?.(url);
}

main();
