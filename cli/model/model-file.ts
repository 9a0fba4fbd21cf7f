import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fault, faultsOf, group, oneOf, refuse, show, text } from "../../config/faults";
import { spokenContract } from "../../config/spoken-contract";

/** What a model says of itself: it lies at the top of its folder, and of its archive. */
export const modelFile = "model.json";

/** The version of its format that this program writes and reads. */
const modelFileVersion = 1;

/** What images need of an archive, and what their repositories are called. */
export const images = {
  /** AWS's images of PyTorch, for any processor, which run the code of the archive. */
  pytorch: { needs: ["code/inference.py"], repository: /pytorch/ },
  /** AWS's images of scikit-learn, which do the same. */
  "scikit-learn": { needs: ["code/inference.py"], repository: /scikit-learn/ },
  /** Any other, which alone knows what it needs. */
  other: { needs: [], repository: undefined },
} as const satisfies Record<string, { readonly needs: readonly string[]; readonly repository: RegExp | undefined }>;

type ImageName = keyof typeof images;
const imageNames = ["pytorch", "scikit-learn", "other"] as const satisfies readonly ImageName[];

/** What AWS's images install when they start, where it holds anything: the model has no network. */
export const installed = "code/requirements.txt";

const path = z
  .string({ error: refuse("the path of a file below the folder") })
  .refine((name) => /^(?!\.{0,2}\/)[^\\\p{C}]+$/u.test(name) && !name.split("/").includes(".."), {
    error: refuse("the path of a file below the folder, such as code/inference.py"),
  });

const sha256 = text({
  pattern: /^[0-9a-f]{64}$/,
  minimumLength: 64,
  maximumLength: 64,
  allowed: "a SHA-256 in hexadecimal digits",
  source: "sha256sum prints it",
});

const word = z.string({ error: refuse("a text") });

const schema = group({
  version: z.literal(modelFileVersion, { error: refuse(`${modelFileVersion}, the version that this program reads`) }),
  /** What it speaks. */
  contract: spokenContract,
  /** The labels of its classes, in their order: by these a CSV of labels may call them by number. @default it has none */
  labels: z.array(word, { error: refuse("a list of texts") }).optional(),
  /** The files that go into the archive, beside this one and the golden requests. */
  files: z.array(path, { error: refuse("a list of files") }).min(1, { error: refuse("one file or more") }),
  /** What serves it. */
  image: oneOf(imageNames, "cli/model/model-file.ts"),
  /** The file of requests and the answers that they must get. */
  golden: path,
  /** What it was made of. @default it is not said */
  source: group({ id: word, revision: word }).optional(),
  /** What made it, with the versions of what that used. @default it is not said */
  made: group({
    by: word,
    versions: z.record(z.string(), word),
    /** The SHA-256 of the files it was made of. */
    of: z.record(path, sha256),
    /** The SHA-256 of the files that it wrote. */
    gave: z.record(path, sha256),
    /** How it was told to, where that matters. @default the usual way */
    eager_attention: z.boolean({ error: refuse("true or false") }).optional(),
  }).optional(),
}).superRefine(({ files, golden }, context) => {
  if (files.includes(modelFile) || files.includes(golden)) {
    context.addIssue(
      fault(["files"], `got ${show(files)}; allowed: others than ${modelFile} and ${golden}, which go in any case`),
    );
  }
});

/** What a model says of itself. */
export type ModelFile = z.infer<typeof schema>;

/** What to do where a model does not say what it speaks. */
export const withoutModelFile = `it lacks ${modelFile}, which says what it speaks, as one of an earlier version does: make its folder anew by model/trace.py, or write it as docs/your-model.md has it, and package that`;

/**
 * What a model.json says.
 * @returns it, or everything that is wrong with it, a line each
 */
export function parseModelFile(
  written: string,
): { model: ModelFile; faults?: undefined } | { model?: undefined; faults: readonly string[] } {
  let json: unknown;
  try {
    json = JSON.parse(written);
  } catch (error) {
    return { faults: [`${modelFile} is no JSON: ${error instanceof Error ? error.message : error}`] };
  }
  const { data, error } = schema.safeParse(json);
  return data ? { model: data } : { faults: faultsOf([], error).map((line) => `${modelFile}: ${line}`) };
}

/** What the model.json of a folder says; undefined where there is none. @throws with everything that is wrong with it */
export async function readModelFile(folder: string): Promise<ModelFile | undefined> {
  const written = await readFile(join(folder, modelFile), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  if (written === undefined) return undefined;
  const { model, faults } = parseModelFile(written);
  if (model === undefined) throw new Error([`${folder} cannot be packaged:`, ...faults].join("\n  "));
  return model;
}

/** Which of the images that are known here one is; undefined for any other. */
const nameOfImage = (image: string): ImageName | undefined => {
  const repository = image.slice(image.lastIndexOf("/") + 1).split(/[:@]/)[0] ?? "";
  return imageNames.find((name) => images[name].repository?.test(repository));
};

/** What is said where a model is made for another image than config.ts has; undefined where it fits. */
export function imageMismatch(model: string, { image }: ModelFile, configured: string): string | undefined {
  const name = nameOfImage(configured);
  if (name === undefined || name === image) return undefined;
  return `${model} is made for ${image === "other" ? "another image" : `an image of ${image}`}, and config.ts has ${configured}: set model.image to one that serves it.`;
}
