import { Presets, SingleBar } from "cli-progress";
import { whole } from "./numbers";
import { drawingOn } from "./printing";

/** How far something is. */
export interface Progress {
  update(done: number): void;
  /** Ends it; what has been said stays. */
  stop(): void;
}

const seconds = (since: number) => (performance.now() - since) / 1000;

/**
 * Says on standard error how far something is, how fast it goes and how long it will take: a bar on a terminal, else a
 * line whenever another tenth is done, or every ten seconds where the total is not known.
 * @param what what is counted: `requests`
 * @param total how many there are @default it is not known
 * @param already how many of them were done before
 */
export function progressOf(what: string, total?: number, already = 0): Progress {
  const started = performance.now();
  const rateAt = (done: number) => (done - already) / Math.max(seconds(started), 0.001);
  const leftAt = (done: number) =>
    total !== undefined && done > already ? Math.ceil((total - done) / rateAt(done)) : 0;
  if (process.stderr.isTTY) {
    const counts = total === undefined ? "{value}" : "{bar} {value}/{total}";
    const left = total === undefined ? "" : ", {left} s left";
    const format = `${counts} ${what}, {rate}/s${left}`;
    const stream = drawingOn(process.stderr);
    const bar = new SingleBar({ format, stream, hideCursor: true, stopOnComplete: false }, Presets.shades_classic);
    const figuresAt = (done: number) => ({ rate: whole(rateAt(done)), left: whole(leftAt(done)) });
    bar.start(total ?? 0, already, figuresAt(already));
    return { update: (done) => bar.update(done, figuresAt(done)), stop: () => bar.stop() };
  }
  let told = already;
  let toldAt = started;
  const isNews = (done: number) =>
    total === undefined ? seconds(toldAt) >= 10 : done === total || done - told >= total / 10;
  return {
    update: (done) => {
      if (done === told || !isNews(done)) return;
      [told, toldAt] = [done, performance.now()];
      const of = total === undefined ? "" : ` of ${whole(total)}`;
      const left = done === total || total === undefined ? "" : `, ${whole(leftAt(done))} s left`;
      console.error(`${whole(done)}${of} ${what}, ${whole(rateAt(done))}/s${left}`);
    },
    stop: () => {},
  };
}
