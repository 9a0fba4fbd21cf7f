import { atRest, costOf } from "../../config/cost";
import { changePauses, forgetPause, type Pause, pausedFile, pauseInWords } from "../../config/paused";
import { folders } from "../../contract/answers-bucket";
import { type Until, within } from "../../pipeline/clients";
import { checkNamedArchive, type NamedArchive } from "../model/deployed-archive";
import { goldenOf } from "../model/model-proof";
import { ask, isYes, mustBeAskable } from "../shared/asking";
import { showsColours } from "../shared/colours";
import { type Connection, connect } from "../shared/connection";
import { messageOf } from "../shared/findings";
import { interruptible } from "../shared/interruption";
import { costInWords, whole } from "../shared/numbers";
import { commandsFor } from "../shared/options";
import { AnswersBucket } from "./answers-bucket";
import { invoke, loadStaged } from "./canary";
import { Cluster } from "./cluster";
import { Deliveries } from "./deliveries";
import { prove } from "./deploy";
import { type Loss, lossesOf } from "./losses";
import { askThroughQueue, carriedIn } from "./path-canary";
import { applyPlan, type MadePlan, reviewOf, withNewPlan } from "./planning";
import type { Review } from "./review";
import { textOf } from "./review-text";

interface PauseOptions {
  readonly env?: string;
  readonly autoApprove?: true;
}

/** Works with a pipeline, its cluster and its deliveries, and can be told to end. */
async function working<T>(
  { env, autoApprove }: PauseOptions,
  work: (at: Connection & { readonly cluster: Cluster; readonly deliveries: Deliveries }, until: Until) => Promise<T>,
): Promise<T> {
  if (!autoApprove) mustBeAskable();
  const connection = await connect({ env });
  const { warehouse } = connection.pipeline;
  if (!("clusterId" in warehouse)) {
    const { name } = connection.environment;
    throw new Error(`${name} is on demand: it costs next to nothing at rest, and there is nothing to pause.`);
  }
  const cluster = new Cluster(warehouse.clusterId);
  const deliveries = new Deliveries(connection);
  try {
    return await interruptible((signal) => work({ ...connection, cluster, deliveries }, { signal }));
  } finally {
    cluster.close();
    deliveries.close();
  }
}

type Working = Parameters<Parameters<typeof working>[1]>[0];

const stackOf = ({ environment }: Connection) => `inference-${environment.name}`;

/**
 * Pauses an environment. Run again, it goes on where it ended.
 * @param wanted until when @default nobody says so
 * @returns false, with nothing paused, where the plan would lose something else than the endpoint
 * @throws where something would be lost before that time
 */
export const pause = (options: PauseOptions & { readonly until?: Date }): Promise<boolean> =>
  working(options, async (at, until) => {
    const { environment, deliveries } = at;
    const { name } = environment;
    const losses = await lossesOf(at, deliveries, until);
    refuseLosses(losses, options.until, name);
    const [first] = losses;
    if (first) console.error(`Until it is resumed nothing is answered: at ${first.at.toISOString()} ${first.what}.`);
    const deadline = losses.find(({ job }) => job !== undefined);
    const planned: Pause = {
      since: environment.pause?.since ?? new Date().toISOString(),
      ...(options.until && { until: options.until.toISOString() }),
      ...(deadline?.job !== undefined && { firstDeadline: { job: deadline.job, at: deadline.at.toISOString() } }),
    };
    const isPaused = await withPause(name, planned, environment.pause, (keep) =>
      withNewPlan(stackOf(at), undefined, async (made) => {
        const review = await reviewOfPause(made);
        if (!(await isWanted(review, made, options, `Pause ${name}`))) return false;
        await comeToRest(at, until);
        keep();
        if (!review.plan.isEmpty) await applyPlan(made);
        return true;
      }),
    );
    if (!isPaused) return false;
    await at.cluster.pause(until);
    const cost = costOf(atRest({ ...environment, pause: planned }), at.shared.prices);
    console.error(
      [
        `${pauseInWords(name, planned)}. It costs ${costInWords(cost)} a month now.`,
        `${pausedFile} says so: commit it, for a plan without it would bring the endpoint back.`,
        `\`${commandsFor({ env: name })("resume")}\` brings it back. Nothing else does${options.until ? ", not at that time either" : ""}.`,
      ].join("\n"),
    );
    return true;
  });

/** @throws with all that would be lost before a time */
function refuseLosses(losses: readonly Loss[], time: Date | undefined, environment: string) {
  const before = losses.filter(({ at }) => time && at < time);
  if (before.length === 0 || time === undefined) return;
  const shown = before.slice(0, 5).map(({ at, what }) => `  ${at.toISOString()}: ${what}`);
  const more = before.length > shown.length ? [`  and ${whole(before.length - shown.length)} more`] : [];
  throw new Error(
    [
      `${environment} cannot be paused until ${time.toISOString()}: before that, these would be lost.`,
      ...shown,
      ...more,
      "Let it answer them first, or pause it for a shorter time.",
    ].join("\n"),
  );
}

/** Says in paused.json that an environment is paused, and takes that back unless `work` keeps it. */
async function withPause(
  name: string,
  pause: Pause,
  before: Pause | undefined,
  work: (keep: () => void) => Promise<boolean>,
): Promise<boolean> {
  const set = (to: Pause | undefined) =>
    to === undefined ? forgetPause(name) : changePauses((others) => ({ ...others, [name]: to }));
  let isKept = false;
  set(pause);
  try {
    return await work(() => {
      isKept = true;
    });
  } finally {
    if (!isKept) set(before);
  }
}

/** The review of the plan of a paused environment, whose endpoint is meant to go. */
async function reviewOfPause(made: MadePlan): Promise<Review> {
  const { plan } = await reviewOf(made, []);
  const gone = plan.changes.filter(({ type, kind }) => type === "aws_sagemaker_endpoint" && kind === "destroy");
  return reviewOf(
    made,
    gone.map(({ address }) => address),
  );
}

/** Shows a plan. @returns whether it is safe, and wanted @throws where somebody does not want it */
async function isWanted(review: Review, made: MadePlan, { autoApprove }: PauseOptions, question: string) {
  if (review.plan.isEmpty) return true;
  console.log(textOf(review, showsColours(process.stdout)));
  if (!review.isSafe) {
    console.error("Nothing was applied.");
    return false;
  }
  if (autoApprove || isYes(await ask(`${question} by this? [y/N] `, made.signal))) return true;
  throw new Error("Nothing was applied.");
}

/**
 * Hands out no more requests, waits for those in flight, and loads what is staged.
 * @throws where that does not work, and requests are handed out again
 */
async function comeToRest({ deliveries, cluster, pipeline, shared }: Working, until: Until): Promise<void> {
  try {
    await deliveries.stop(until);
    const isAvailable = (await cluster.status(until)) === "available";
    const why = isAvailable ? await loadStaged({ functionName: pipeline.loaderFunctionName }, until) : undefined;
    const bucket = new AnswersBucket({ bucket: pipeline.answers.bucket, region: shared.region });
    const { objects } = await bucket.look(folders.staged, until).finally(() => bucket.close());
    if (objects > 0) {
      const left = `${whole(objects)} objects with answers stay staged.`;
      if (isAvailable) throw new Error(`${left} ${why ?? "The loader's log says why."}`);
      console.error(`${left} They are loaded once the cluster is back.`);
    }
    if (isAvailable) await writeResults(pipeline.writerFunctionName, until);
  } catch (error) {
    const again = deliveries.start(within(60_000));
    await again.catch((failure: unknown) => console.error(messageOf(failure)));
    throw error;
  }
}

/** Lets the writer write the results of jobs that are answered by now. */
const writeResults = async (functionName: string, until: Until): Promise<void> => {
  await invoke({ functionName }, {}, until).catch((error: unknown) => {
    until.signal.throwIfAborted();
    console.error(`${messageOf(error)} The results of jobs come after the pause.`);
  });
};

/**
 * Brings a paused environment back, and ends when it works. Run again, it goes on where it ended.
 * @returns false where its plan would lose something
 * @throws where a canary is not answered
 */
export const resume = (options: PauseOptions): Promise<boolean> =>
  working(options, async (at, until) => {
    const { name } = at.environment;
    // The plan of a paused cluster would tell of a change of its nodes.
    await at.cluster.resume(until);
    forgetPause(name);
    const isResumed = await withNewPlan(stackOf(at), undefined, async (made) => {
      const review = await reviewOf(made, []);
      if (!(await isWanted(review, made, options, `Resume ${name}`))) return false;
      const archive = await checkNamedArchive(made.folder, name);
      if (!review.plan.isEmpty) await applyPlan(made);
      await at.deliveries.start(until); // Terraform may not know that a pause was cut short
      await prove(made, review.plan, archive, { always: true });
      await askAsUsersDo(at, archive, until);
      return true;
    });
    if (isResumed) console.error(`${name} is resumed, and answers. ${pausedFile} no longer has it: commit that.`);
    return isResumed;
  });

/** Asks a golden request as users ask theirs. @throws where it is not answered */
async function askAsUsersDo(at: Working, archive: NamedArchive | undefined, until: Until): Promise<void> {
  const { name, model } = at.environment;
  const { golden, request = model.contract.request } = (await goldenOf(name, archive, at.shared)) ?? {};
  const bodies = golden?.pairs.map((pair) => pair.request) ?? [];
  const [features] = bodies.flatMap((body) => carriedIn(body, { ...model.contract, request }) ?? []);
  if (features === undefined) {
    const why = `no golden request of ${name} is known that its contract can carry`;
    console.error(`No request was sent through the queue: ${why}.`);
    return;
  }
  try {
    await askThroughQueue(at.pipeline, features, until);
  } catch (error) {
    until.signal.throwIfAborted();
    const again = commandsFor({ env: name })("resume");
    throw new Error(`${messageOf(error)} What was applied stays so. \`${again}\` asks again.`);
  }
}
