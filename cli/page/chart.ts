import { html, type Markup } from "./html";

/** A chart of bars over time. */
export interface BarChart {
  readonly id: string;
  readonly title: string;
  /** What it shows, for who does not see it. */
  readonly description: string;
  /** Each with what is said of it. */
  readonly bars: readonly { readonly value: number; readonly said: string }[];
  /** What stands below the first bar and below the last. */
  readonly ends: readonly string[];
  /** How a value stands at the axis. */
  readonly show: (value: number) => string;
}

const [width, height, left, top, bottom] = [600, 200, 60, 10, 26];

/** Round values from 0 up to one that is no less than the largest. */
function ticksTo(largest: number): number[] {
  const rough = (largest || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil((largest || 1) / step) + 1 }, (_, place) => place * step);
}

/** The chart as SVG, in the colours of the page. */
export function barChart({ id, title, description, bars, ends, show }: BarChart): Markup {
  const ticks = ticksTo(Math.max(...bars.map(({ value }) => value)));
  const yOf = (value: number) => top + (height - top - bottom) * (1 - value / (ticks.at(-1) ?? 1));
  const barWidth = Math.min((width - left) / bars.length, 48);
  const grid = ticks.map((tick) => {
    const y = yOf(tick).toFixed(1);
    return html`<line x1="${left}" x2="${width}" y1="${y}" y2="${y}"/><text x="${left - 6}" y="${y}" dy="4" text-anchor="end">${show(tick)}</text>`;
  });
  const rects = bars.map(({ value, said }, place) => {
    const y = yOf(value);
    return html`<rect class="now" x="${(left + place * barWidth + barWidth * 0.1).toFixed(1)}" y="${y.toFixed(1)}" width="${(barWidth * 0.8).toFixed(1)}" height="${(height - bottom - y).toFixed(1)}"><title>${said}</title></rect>`;
  });
  return html`<figure><figcaption>${title}</figcaption><svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-description">
<title id="${id}-title">${title}</title><desc id="${id}-description">${description}</desc>
${grid}${rects}
<text x="${left}" y="${height - 4}">${ends[0]}</text><text x="${Math.max(left + bars.length * barWidth, left + 150)}" y="${height - 4}" text-anchor="end">${ends[1]}</text>
</svg></figure>`;
}

/** Two shares as bars, one below the other: what stands beside them says the same. */
export function shareBars(now: number, before: number | undefined): Markup {
  const bar = (share: number, y: number, name: string) =>
    html`<rect class="${name}" x="0" y="${y}" width="${(200 * share).toFixed(1)}" height="7" rx="1"/>`;
  return html`<svg viewBox="0 0 200 16" aria-hidden="true">${bar(now, 0, "now")}${before === undefined ? "" : bar(before, 8, "before")}</svg>`;
}
