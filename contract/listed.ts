/**
 * Names as a sentence lists them: the first of many, and how many more there are.
 * @param shown the most that are listed
 * @param written a number, for people @default its digits
 */
export function listed(names: readonly string[], shown: number, written: (count: number) => string = String): string {
  const rest = names.length - shown;
  return names.slice(0, shown).join(", ") + (rest > 0 ? ` and ${written(rest)} more` : "");
}
