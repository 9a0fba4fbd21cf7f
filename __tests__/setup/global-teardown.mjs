import { rmSync } from "node:fs";

export default async () => {
  const { dataDir, postgres, sqs } = globalThis.testServices;
  await Promise.all([postgres.stop(), sqs.stop()]);
  rmSync(dataDir, { recursive: true, force: true });
};
