import { always, type Fault, faultsOf, withPrerequisite } from "./faults";
import { type Delivery, deliveries, kinds, type Loading, playUntilMet, startWorld, type World } from "./world";

let world: World;

beforeAll(async () => {
  world = await startWorld({ isolation: "repeatable read", request: "json", ids: "ours" });
});
afterAll(() => world.stop());

describe("every request ends once, and where it must", () => {
  test.each(faultsOf("worker"))("when $operation meets $what", async ({ operation, what }) => {
    const faults = withPrerequisite({ operation, what, ...always });
    await playUntilMet(world, { messages: kinds, rounds: [["at once", "by one"]], faults }, { operation, what });
  });

  test.each(deliveries)("when messages are delivered %s", async (delivery) => {
    const rounds: [Delivery, Loading][] = [
      [delivery, "not at all"],
      [delivery, "by two"],
    ];
    await world.play({ messages: [...kinds, ...kinds], rounds, faults: [] });
  });

  test.each<Pick<Fault, "operation" | "what">>([
    { operation: "BatchGetRecord", what: "an answer that is no JSON" },
    { operation: "InvokeEndpoint", what: "an endpoint that is not there" },
    { operation: "PutOutcomes", what: "a refusal" },
  ])("when $operation meets $what time after time", async (fault) => {
    const rounds = Array.from({ length: 8 }, (): [Delivery, Loading] => ["at once", "by one"]);
    await world.play({ messages: kinds, rounds, faults: [{ ...fault, ...always }] });
  });
});
