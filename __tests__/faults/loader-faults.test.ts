import { always, type Fault, faultsOf, type Operation, withPrerequisite } from "./faults";
import {
  type Delivery,
  kinds,
  type Loading,
  loadings,
  playUntilMet,
  type Schedule,
  type Stranger,
  startWorld,
  strangers,
  type World,
} from "./world";

let worlds: World[];

beforeAll(async () => {
  worlds = await Promise.all([
    startWorld({ isolation: "repeatable read", request: "instances", ids: "ours" }),
    startWorld({ isolation: "serializable", request: "csv", ids: "theirs" }),
  ]);
});
afterAll(() => Promise.all(worlds.map((world) => world.stop())));

/** In all worlds at once. */
const play = (schedule: Schedule) => Promise.all(worlds.map((world) => world.play(schedule)));

/** Calls that are made only while an object is at fault. */
const ofFaultyObjects: readonly Operation[] = ["ExecuteStatement", "GetStatementResult", "CopyRejected"];

/** Slow, so that loaders who do not wait for each other are sure to write at the same time. */
const slow: Fault = { operation: "BatchExecuteStatement", what: "a slow transaction", ...always };

const rounds = (count: number, ...round: [Delivery, Loading]) => Array.from({ length: count }, () => round);

describe("every request ends once, and where it must", () => {
  test.each(faultsOf("loader"))("when $operation meets $what", async ({ operation, what }) => {
    const faults = withPrerequisite({ operation, what, ...always });
    const objects: Stranger[] = ofFaultyObjects.includes(operation) ? ["no JSON"] : [];
    const schedule = { messages: kinds, rounds: rounds(1, "at once", "by one"), faults, objects };
    await Promise.all(worlds.map((world) => playUntilMet(world, schedule, { operation, what })));
  });

  test.each(loadings)("when what is staged is loaded %s", async (loading) => {
    await play({
      messages: [...kinds, ...kinds],
      rounds: rounds(2, "to two workers", loading),
      faults: [slow],
      objects: strangers,
    });
  });

  test.each<Pick<Fault, "operation" | "what">>([
    { operation: "BatchExecuteStatement", what: "a statement that fails" },
    { operation: "CopyOfObject", what: "a throttling" },
  ])("when $operation meets $what time after time", async (fault) => {
    await play({ messages: kinds, rounds: rounds(8, "at once", "by one"), faults: [{ ...fault, ...always }] });
  });

  test.each<Pick<Fault, "operation" | "what">>([
    { operation: "CopyOfObject", what: "a throttling" },
    { operation: "CopyOfObject", what: "a refusal" },
    { operation: "BatchExecuteStatement", what: "a right that it lacks" },
    { operation: "BatchExecuteStatement", what: "a statement that fails" },
    { operation: "CopyOfManifest", what: "every second object that is not found" },
  ])("when $operation meets $what, and it comes and goes while objects at fault are looked for", async (fault) => {
    for (const from of [2, 3]) {
      const faults = [{ ...fault, from, count: 4 }];
      await play({ messages: kinds, rounds: rounds(3, "in threes", "by one"), faults, objects: ["cut", "no JSON"] });
    }
  });
});
