import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rename, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { create, list, Parser } from "tar";
import { type Golden, parseGolden } from "./golden";
import { images, installed, type ModelFile, modelFile, parseModelFile, withoutModelFile } from "./model-file";

/** The model as TorchScript, which the project's own `inference.py` loads. */
export const tracedModel = "model.pt";

/** S3 takes up to 10,000 parts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const partSize = 16 * 1024 * 1024;

/** What tells a file from all others. */
export interface Digest {
  /** Of all its bytes, in hexadecimal digits: its name wherever it lies. */
  readonly sha256: string;
  /** How S3 writes it: of the whole where it is one part, else of its parts' digests with their number behind. */
  readonly checksum: string;
  /** In bytes. */
  readonly size: number;
}

/** Reads a file once. @throws when there is none */
export async function digestOf(file: string): Promise<Digest> {
  await mustBeFile(file);
  const whole = createHash("sha256");
  const parts: Buffer[] = [];
  let part = createHash("sha256");
  let room = partSize;
  let size = 0;
  for await (const read of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const chunk = Buffer.from(read);
    whole.update(chunk);
    size += chunk.length;
    for (let from = 0; from < chunk.length; ) {
      if (room === 0) {
        parts.push(part.digest());
        part = createHash("sha256");
        room = partSize;
      }
      const piece = chunk.subarray(from, from + room);
      part.update(piece);
      room -= piece.length;
      from += piece.length;
    }
  }
  parts.push(part.digest());
  const digest = whole.digest();
  const ofParts = createHash("sha256").update(Buffer.concat(parts)).digest("base64");
  return {
    sha256: digest.toString("hex"),
    checksum: parts.length === 1 ? digest.toString("base64") : `${ofParts}-${parts.length}`,
    size,
  };
}

/** @throws when it is no file */
export async function mustBeFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) throw new Error(`There is no file ${file}.`);
  if (!found.isFile()) throw new Error(`${file} is no file.`);
}

/**
 * Writes an archive: the same files give the same bytes, whoever owns them, whenever they were made, on every machine.
 * It is stored, not compressed: weights hardly shrink, and what deflate makes of them depends on the processor.
 * @param entries the names in the archive, and where each file is
 */
export async function writeArchive(entries: ReadonlyMap<string, string>, file: string): Promise<void> {
  await mkdir(dirname(resolve(file)), { recursive: true });
  const stage = await mkdtemp(join(tmpdir(), "model-"));
  const unfinished = `${file}.${process.pid}.part`;
  try {
    for (const [name, path] of entries) {
      await mkdir(dirname(join(stage, name)), { recursive: true });
      await symlink(resolve(path), join(stage, name));
    }
    await create(
      {
        file: unfinished,
        cwd: stage,
        follow: true,
        portable: true,
        mtime: new Date(0),
        gzip: { level: 0 },
        onWriteEntry: ({ stat }) => {
          if (stat) stat.mode = 0o644;
        },
      },
      [...entries.keys()].sort(),
    );
    await rename(unfinished, file);
  } finally {
    await rm(stage, { recursive: true, force: true });
    await rm(unfinished, { force: true });
  }
}

/** The files in an archive with their sizes in bytes. @throws when it cannot be read */
export async function filesOf(archive: string): Promise<Map<string, number>> {
  await mustBeFile(archive);
  const files = new Map<string, number>();
  try {
    await list({
      file: archive,
      strict: true,
      onReadEntry: ({ type, path, size }) => {
        if (type !== "Directory") files.set(path.replace(/^\.\//, ""), size);
      },
    });
  } catch (error) {
    throw new Error(`${archive} is no tar.gz: ${error instanceof Error ? error.message : error}`);
  }
  return files;
}

/** The texts of some of an archive's files, by their names. @throws when it cannot be read */
async function textsIn(archive: string, names: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  await list({
    file: archive,
    strict: true,
    onReadEntry: (entry) => {
      const name = entry.path.replace(/^\.\//, "");
      if (!names.includes(name)) return entry.resume();
      const chunks: Buffer[] = [];
      entry.on("data", (chunk: Buffer) => chunks.push(chunk));
      entry.on("end", () => texts.set(name, Buffer.concat(chunks).toString()));
    },
  });
  return texts;
}

/** The most bytes of a file that {@link firstTextsIn} reads. */
const smallFile = 1 << 20;

/**
 * The texts of the small files that an archive begins with, by their names.
 * @param archive all of it or its beginning: a file that is cut off is not there
 * @param isEnough whether no more is to be read @throws when it is no tar.gz
 */
export async function firstTextsIn(
  archive: AsyncIterable<Uint8Array>,
  isEnough: (texts: ReadonlyMap<string, string>) => boolean,
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  let fault: Error | undefined;
  let isRead = false;
  const parser = new Parser({
    onReadEntry: (entry) => {
      const name = entry.path.replace(/^\.\//, "");
      if (entry.type === "Directory" || entry.size > smallFile) return entry.resume();
      const chunks: Buffer[] = [];
      entry.on("data", (chunk: Buffer) => chunks.push(chunk));
      entry.on("end", () => {
        texts.set(name, Buffer.concat(chunks).toString());
        isRead ||= isEnough(texts);
      });
    },
  });
  parser.on("error", (error) => {
    fault = error instanceof Error ? error : new Error(String(error));
  });
  for await (const chunk of archive) {
    parser.write(Buffer.from(chunk));
    if (fault !== undefined) throw new Error(`it is no tar.gz: ${fault.message}`);
    if (isRead) break; // which ends the reading of what it comes from
  }
  return texts;
}

/**
 * Checks that an archive says what it speaks, and holds what it says and what its image needs.
 * @returns what it says
 * @throws with everything that is wrong with it
 */
export async function checkArchive(archive: string): Promise<ModelFile> {
  const files = await filesOf(archive);
  const refuse = (faults: readonly string[]) =>
    new Error([`${archive} is no archive for SageMaker:`, ...faults].join("\n  "));
  const written = (await textsIn(archive, [modelFile])).get(modelFile);
  if (written === undefined) {
    const [deeper] = [...files.keys()].filter((name) => basename(name) === modelFile);
    throw refuse([deeper === undefined ? withoutModelFile : `${deeper} lies in a folder, and must be at the top`]);
  }
  const { model, faults } = parseModelFile(written);
  if (model === undefined) throw refuse(faults);
  const wrong = lackingIn(model, (name) => files.has(name)).map((name) => `it lacks ${name}`);
  if (hasInstalled(model, files.get(installed))) wrong.push(noInstalling);
  if (wrong.length > 0) throw refuse(wrong);
  return model;
}

/** What is not there of what a model says, and of what its image needs. */
export const lackingIn = ({ files, golden, image }: ModelFile, has: (name: string) => boolean): string[] =>
  [...new Set([...files, golden, ...images[image].needs])].filter((name) => !has(name));

/** Whether a model's image would install something. @param size of code/requirements.txt in bytes, where there is one */
export const hasInstalled = ({ image }: ModelFile, size = 0) => images[image].needs.length > 0 && size > 0;

export const noInstalling = `its ${installed} is not empty: SageMaker would run pip, and the model has no network`;

/** The golden requests of an archive that has been checked. @throws when they are none */
export async function goldenOf(archive: string, { golden }: ModelFile): Promise<Golden & { readonly text: string }> {
  const text = (await textsIn(archive, [golden])).get(golden) ?? "";
  return { ...parseGolden(text, `${golden} of ${archive}`), text };
}
