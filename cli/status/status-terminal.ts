import { ownEscape } from "../shared/printing";

/** A screen of its own on the terminal that standard output is. */
export interface LiveScreen {
  /** Shows lines in the place of those before; as many as fit, and always the last one. */
  show(lines: readonly string[], last: string): void;
  /** Gives the terminal back as it was, and leaves there what was shown last. */
  stop(): void;
}

/** https://invisible-island.net/xterm/ctlseqs/ctlseqs.html */
const sequence = (text: string) => `${ownEscape()}[${text}`;

/** Opens it. However the process ends, but by SIGKILL, the terminal is given back. */
export function liveScreen(): LiveScreen {
  let shown: readonly string[] = [];
  let open = true;
  const write = (text: string) => process.stdout.write(text); // a terminal has it even where the process is about to end
  const otherScreen = { on: sequence("?1049h"), off: sequence("?1049l") };
  const cursor = { off: sequence("?25l"), on: sequence("?25h"), home: sequence("H") };
  const clear = { restOfLine: sequence("K"), restOfScreen: sequence("J") };
  write(otherScreen.on + cursor.off);
  const giveBack = () => {
    if (!open) return;
    open = false;
    write(cursor.on + otherScreen.off + shown.map((line) => `${line}\n`).join(""));
  };
  process.once("exit", giveBack);
  return {
    show: (lines, last) => {
      shown = lines;
      const fitting = lines.slice(0, Math.max(0, (process.stdout.rows || 24) - 2));
      const drawn = [...fitting, "", last].map((line) => line + clear.restOfLine);
      write(cursor.home + drawn.join("\r\n") + clear.restOfScreen);
    },
    stop: () => {
      giveBack();
      process.off("exit", giveBack);
    },
  };
}
