import { readFileSync } from "node:fs";
import { join } from "node:path";

const recorded = (stack: string) =>
  readFileSync(join("__tests__", "fixtures", "addresses", `${stack}.txt`), "utf8")
    .trim()
    .split("\n");

/**
 * What is wrong with the addresses of a stack, by those that it is known to have: one that is gone is destroyed by the
 * next deployment, unless the moved table says where it went.
 */
export function addressFaults(stack: string, addresses: readonly string[], moved: Readonly<Record<string, string>>) {
  const known = recorded(stack);
  const file = `__tests__/fixtures/addresses/${stack}.txt`;
  const gone = known.filter((address) => !addresses.includes(address) && !(address in moved));
  const added = addresses.filter((address) => !known.includes(address));
  return [
    ...gone.map((address) => `${address}: this replaces ${address}; add it to the moved table (stacks/moved.ts)`),
    ...added.map((address) => `${address}: new; add it to ${file}, so that nobody renames it unnoticed`),
  ];
}
