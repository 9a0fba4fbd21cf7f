import { gzipSync } from "node:zlib";
import { folders, timeOfId } from "../contract/answers-bucket";
import { canaryTables } from "../contract/load-tables";
import { createIncoming } from "../contract/outcome";
import { reasonOf, type Until } from "./clients";
import { newId } from "./ids";
import { type Load, loadStatements } from "./load-statements";
import { loadErrors, runLoad } from "./loading";
import { contentOf, type Outcomes } from "./outcomes";
import { type RedshiftData, refusalOf } from "./redshift";
import type { Unloads } from "./unloads";

export interface CanaryProps {
  readonly outcomes: Outcomes;
  /** The database as the loader's own user. */
  readonly database: RedshiftData;
  /** The database as the user that people read with. @default that is a role's, and what it may is not tried */
  readonly reader?: RedshiftData;
  readonly unloads: Unloads;
  /** The role by which the cluster reads what is staged. */
  readonly copyRoleArn: string;
}

/** A step of the canary did not end as it must. */
class CanaryFailed extends Error {
  override readonly name = "CanaryFailed";
}

/** Steps one after another, of which those that ended as they must are kept. */
export const stepByStep = () => {
  const passed: string[] = [];
  return {
    passed,
    /** @param task says what is wrong @throws CanaryFailed where something is */
    step: async (what: string, task: () => Promise<string | undefined>) => {
      const fault = await task().catch(reasonOf);
      if (fault !== undefined) throw new CanaryFailed(`${what}: no. ${fault}`);
      passed.push(`${what}.`);
    },
  };
};

/**
 * Tries on the real warehouse what no page of AWS's settles: the loader's own statements on tables of their own, and
 * what each of the two users may. Whom a role signs in as, people's role at a workgroup, is not tried.
 * @returns what was tried, each in a sentence
 * @throws CanaryFailed at the first step that does not end as it must, with Redshift's own words
 */
export const tryOut = async (props: CanaryProps, until: Until): Promise<string[]> => {
  const { outcomes, database, reader, unloads, copyRoleArn } = props;
  const { passed, step } = stepByStep();
  const now = new Date();
  const { content, range } = await twoOutcomes(now);
  const folder = `${folders.manifests}canary-${newId()}/`;
  const [good, bad] = [`${folder}good.gz`, `${folder}bad.gz`];
  const keys = [good, bad];
  const manifestOf = async (key: string) => {
    const manifest = await outcomes.writeManifest([key], until);
    keys.push(manifest);
    return outcomes.urlOf(manifest);
  };
  const loadOf = (manifestUrl: string): Load => ({ manifestUrl, copyRoleArn, range, tables: canaryTables, now });
  const load = async (manifestUrl: string, answers: number, failures: number) => {
    const wrote = await runLoad(database, loadOf(manifestUrl), until);
    if (wrote.answers === answers && wrote.failures === failures) return undefined;
    return `It wrote ${wrote.answers} answers and ${wrote.failures} failures.`;
  };
  const empty = () =>
    database.transaction(
      [canaryTables.results, canaryTables.failures, canaryTables.jobs].map((table) => `DELETE FROM ${table}`),
      until,
    );

  try {
    await step("the loader writes to the bucket and owns its tables", async () => {
      await outcomes.write(good, content, until);
      await outcomes.write(bad, gzipSync("no JSON\n"), until);
      await empty();
      return undefined;
    });
    const manifest = await manifestOf(good);
    await step("the loader loads an answer and a failure", () => load(manifest, 1, 1));
    await step("the same again writes nothing", () => load(manifest, 0, 0));
    await step("an object at fault is refused, and Redshift names it", async () => {
      const begun = new Date();
      const refused = await refusalOf(runLoad(database, loadOf(await manifestOf(bad)), until));
      if (refused === undefined) return "It was loaded.";
      const found = (await loadErrors(database, begun, until)).get(outcomes.urlOf(bad));
      return found === undefined ? `sys_load_error_detail has no row of it. Redshift said: ${refused}` : undefined;
    });
    if (reader !== undefined) await tryOutReader(reader, unloads, loadOf(manifest), step, until);
  } finally {
    await empty().catch(() => undefined);
    await outcomes.delete(keys, until).catch(() => undefined);
  }
  return passed;
};

/** An answer and a failure as they are staged, and the range of their ids. */
const twoOutcomes = async (now: Date): Promise<{ content: Buffer } & Required<Pick<Load, "range">>> => {
  const [answered, failed] = [newId(), newId()];
  const asked = { inputId: "canary", jobId: "canary", requestedAt: now };
  const said = { output: "yes", endpoint: "canary", variant: "canary", modelRelease: "canary", predictedAt: now };
  const why = { code: "malformed", reason: "it is the canary's", failedAt: now };
  const content = await contentOf([
    { requestId: answered, ...asked, ...said },
    { requestId: failed, ...asked, ...why },
  ]);
  const [least = "", greatest = ""] = [answered, failed].map((id) => timeOfId(id)).sort();
  return { content, range: [least, greatest] };
};

/** Tries what people may. */
const tryOutReader = async (
  reader: RedshiftData,
  unloads: Unloads,
  load: Load,
  step: ReturnType<typeof stepByStep>["step"],
  until: Until,
): Promise<void> => {
  await step("people may UNLOAD to the bucket", async () => {
    const sql = unloads.statement(["answered"], "FROM prediction_jobs WHERE job_id = 'canary'", unloads.newFolder());
    await reader.run(sql, until);
    return undefined;
  });
  await step("people may not COPY from it", async () => {
    const refused = await refusalOf(reader.transaction([createIncoming, loadStatements(load).copy], until));
    return refused === undefined ? "They may." : undefined;
  });
};
