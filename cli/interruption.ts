import { constants } from "node:os";

/** Why a command ends before it is done: it was told to. Its exit code is the one that a shell gives for the signal. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`);
    this.exitCode = 128 + constants.signals[signal];
  }
}
