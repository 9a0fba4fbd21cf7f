import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { z } from "zod";
import { folders } from "../../contract/answers-bucket";
import type { OnTheWay } from "../../local/passage";
import { newId } from "../../pipeline/ids";
import { contractIn, modelOf } from "../setup/contract";
import { delivered, startDesk } from "../setup/desk";
import { operationOf } from "./faults";
import { numbersOf } from "./random";

export interface Killing {
  readonly requests: number;
  /** How many times a worker or a loader is killed while it works. */
  readonly kills: number;
  readonly isolation: "repeatable read" | "serializable";
  readonly seed: number;
}

const batchSize = 100;
/** The most calls of AWS from one kill to the next. */
const longestRest = 30;

const batchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

/** A function that does one thing at a time, and is killed at times. */
interface Victim {
  working: boolean;
  readonly run: (event: unknown) => Promise<unknown>;
  readonly kill: () => void;
}

/**
 * Has two workers answer requests while two loaders load what they stage, and kills one of the four now and then, at the
 * call of another or at its own. A batch comes again while it is not answered, and at times when it is.
 * @returns what there is in the end
 */
export const killAtRandom = async ({ requests, kills, isolation, seed }: Killing) => {
  const random = numbersOf(seed);
  const desk = await startDesk({ model: modelOf((cities) => cities.map((city) => `in ${city}`)), isolation });
  const victimOf = (started: ReturnType<typeof desk.worker>): Victim => {
    const victim: Victim = {
      working: false,
      run: async (event) => {
        victim.working = true;
        try {
          return await started.invoke(event);
        } finally {
          victim.working = false;
        }
      },
      kill: () => started.kill(),
    };
    return victim;
  };
  const environment = { INSTANCES_PER_CALL: "50", FEATURE_GROUP_NAME: undefined, RECORD_IDENTIFIER_TYPE: undefined };
  const workers = [1, 2].map(() => victimOf(desk.worker({}, environment, contractIn("instances"))));
  const loaders = [1, 2].map(() => victimOf(desk.loader()));
  const all = [...workers, ...loaders];

  let killed = 0;
  let rest = random(longestRest);
  let wakeLoaders = () => {};
  let staged = new Promise<void>((wake) => {
    wakeLoaders = wake;
  });
  const killSome = () => {
    if (killed === kills || rest-- > 0) return;
    rest = random(longestRest);
    const working = all.filter((victim) => victim.working);
    const victim = working[random(working.length)];
    if (victim === undefined) return;
    killed++;
    victim.kill();
  };
  const onTheWay: OnTheWay = async (request, forward) => {
    killSome();
    const answer = await forward();
    killSome();
    if (operationOf(request) === "PutOutcomes") {
      wakeLoaders();
      staged = new Promise<void>((wake) => {
        wakeLoaders = wake;
      });
    }
    return answer;
  };
  for (const service of ["COPY", "REDSHIFT_DATA", "S3", "SAGEMAKER_RUNTIME", "SQS"] as const) {
    desk.hindrances[service] = onTheWay;
  }

  const messages = Array.from({ length: requests }, (_, place) =>
    delivered({ id: `${place}`, requestId: newId(), jobId: "a job", features: { age: 36, city: `${place}` } }),
  );
  const batches = Array.from({ length: Math.ceil(requests / batchSize) }, (_, batch) =>
    messages.slice(batch * batchSize, (batch + 1) * batchSize),
  );
  const waiting = [...batches];

  const work = async (worker: Victim) => {
    while (waiting.length > 0 || killed < kills) {
      const batch = waiting.shift() ?? batches[random(batches.length)] ?? [];
      const response = await worker.run({ Records: batch }).catch(() => undefined);
      const again =
        response === undefined
          ? batch
          : batch.filter(({ messageId }) =>
              batchResponse
                .parse(response)
                .batchItemFailures.some(({ itemIdentifier }) => itemIdentifier === messageId),
            );
      if (again.length > 0) waiting.push(again);
      else if (random(20) === 0) waiting.push(batch);
    }
  };

  try {
    let isWorking = true;
    const loading = loaders.map(async (loader) => {
      while (isWorking) {
        await staged;
        await loader.run({}).catch(() => undefined);
      }
    });
    // What a worker takes back after the other one has ended is the last round's.
    do await Promise.all(workers.map(work));
    while (waiting.length > 0);
    isWorking = false;
    wakeLoaders();
    await Promise.all(loading);
    await desk.loader().invoke({});

    const [rows] = await desk.rows(`SELECT COUNT(*)::int AS rows, COUNT(DISTINCT request_id)::int AS requests,
COUNT(*) FILTER (WHERE output = 'in ' || input_id)::int AS right FROM prediction_results`);
    const [failures] = await desk.rows("SELECT COUNT(*)::int AS failures FROM prediction_failures");
    const jobs = await desk.rows("SELECT answered::int, failed::int FROM prediction_jobs");
    const keysIn = async (Prefix: string) =>
      (await desk.s3.send(new ListObjectsV2Command({ Bucket: desk.answersBucket, Prefix }))).KeyCount;
    return {
      killed,
      ...rows,
      ...failures,
      jobs,
      staged: await keysIn(folders.staged),
      rejected: await keysIn(folders.rejected),
    };
  } finally {
    desk.unhinder();
    await desk.stop();
  }
};

/** What there is when exactly each request has its row. */
export const nothingLost = ({ requests, kills }: Pick<Killing, "requests" | "kills">) => ({
  killed: kills,
  rows: requests,
  requests,
  right: requests,
  failures: 0,
  jobs: [{ answered: requests, failed: 0 }],
  staged: 0,
  rejected: 0,
});
