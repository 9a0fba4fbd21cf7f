import { rmSync } from "node:fs";

export default async () => {
  const { temporary, postgres, sqs } = globalThis.testServices;
  await Promise.all([postgres.stop(), sqs.stop()]);
  rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
};
