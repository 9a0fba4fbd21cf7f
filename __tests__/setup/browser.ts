import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import puppeteer, { type Browser } from "puppeteer-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const onMac = ["Google Chrome", "Chromium"].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`);

/** Where Chromium or Chrome is. @throws when this machine has none */
export function chromium(environment = process.env): string {
  const folders = (environment.PATH ?? "").split(delimiter);
  const given = environment.PUPPETEER_EXECUTABLE_PATH;
  const places =
    given === undefined ? [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...onMac] : [given];
  for (const place of places) {
    try {
      accessSync(place, constants.X_OK);
      return place;
    } catch {}
  }
  throw new Error(
    `There is no ${given ?? "Chromium or Chrome in PATH"}: install one, or set PUPPETEER_EXECUTABLE_PATH to it.`,
  );
}

/** Starts a headless browser that a test closes. It reaches this machine alone. */
export const startBrowser = (): Promise<Browser> =>
  puppeteer.launch({
    executablePath: chromium(),
    // Chromium's sandbox refuses to work for root, which containers run as. It opens nothing but this project's own pages.
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
