import { isColorSupported } from "picocolors";
import { ownEscape } from "./printing";

/** Whether a stream is a terminal that shows colours. In CI, where picocolors has them on, it is none. */
export const showsColours = ({ isTTY }: { readonly isTTY?: boolean }): boolean => isTTY === true && isColorSupported;

/** What paints a text, or leaves it as it is. */
export function createColors(areOn: boolean) {
  const paint = (on: number, off: number) => (text: string) =>
    areOn ? `${ownEscape()}[${on}m${text}${ownEscape()}[${off}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
  };
}
