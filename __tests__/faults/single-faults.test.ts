import { allFaults, always, type Fault, withPrerequisite } from "./faults";
import { type Delivery, deliveries, kinds, type Schedule, startWorld, type World } from "./world";

let worlds: World[];

beforeAll(async () => {
  worlds = await Promise.all([
    startWorld({ isolation: "repeatable read", request: "json" }),
    startWorld({ isolation: "serializable", request: "csv" }),
  ]);
});
afterAll(() => Promise.all(worlds.map((world) => world.stop())));

/** In all worlds at once. Gives what each has met. */
const play = (schedule: Schedule) => Promise.all(worlds.map((world) => world.play(schedule)));

describe("every request ends once, and where it must", () => {
  test.each(allFaults)("when $operation meets $what", async ({ operation, what }) => {
    const faults = withPrerequisite({ operation, what, ...always });
    for (const met of await play({ messages: kinds, rounds: ["at once"], faults })) {
      expect(met).toContain(`${operation}: ${what}`);
    }
  });

  test.each(deliveries)("when messages are delivered %s", async (delivery) => {
    // Slow, so that writers who do not wait for each other are sure to write at the same time.
    const faults = [{ operation: "BatchExecuteStatement", what: "a slow transaction", ...always } as const];
    await play({ messages: [...kinds, ...kinds], rounds: [delivery, delivery], faults });
  });

  test.each<Pick<Fault, "operation" | "what">>([
    { operation: "BatchGetRecord", what: "an answer that is no JSON" },
    { operation: "InvokeEndpoint", what: "an endpoint that is not there" },
    { operation: "BatchExecuteStatement", what: "a statement that fails" },
  ])("when $operation meets $what time after time", async (fault) => {
    const rounds = Array.from({ length: 8 }, (): Delivery => "at once");
    await play({ messages: kinds, rounds, faults: [{ ...fault, ...always }] });
  });
});
