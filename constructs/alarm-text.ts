/** The text of an alarm: what is the matter, what to do, and the section of the runbook, which has the alarm's name. */
export const alarmText = (matter: string, mend: string, section: string): string =>
  `${matter} ${mend} See docs/runbook.md#${section}`;
