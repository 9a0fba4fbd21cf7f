import { Presets, SingleBar } from "cli-progress";
import { hoursAndMinutes, whole } from "./numbers";
import { drawingOn } from "./printing";

/** How far something is. */
export interface Progress {
  update(done: number): void;
  /** Ends it; what has been said stays. */
  stop(): void;
}

const seconds = (since: number) => (performance.now() - since) / 1000;

/** How long something still takes and, where that is more than a minute, when it ends: `~2 h 19 min, at 14:05`. */
export function leftInWords(seconds: number, now = new Date()): string {
  if (seconds < 60) return `~${Math.ceil(seconds)} s`;
  const end = new Date(now.getTime() + 1_000 * seconds);
  const time = end.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const isToday = end.toDateString() === now.toDateString();
  const day = isToday ? "" : ` on ${end.toLocaleDateString("en", { month: "short", day: "numeric" })}`;
  return `~${hoursAndMinutes(seconds)}, at ${time}${day}`;
}

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
    total === undefined || done <= already || done >= total ? "" : `, ${leftInWords((total - done) / rateAt(done))}`;
  if (process.stderr.isTTY) {
    const counts = total === undefined ? "{count}" : `{bar} {count}/${whole(total)}`;
    const format = `${counts} ${what}, {rate}/s{left}`;
    const stream = drawingOn(process.stderr);
    const bar = new SingleBar({ format, stream, hideCursor: true, stopOnComplete: false }, Presets.shades_classic);
    const figuresAt = (done: number) => ({ count: whole(done), rate: whole(rateAt(done)), left: leftAt(done) });
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
      const of = total === undefined ? "" : `/${whole(total)}`;
      console.error(`${whole(done)}${of} ${what}, ${whole(rateAt(done))}/s${leftAt(done)}`);
    },
    stop: () => {},
  };
}
