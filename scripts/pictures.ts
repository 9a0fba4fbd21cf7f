/**
 * `npm run pictures` makes the pictures of README: a recording of `npm start`, and the report that it writes. Needs Chromium
 * or Chrome.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { startBrowser } from "../__tests__/setup/browser";

const folder = join("docs", "pictures");

interface Line {
  /** When it was printed, since the start. */
  readonly seconds: number;
  readonly text: string;
}

/** Runs a command, and keeps each line that it prints. @throws when it fails */
async function recordingOf(command: string, args: readonly string[]): Promise<Line[]> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const start = performance.now();
  const lines: Line[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (text) =>
      lines.push({ seconds: (performance.now() - start) / 1_000, text }),
    );
  }
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`);
  return lines;
}

const escaped = (text: string) => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** A terminal as a picture in which the lines come up as they did, but for waits of more than a second. */
function terminal(prompt: string, lines: readonly Line[]): string {
  const [lineHeight, columnWidth, margin] = [18, 8, 16];
  const all = [{ seconds: 0, text: prompt }, ...lines];
  const width = Math.max(...all.map(({ text }) => text.length)) * columnWidth + 2 * margin;
  const height = all.length * lineHeight + 2 * margin;
  let at = 0;
  const texts = all.map(({ seconds, text }, place) => {
    at += Math.min(1, seconds - (all[place - 1]?.seconds ?? 0));
    const y = margin + (place + 0.75) * lineHeight;
    return `<text x="${margin}" y="${y}" style="animation-delay:${at.toFixed(2)}s">${escaped(text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(prompt)}">
<style>
  text { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #e6edf3; white-space: pre; opacity: 0; animation: come 0.1s forwards; }
  @keyframes come { to { opacity: 1; } }
  @media (prefers-reduced-motion) { text { opacity: 1; animation: none; } }
</style>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
${texts.join("\n")}
</svg>
`;
}

async function photographed(url: string, file: string): Promise<void> {
  const browser = await startBrowser();
  try {
    const page = await browser.newPage();
    await page.setViewport({ width: 1_000, height: 640 });
    await page.goto(url, { waitUntil: "networkidle0" });
    writeFileSync(file, await page.screenshot());
  } finally {
    await browser.close();
  }
}

(async () => {
  mkdirSync(folder, { recursive: true });
  const command = ["npm", "start", "--silent"] as const;
  const [program, ...args] = command;
  const lines = await recordingOf(program, args);
  writeFileSync(join(folder, "start.svg"), terminal(`$ ${command.join(" ")}`, lines));
  await photographed(pathToFileURL(resolve(".local", "report.html")).href, join(folder, "report.png"));
})().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
