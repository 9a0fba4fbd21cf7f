import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../cli/shared/findings";
import { checkoutOf, logOf, type RunRecord, type StepRecord, writeRecord } from "./record";
import { endOf, type Ran, runProgram } from "./run-commands";
import type { Step } from "./steps";

/**
 * How long is looked for what takes its time: a cold start, a load, IAM's new roles, and half an hour to the last delivery of
 * a failure.
 */
const patience = { milliseconds: 35 * 60_000, between: 5_000 };

interface StepsOptions {
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** Does the steps of a run until one fails, and records each. @returns the record, and whether one failed */
export async function runSteps(run: RunRecord, steps: readonly Step[], { signal, tell }: StepsOptions) {
  let record = run;
  for (const step of steps) {
    signal.throwIfAborted();
    if (step.makes !== undefined) {
      record = { ...record, made: [...record.made, step.makes] };
      writeRecord(record);
    }
    const result = await runStep(record.name, step, signal);
    record = { ...record, steps: [...record.steps, result] };
    writeRecord(record);
    const { passed, seconds, fault, proves } = result;
    tell(`${passed ? "✔" : "✖"} ${step.name} (${seconds} s)${proves.length > 0 ? ` [${proves.join(", ")}]` : ""}`);
    if (fault === undefined) continue;
    signal.throwIfAborted();
    tell(fault);
    return { ...record, failed: true };
  }
  return { ...record, failed: false };
}

async function runStep(name: string, step: Step, signal: AbortSignal): Promise<StepRecord> {
  const begin = Date.now();
  for (;;) {
    const { fault, shown } = await tryStep(name, step, signal);
    const seconds = Math.round((Date.now() - begin) / 1_000);
    if (fault === undefined) return { name: step.name, passed: true, seconds, proves: [...step.proves, ...shown] };
    if (!step.waits || signal.aborted || Date.now() - begin > patience.milliseconds) {
      return { name: step.name, passed: false, seconds, proves: [], fault };
    }
    await setTimeout(patience.between, undefined, { signal });
  }
}

/** What is wrong with a step, or else what it shows beside what it proves. */
async function tryStep(name: string, step: Step, signal: AbortSignal) {
  const folder = checkoutOf(name);
  const options = { folder, log: logOf(name), asks: step.asks === true, signal };
  const ran: readonly Ran[] = await Promise.all(
    step.commands.map(({ args, afterSeconds }) => runProgram(args, { ...options, afterSeconds })),
  );
  const failed = ran.find(({ status }) => status !== 0);
  if (failed) return { fault: `It ended with ${failed.status}:\n${endOf(failed)}`, shown: [] };
  try {
    return { fault: step.fault?.(ran, folder), shown: step.shows?.(ran) ?? [] };
  } catch (error) {
    return { fault: messageOf(error), shown: [] };
  }
}
