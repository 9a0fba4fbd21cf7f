import { chmodSync, mkdirSync } from "node:fs";

/** Makes a folder that nobody but its owner may enter, also of one that is there. @throws where it is another user's */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  try {
    chmodSync(path, 0o700);
  } catch (cause) {
    throw new Error(`${path} is another user's, and what a run keeps is for its own user alone`, { cause });
  }
}
