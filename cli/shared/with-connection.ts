import type { Connection } from "./connection";
import type { ConnectionOptions } from "./options";

/**
 * Works with a deployed pipeline until it is told to end. What that needs is loaded here: help is printed without.
 * @returns what the work returns; undefined where it was interrupted
 */
export async function withConnection<Result>(
  options: ConnectionOptions,
  work: (connection: Connection, signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  const { connect } = await import("./connection");
  const { untilInterrupted } = await import("./interruption");
  const connection = await connect(options);
  return untilInterrupted((signal) => work(connection, signal));
}
