import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { extract } from "tar";
import { z } from "zod";
import { imageFor } from "../../aws/model-images";
import { type Release, releaseSchema } from "../../config/releases";
import { commandsFor } from "../shared/options";
import { StateBucket } from "../state/state-bucket";
import { parseState } from "../state/state-file";
import { checkArchive, type Digest, digestOf, filesOf, tracedModel, writeArchive } from "./model-archive";
import type { ModelBucket } from "./model-bucket";
import type { ModelEnvironment } from "./model-environment";
import { type CompilationJob, compilationJobs } from "./model-jobs";
import { faultsFor, inputsOf, type RecipeName, recipeFor, recipes, tracedModelSchema } from "./model-recipes";
import { keyOf, sendWithProgress } from "./model-upload";

const run = promisify(execFile);
const compiler = join("model", "compile_neuron.py");
/** What inference.py reads beside a model that does not say it itself. */
const shapeFile = "shape.json";

/** A compiled artifact, as a release names it. */
export type Compiled = Pick<Release, "artifact" | "kind" | "image" | "instanceType">;

const compiledSchema = releaseSchema.pick({ artifact: true, kind: true, image: true, instanceType: true });

/** Where in the bucket a recipe's work on an archive lies: the same for the same archive, recipe and compiler. */
async function folderOf({ sha256 }: Digest, recipe: RecipeName, region: string): Promise<string> {
  const { family } = recipes[recipe];
  const made = recipe === "neo" ? [] : [imageFor(family, region), await readFile(compiler, "utf8")];
  const parts = JSON.stringify([sha256, recipe, recipes[recipe], ...made]);
  return `compiled/${recipe}-${createHash("sha256").update(parts).digest("hex").slice(0, 16)}`;
}

/** What a recipe has made of an archive; undefined where it has not been asked to. */
export async function compiledModel(
  bucket: ModelBucket,
  digest: Digest,
  recipe: RecipeName,
): Promise<Compiled | undefined> {
  const key = `${await folderOf(digest, recipe, bucket.region)}/artifact.json`;
  const text = await (await bucket.read(key))?.transformToString();
  if (text === undefined) return undefined;
  const { data, error } = compiledSchema.safeParse(JSON.parse(text));
  if (data === undefined) throw new Error(`${bucket.urlOf(key)} names no artifact:\n${z.prettifyError(error)}`);
  return data;
}

/**
 * Compiles an archive for the instances of an environment, by a job of SageMaker's that it follows. A job that is under
 * way already is followed, and what is compiled already is not compiled again.
 * @returns the artifact; undefined where the instances run the archive as it is
 * @throws when the recipe does not fit the archive or the instances, or the job fails
 */
export async function compileModel(
  archive: string,
  of: ModelEnvironment,
  asked?: string,
): Promise<Compiled | undefined> {
  const { bucket, environment } = of;
  const recipe = recipeFor(environment.model.instanceType, asked);
  if (recipe === undefined) {
    console.error(`${environment.model.instanceType} runs the model as it is: there is nothing to compile.`);
    return undefined;
  }
  const { files: named } = await checkArchive(archive);
  if (!named.includes(tracedModel)) {
    throw new Error(`${archive} has no ${tracedModel} among its files, and nothing else is compiled by ${recipe}.`);
  }
  const digest = await digestOf(archive);
  const done = await compiledModel(bucket, digest, recipe);
  if (done !== undefined) {
    console.error(`${archive} has been compiled by ${recipe} already.`);
    return done;
  }
  const work = await mkdtemp(join(tmpdir(), "model-"));
  try {
    const model = join(work, "model");
    await mkdir(model);
    await extract({ file: archive, cwd: model, strict: true });
    const traced = await describe(join(model, tracedModel));
    const faults = faultsFor(recipe, traced);
    if (faults.length > 0) {
      throw new Error([`${archive} cannot be compiled by ${recipe}:`, ...faults].join("\n  "));
    }
    const folder = await folderOf(digest, recipe, bucket.region);
    const roleArn = await roleOf(of);
    await sendInput(bucket, `${folder}/input`, join(model, tracedModel), work);
    const inputs = inputsOf(traced);
    const job = { recipe, name: `model-${basename(folder)}`, inputs, url: bucket.urlOf(folder), roleArn };
    const { url, image } = await compileBy(compilationJobs(job, of.shared));
    const files = new Map([...(await filesOf(archive)).keys()].map((name) => [name, join(model, name)]));
    files.set(tracedModel, await fetchModel(bucket, url, work));
    if (recipe === "neo" && traced.shape !== null) {
      // Neo keeps nothing of the model's file but the model.
      files.set(shapeFile, join(work, shapeFile));
      await writeFile(join(work, shapeFile), JSON.stringify({ ...traced.shape, others: false }));
    }
    const result = join(work, "model.tar.gz");
    await writeArchive(files, result);
    const digestOfResult = await digestOf(result);
    const key = keyOf(digestOfResult.sha256);
    if (!(await bucket.holds(key, digestOfResult))) await sendWithProgress(bucket, result, key, digestOfResult.size);
    const compiled: Compiled = {
      artifact: { bucket: bucket.name, key, sha256: digestOfResult.sha256 },
      kind: recipes[recipe].kind,
      ...(image !== undefined && { image }),
    };
    await bucket.write(`${folder}/artifact.json`, `${JSON.stringify(compiled, null, 2)}\n`);
    return compiled;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function describe(file: string) {
  const { stdout } = await run("python3", [join("model", "describe.py"), file]).catch((error: unknown) => {
    const { stderr } = z
      .object({ stderr: z.string() })
      .catch({ stderr: String(error) })
      .parse(error);
    throw new Error(`${tracedModel} cannot be read: ${stderr.trim()}`);
  });
  return tracedModelSchema.parse(JSON.parse(stdout));
}

/** The role that the state stack has made for the jobs, as its state tells. */
async function roleOf({ shared: { stateBucket, region, profile } }: ModelEnvironment): Promise<string> {
  const key = "state/terraform.tfstate";
  const state = await new StateBucket({ bucket: stateBucket, key, region, profile }).read(key);
  const output = z.object({ value: z.string() });
  const found = state && output.safeParse(parseState(state.text).outputs.get("model_compilation_role_arn"));
  if (!found?.success) {
    throw new Error(
      `s3://${stateBucket}/${key} names no role for compiling models: ${commandsFor({})("bootstrap")} makes it.`,
    );
  }
  return found.data.value;
}

/** Puts what a job reads into the bucket: the traced model alone, and the program that compiles it where that is ours. */
async function sendInput(bucket: ModelBucket, folder: string, model: string, work: string): Promise<void> {
  const file = join(work, "traced.tar.gz");
  await writeArchive(new Map([[tracedModel, model]]), file);
  const digest = await digestOf(file);
  const key = `${folder}/traced.tar.gz`;
  if (!(await bucket.holds(key, digest))) await sendWithProgress(bucket, file, key, digest.size);
  await bucket.write(`${folder}/${basename(compiler)}`, await readFile(compiler, "utf8"));
}

/** Follows the job that is under way, or starts one. @throws with SageMaker's reason when it fails */
async function compileBy(job: CompilationJob): Promise<{ url: string; image?: string }> {
  let attempt = 1;
  let state = await job.look(attempt);
  while (state?.ended && !state.succeeded) state = await job.look(++attempt);
  const name = job.nameOf(attempt);
  if (state === undefined) {
    await job.start(attempt);
    console.error(`Started ${name}. It goes on without this command, which finds it when run again.`);
  }
  let told: string | undefined;
  for (let wait = 1000; ; wait = Math.min(wait * 1.5, 30_000)) {
    if (state !== undefined && state.status !== told) console.error(`${name}: ${state.status}`);
    told = state?.status;
    if (state?.succeeded && state.url !== undefined) return { url: state.url, image: state.image };
    if (state?.ended) {
      throw new Error(`${name} has ended as ${state.status}: ${state.reason || "SageMaker does not say why"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    state = await job.look(attempt);
  }
}

/** Fetches what a job has written: the compiled model, or a tar.gz with it. */
async function fetchModel(bucket: ModelBucket, url: string, work: string): Promise<string> {
  const key = url.slice(bucket.urlOf("").length);
  const body = await bucket.read(key);
  if (!(body instanceof Readable)) throw new Error(`The job has written nothing to ${url}.`);
  const file = join(work, `compiled-${basename(key)}`);
  await pipeline(body, createWriteStream(file));
  if (!key.endsWith(".tar.gz")) return file;
  const names = [...(await filesOf(file)).keys()].filter((name) => /\.pth?$/.test(name));
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw new Error(`${url} must hold one compiled model, a .pt or .pth; it holds ${names.join(", ") || "none"}.`);
  }
  const folder = join(work, "compiled");
  await mkdir(folder);
  await extract({ file, cwd: folder, strict: true });
  return join(folder, name);
}
