import { DeleteObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { always } from "../faults/faults";
import { jobScenarios } from "../faults/job-scenarios";
import { tellLate } from "../faults/late-counts";
import { bundleWith, lateMutant, type Mutant, mutants } from "../faults/mutants";
import { kinds, type Schedule, startWorld } from "../faults/world";
import { modelOf, typedContract } from "../setup/contract";
import { type Desk, startDesk } from "../setup/desk";

const slow = { operation: "BatchExecuteStatement", what: "a slow transaction", ...always } as const;

/** Each of them ends well with the loader as it is. */
const schedules: readonly Schedule[] = [
  { messages: kinds, rounds: [["at once", "by two"]], faults: [slow] },
  { messages: kinds, rounds: [["to two workers", "by one"]], faults: [] },
  ...(
    [
      { operation: "BatchExecuteStatement", what: "a manifest that is loaded twice" },
      { operation: "BatchExecuteStatement", what: "a right that it lacks" },
      { operation: "CopyOfManifest", what: "every second object that is not found" },
    ] as const
  ).map((fault): Schedule => {
    return { messages: kinds, rounds: [["in threes", "by one"]], faults: [{ ...fault, from: 1, count: 3 }] };
  }),
];

/** Plays the schedules until one does not end well, and says which that was. */
const firstFailure = async (mutant?: Mutant) => {
  const loaderBundle = await bundleWith("loader", mutant);
  const world = await startWorld({ isolation: "repeatable read", request: "instances", ids: "ours", loaderBundle });
  try {
    for (const [place, schedule] of schedules.entries()) {
      try {
        await world.play(schedule);
      } catch (error) {
        return { schedule: place, error };
      }
    }
    return undefined;
  } finally {
    await world.stop();
  }
};

test("the loader as it is ends every schedule well", async () => {
  expect(await firstFailure()).toBeUndefined();
});

test("a loader that tells late takes no counts back, and one that writes them without the number of their commit does", async () => {
  const desk = await startDesk({ model: modelOf((cities) => cities) });
  try {
    expect(await tellLate(desk, await bundleWith("loader"))).toBe(2);
    expect(await tellLate(desk, await bundleWith("loader", lateMutant))).toBe(1);
  } finally {
    await desk.stop();
  }
});

test.each(mutants)("a loader that $name does not", async (mutant) => {
  const failure = await firstFailure(mutant);
  expect(failure?.error).toMatchObject({ matcherResult: { pass: false } });
});

/** Leaves no job open. */
const forget = async ({ s3, answersBucket: Bucket }: Desk) => {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "open/" }));
  for (const { Key } of Contents) await s3.send(new DeleteObjectCommand({ Bucket, Key }));
};

describe("of the functions of jobs", () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await startDesk({ model: modelOf((cities) => cities), contract: typedContract });
  });
  afterAll(() => desk.stop());

  /** What does not end well; undefined where all does. */
  const failureOf = async ({ play, ...scenario }: (typeof jobScenarios)[number], mutant?: Mutant): Promise<unknown> => {
    const bundle = await bundleWith(scenario.function, mutant);
    try {
      await play(desk, bundle);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      desk.unhinder();
      await forget(desk);
    }
  };

  test.each(jobScenarios)("$name; not so where the $function $mutant.name", async (scenario) => {
    expect(await failureOf(scenario)).toBeUndefined();
    expect(await failureOf(scenario, scenario.mutant)).toMatchObject({ matcherResult: { pass: false } });
  });
});
