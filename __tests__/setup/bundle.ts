import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A function's bundle whose handler has this body, which sees `event`, `context` and `require`. */
export function bundleOf(handlerBody: string): string {
  const file = join(mkdtempSync(join(tmpdir(), "offline-inference-function-")), "index.cjs");
  writeFileSync(file, `exports.handler = async (event, context) => {\n${handlerBody}\n};\n`);
  return file;
}
