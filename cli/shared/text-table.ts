/** What takes two places at a terminal: East Asian wide characters, and emoji. */
const wide =
  /\p{Emoji_Presentation}|\u{FE0F}|[\u{1100}-\u{115F}\u{2E80}-\u{303E}\u{3041}-\u{4DBF}\u{4E00}-\u{A4CF}\u{A960}-\u{A97F}\u{AC00}-\u{D7A3}\u{F900}-\u{FAFF}\u{FE30}-\u{FE6F}\u{FF00}-\u{FF60}\u{FFE0}-\u{FFE6}\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;
const segmenter = new Intl.Segmenter("en");
const gap = "  ";
/** The least places that a column is shown in. */
const narrowest = 6;

const graphemesOf = (text: string) => [...segmenter.segment(text)].map(({ segment }) => segment);
const placesOf = (grapheme: string) => (wide.test(grapheme) ? 2 : 1);

/** How many places of a terminal a text takes. */
export const widthOf = (text: string) => graphemesOf(text).reduce((sum, grapheme) => sum + placesOf(grapheme), 0);

/** A text in so many places, filled up with spaces; what does not fit ends with `…`. */
export function inPlaces(given: string, places: number): string {
  const line = given.slice(0, 8 * places); // a text may be huge
  const isCut = given.length > 8 * places || widthOf(line) > places;
  let text = "";
  let used = 0;
  for (const grapheme of graphemesOf(line)) {
    if (used + placesOf(grapheme) > (isCut ? places - 1 : places)) break;
    text += grapheme;
    used += placesOf(grapheme);
  }
  if (!isCut) return text + " ".repeat(places - used);
  return `${text}…${" ".repeat(places - used - 1)}`;
}

/** A cell in one line, of so many characters at most: what does not print becomes a space. */
export const cellOf = (text: string, characters = 1_000) =>
  (text.length > characters ? `${text.slice(0, characters - 1)}…` : text).replace(/[\p{C}\s]+/gu, " ");

/** How many places a line on standard output has; where it is no terminal, COLUMNS says. */
export const terminalWidth = () => process.stdout.columns || Number(process.env.COLUMNS) || 140;

/**
 * How the rows of a table are written, a line a row, so that none is wider than the terminal: the widest columns give way first,
 * and where even narrow ones are too many, those in the middle are left out.
 * @param wanted how many places each column would have
 * @param width of the terminal, in places
 * @param last how many columns at the end are never left out
 */
export function tableLayout(head: readonly string[], wanted: readonly number[], width: number, last = 1) {
  const fit = Math.max(last + 2, Math.floor((width + gap.length) / (narrowest + gap.length)));
  const isShown = (place: number) => head.length <= fit || place < fit - last - 1 || place >= head.length - last;
  const pick = <Cell>(cells: readonly Cell[], leftOut: Cell) => {
    const shown = cells.filter((_, place) => isShown(place));
    return head.length <= fit ? shown : [...shown.slice(0, -last), leftOut, ...shown.slice(-last)];
  };
  const widths = pick(wanted, 1).map((places) => Math.min(width, places));
  const room = width - gap.length * (widths.length - 1);
  while (widths.reduce((sum, one) => sum + one, 0) > room && Math.max(...widths) > 1) {
    widths[widths.indexOf(Math.max(...widths))] = Math.max(...widths) - 1;
  }
  return (cells: readonly string[]): string =>
    pick(cells, "…")
      .map((cell, place) => inPlaces(cellOf(cell.slice(0, 8 * width)), widths[place] ?? 0))
      .join(gap)
      .trimEnd();
}

/** A table of rows that are all known, in which a column is as wide as what it holds. Further as {@link tableLayout}. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width = terminalWidth(),
  last = 1,
) {
  const places = (cell = "") => Math.min(width, widthOf(cellOf(cell.slice(0, 8 * width))));
  const wanted = head.map((title, place) => Math.max(places(title), ...rows.map((cells) => places(cells[place]))));
  return [head, ...rows].map(tableLayout(head, wanted, width, last)).join("\n");
}
