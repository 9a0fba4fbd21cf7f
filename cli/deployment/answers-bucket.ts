import { ListObjectVersionsCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { folders, parseStagedKey } from "../../contract/answers-bucket";
import { outcomeVersion } from "../../contract/outcome";
import { clientSettings, type Until } from "../../pipeline/clients";
import { deleteObjects } from "../../pipeline/s3";
import { awsError, namingActions } from "../shared/aws-error";

export interface AnswersBucketProps {
  readonly bucket: string;
  readonly region: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

/** What a folder holds. */
export interface Held {
  readonly objects: number;
  /** When the oldest was written. @default there is none */
  readonly oldest?: Date;
  /** How many a newer version of this project has written. */
  readonly newer: number;
}

const listed = z.array(z.object({ Key: z.string(), LastModified: z.date() }));
const versions = z.array(z.object({ Key: z.string(), VersionId: z.string(), IsLatest: z.boolean() }));
type Version = z.infer<typeof versions>[number];

/** The folders whose objects hold outcomes that are nowhere else. */
const withOutcomes = [folders.staged, folders.rejected];
const isDeletable = ({ Key, IsLatest }: Version) =>
  !(IsLatest && withOutcomes.some((folder) => Key.startsWith(folder)));

/** The answers bucket of a deployed stack. A bucket that does not exist holds nothing. */
export class AnswersBucket {
  readonly name: string;
  private readonly client: S3Client;

  constructor({ bucket, region, profile }: AnswersBucketProps) {
    this.name = bucket;
    this.client = namingActions(new S3Client({ ...clientSettings({ requestTimeout: 30_000 }), region, profile }));
  }

  /** What a folder holds now, without old versions. */
  async look(folder: string, { signal }: Until): Promise<Held> {
    let [objects, newer, oldest]: [number, number, Date | undefined] = [0, 0, undefined];
    await this.trying(`list s3://${this.name}/${folder}`, signal, async () => {
      const input = { Bucket: this.name, Prefix: folder };
      const pages = paginateListObjectsV2({ client: this.client }, input, { abortSignal: signal });
      for await (const { Contents = [] } of pages) {
        for (const { Key, LastModified } of listed.parse(Contents)) {
          objects++;
          if ((parseStagedKey(Key)?.version ?? 0) > outcomeVersion) newer++;
          if (oldest === undefined || LastModified < oldest) oldest = LastModified;
        }
      }
    });
    return { objects, newer, oldest };
  }

  /** How many folders there are in one. */
  async foldersIn(folder: string, { signal }: Until): Promise<number> {
    const names = new Set<string>();
    await this.trying(`list s3://${this.name}/${folder}`, signal, async () => {
      const input = { Bucket: this.name, Prefix: folder };
      const pages = paginateListObjectsV2({ client: this.client }, input, { abortSignal: signal });
      for await (const { Contents = [] } of pages) {
        for (const { Key } of listed.parse(Contents)) names.add(Key.slice(folder.length).split("/", 1)[0] ?? "");
      }
    });
    return names.size;
  }

  /**
   * Deletes all objects with all their versions for good, but for those that hold outcomes which are not loaded.
   * @param tell told how many are deleted so far
   * @throws where one stays that is to be deleted
   */
  async empty(tell: (count: number) => void, { signal }: Until): Promise<void> {
    let count = 0;
    await this.trying(`empty the bucket ${this.name}`, signal, async () => {
      // What a marker hides would be there again without it: the markers go last.
      for (const list of ["Versions", "DeleteMarkers"] as const) {
        for await (const page of this.versions(signal)) {
          const found = versions.parse(page[list] ?? []).filter((one) => list === "DeleteMarkers" || isDeletable(one));
          if (found.length === 0) continue;
          await deleteObjects(this.client, this.name, found, { signal });
          count += found.length;
          tell(count);
        }
      }
    });
  }

  /** All versions of all objects, and what marks them as deleted, in pages. */
  private async *versions(abortSignal: AbortSignal) {
    for (let next: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {}; next !== undefined; ) {
      const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({ Bucket: this.name, ...next });
      const { IsTruncated, NextKeyMarker, NextVersionIdMarker, ...page } = await this.client.send(command, {
        abortSignal,
      });
      yield page;
      next = IsTruncated ? { KeyMarker: NextKeyMarker, VersionIdMarker: NextVersionIdMarker } : undefined;
    }
  }

  private async trying(doing: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Error && error.name === "NoSuchBucket") return;
      throw awsError(doing, error);
    }
  }

  /** Ends its connections. */
  close(): void {
    this.client.destroy();
  }
}
