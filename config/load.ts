import { writtenKeyPairs } from "./key-pairs";
import { writtenPauses } from "./paused";
import { writtenReleases } from "./releases";
import { type Config, readConfig, type Settings } from "./schema";

/**
 * What reads a team's configuration, checked and with its defaults.
 * @param ours what the team's config.ts says
 */
export const loaderOf =
  (ours: Settings) =>
  /**
   * @param takeOver environments to read as if their `takeOver` were set
   * @param releases what is released @default what releases.json says, of the team's settings alone
   * @param keyPairs public keys by environment @default what key-pairs.json says, of the team's settings alone
   * @param pauses the environments that are paused @default what paused.json says, of the team's settings alone
   * @throws ConfigError with every fault there is
   */
  (
    settings: unknown = ours,
    usual: Record<string, string | undefined> = process.env,
    takeOver: readonly string[] = [],
    releases: unknown = settings === ours ? writtenReleases() : {},
    keyPairs: unknown = settings === ours ? writtenKeyPairs() : {},
    pauses: unknown = settings === ours ? writtenPauses() : {},
  ): Config =>
    readConfig(settings, usual, takeOver, releases, keyPairs, pauses);
