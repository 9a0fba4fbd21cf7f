import fc from "fast-check";
import { allFaults, always, isSilent, withPrerequisite } from "./faults";
import { deliveries, kinds, loadings, startWorld, strangers, type WorldSettings } from "./world";

const faults = fc
  .record({
    fault: fc.oneof(
      { weight: 19, arbitrary: fc.constantFrom(...allFaults.filter((fault) => !isSilent(fault))) },
      { weight: 1, arbitrary: fc.constantFrom(...allFaults.filter(isSilent)) }, // each takes a function's whole time
    ),
    from: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 6 })),
    count: fc.constantFrom(1, 3, always.count),
  })
  .map(({ fault, from, count }) => withPrerequisite({ ...fault, from, count }));

const schedules = fc.record({
  messages: fc.array(fc.constantFrom(...kinds), { minLength: 4, maxLength: 12 }),
  rounds: fc.array(fc.tuple(fc.constantFrom(...deliveries), fc.constantFrom(...loadings)), {
    minLength: 2,
    maxLength: 4,
  }),
  faults: fc.array(faults, { minLength: 1, maxLength: 4 }).map((each) => each.flat()),
  objects: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...strangers), { maxLength: 3 }) },
  ),
});

const seed = 20_260_131;
const schedulesPerWorld = 12;

test.concurrent.each<WorldSettings & { world: number }>([
  { world: 1, isolation: "repeatable read", request: "json", ids: "theirs" },
  { world: 2, isolation: "repeatable read", request: "instances", ids: "ours" },
  { world: 3, isolation: "serializable", request: "json", ids: "ours" },
  { world: 4, isolation: "serializable", request: "csv", ids: "theirs" },
])(
  "every request ends once, and where it must, whatever goes wrong together: $isolation, $request",
  async ({ world: number, ...settings }) => {
    const world = await startWorld(settings);
    try {
      const property = fc.asyncProperty(schedules, async (schedule) => {
        await world.play(schedule);
      });
      await fc.assert(property, { seed: seed + number, numRuns: schedulesPerWorld });
    } finally {
      await world.stop();
    }
  },
);
