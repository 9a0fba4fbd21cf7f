import { faults, settings } from "../setup/settings";

describe("the queue", () => {
  test("may have a batch above 10 only with a window", () => {
    const batch = (batchSize: number, batchWindowSeconds: number) =>
      faults(settings({ inference: { batchSize, batchWindowSeconds } }));
    expect(batch(10, 0)).toEqual([]);
    expect(batch(11, 1)).toEqual([]);
    expect(batch(11, 0)).toEqual([
      expect.stringContaining(
        "environments.dev.inference.batchWindowSeconds: got 0; allowed: 1 second or more for a batchSize above 10, here 11",
      ),
    ]);
  });

  test("may not have a dead-letter queue that forgets sooner", () => {
    const retention = (messageRetentionSeconds: number, deadLetterRetentionSeconds: number) =>
      faults(settings({ inference: { messageRetentionSeconds, deadLetterRetentionSeconds } }));
    expect(retention(86_400, 86_400)).toEqual([]);
    expect(retention(86_400, 86_399)).toEqual([
      expect.stringContaining(
        "environments.dev.inference.deadLetterRetentionSeconds: got 86399; allowed: messageRetentionSeconds (86400) or more",
      ),
    ]);
  });
});
