import { allFaults, always, type Fault, type Operation, withPrerequisite } from "./faults";
import {
  type Delivery,
  deliveries,
  kinds,
  type Loading,
  loadings,
  type Schedule,
  type Stranger,
  startWorld,
  strangers,
  type World,
} from "./world";

let worlds: World[];

beforeAll(async () => {
  worlds = await Promise.all([
    startWorld({ isolation: "repeatable read", request: "json", ids: "ours" }),
    startWorld({ isolation: "serializable", request: "csv", ids: "theirs" }),
  ]);
});
afterAll(() => Promise.all(worlds.map((world) => world.stop())));

/** In all worlds at once. Gives what each has met. */
const play = (schedule: Schedule) => Promise.all(worlds.map((world) => world.play(schedule)));

/** Calls that are made only while an object is at fault. */
const ofFaultyObjects: readonly Operation[] = ["ExecuteStatement", "GetStatementResult", "CopyRejected"];

/** Slow, so that loaders who do not wait for each other are sure to write at the same time. */
const slow: Fault = { operation: "BatchExecuteStatement", what: "a slow transaction", ...always };

describe("every request ends once, and where it must", () => {
  test.each(allFaults)("when $operation meets $what", async ({ operation, what }) => {
    const faults = withPrerequisite({ operation, what, ...always });
    const objects: Stranger[] = ofFaultyObjects.includes(operation) ? ["no JSON"] : [];
    for (const met of await play({ messages: kinds, rounds: [["at once", "by one"]], faults, objects })) {
      expect(met).toContain(`${operation}: ${what}`);
    }
  });

  test.each(deliveries)("when messages are delivered %s", async (delivery) => {
    const rounds = [[delivery, "not at all"] as const, [delivery, "by two"] as const];
    await play({ messages: [...kinds, ...kinds], rounds, faults: [slow] });
  });

  test.each(loadings)("when what is staged is loaded %s", async (loading) => {
    const rounds = [["to two workers", loading] as const, ["in threes", loading] as const];
    await play({ messages: [...kinds, ...kinds], rounds, faults: [slow], objects: strangers });
  });

  test.each<Pick<Fault, "operation" | "what">>([
    { operation: "BatchGetRecord", what: "an answer that is no JSON" },
    { operation: "InvokeEndpoint", what: "an endpoint that is not there" },
    { operation: "PutOutcomes", what: "a refusal" },
    { operation: "BatchExecuteStatement", what: "a statement that fails" },
    { operation: "CopyOfObject", what: "a throttling" },
  ])("when $operation meets $what time after time", async (fault) => {
    const rounds = Array.from({ length: 8 }, (): [Delivery, Loading] => ["at once", "by one"]);
    await play({ messages: kinds, rounds, faults: [{ ...fault, ...always }] });
  });

  test.each<Pick<Fault, "operation" | "what">>([
    { operation: "CopyOfObject", what: "a throttling" },
    { operation: "CopyOfObject", what: "a refusal" },
    { operation: "BatchExecuteStatement", what: "a right that it lacks" },
    { operation: "BatchExecuteStatement", what: "a statement that fails" },
    { operation: "CopyOfManifest", what: "every second object that is not found" },
  ])("when $operation meets $what, and it passes while objects at fault are looked for", async (fault) => {
    for (const from of [2, 3]) {
      const rounds = Array.from({ length: 3 }, (): [Delivery, Loading] => ["in threes", "by one"]);
      await play({ messages: kinds, rounds, faults: [{ ...fault, from, count: 4 }], objects: ["cut", "no JSON"] });
    }
  });
});
