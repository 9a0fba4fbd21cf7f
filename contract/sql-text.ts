/**
 * A text as an expression of SQL, for where no parameter can stand. A quote, a backslash (which Redshift may take to
 * escape something), a colon (which the Data API may take to begin a parameter) and a dollar (which may end the body of
 * a procedure) are not in any literal of it.
 */
export const textExpression = (text: string): string =>
  `(${text
    .split(/(['\\:$])/)
    .map((part) => (/^['\\:$]$/.test(part) ? `CHR(${part.charCodeAt(0)})` : `'${part}'`))
    .join(" || ")})`;

/** The name of a column as it stands in SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
