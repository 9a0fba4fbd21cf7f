/** How long something takes or took, in the largest unit that says enough: 42 s, 3 min, 5 h, 2 days. */
export function durationOf(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** How long before `now` a moment was. Both are moments, so that no time zone matters. */
export function agoOf(moment: string, now: string): string {
  const seconds = Math.max(0, (Date.parse(now) - Date.parse(moment)) / 1000);
  return seconds < 5 ? "just now" : `${durationOf(seconds)} ago`;
}
