import { followingLimiter } from "../../pipeline/flow";

/** Runs tasks that all wait for one another, and gives how many ran at once at most. */
async function atOnce(limited: ReturnType<typeof followingLimiter>, tasks: number, isTurnedAway: boolean) {
  let [running, most] = [0, 0];
  const task = async () => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    running--;
  };
  await Promise.all(Array.from({ length: tasks }, () => limited(task, () => isTurnedAway)));
  return most;
}

test("what is turned away runs less at once, down to one at a time, and more again as it goes through", async () => {
  const limited = followingLimiter(8);
  expect(await atOnce(limited, 20, true)).toBe(8);
  expect(await atOnce(limited, 5, true)).toBe(1);
  expect(await atOnce(limited, 6, false)).toBeGreaterThan(1);
  await atOnce(limited, 100, false);
  expect(await atOnce(limited, 100, false)).toBe(8);
});

test("a task that throws makes room for the next", async () => {
  const limited = followingLimiter(1);
  const fails = limited(
    async () => {
      throw new Error("on purpose");
    },
    () => false,
  );
  await expect(fails).rejects.toThrow("on purpose");
  expect(
    await limited(
      async () => "done",
      () => false,
    ),
  ).toBe("done");
});
