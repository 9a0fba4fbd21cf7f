import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Markup that is ready. All other texts are data, and are escaped where they stand in it. */
export class Markup {
  constructor(readonly text: string) {}
}

/** What stands in markup: data, more markup, or nothing. */
type Part = Markup | string | number | undefined | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const textOf = (part: Part): string => {
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(textOf).join("");
  return String(part ?? "").replace(/[&<>"']/g, (character) => entities[character] ?? "");
};

/** Markup with values in it, which are never taken for markup. An attribute's value must stand in quotes. */
export const html = (strings: TemplateStringsArray, ...values: readonly Part[]): Markup =>
  new Markup(String.raw({ raw: strings.raw }, ...values.map(textOf)));

/** A value as JSON in a script that is data: nothing in it ends the script, begins a comment, or ends a line. */
const dataOf = (value: unknown) =>
  JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** A file that pages are made of: it lies beside this one, and beside the bundle of the program. */
const fileOf = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

const sourceOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

export interface PageOptions {
  readonly title: string;
  /** Files of this folder, the look of all pages first. */
  readonly styles: readonly string[];
  /** A file of this folder. */
  readonly script: string;
  /** What the script finds in the element `data`, as JSON. */
  readonly data: unknown;
  readonly body: Markup;
}

/** A page that needs nothing from elsewhere, and whose browser loads and runs nothing but what it was written with. */
export function pageOf({ title, styles, script, data, body }: PageOptions): string {
  const style = styles.map(fileOf).join("\n");
  const code = fileOf(script);
  const policy = `default-src 'none'; style-src ${sourceOf(style)}; script-src ${sourceOf(code)}; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
${body}
<script type="application/json" id="data">${new Markup(dataOf(data))}</script>
<script>${new Markup(code)}</script>
</body>
</html>
`.text;
}
