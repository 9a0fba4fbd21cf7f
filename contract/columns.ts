import * as z from "zod";

/** A column of a table of the warehouse. */
export interface Column {
  readonly name: string;
  /** A time is a TIMESTAMP in UTC. A text is a VARCHAR, which Redshift counts in UTF-8 bytes. */
  readonly type: "text" | "time" | "number";
  /** The most that a value takes as text, in UTF-8 bytes. */
  readonly maxBytes: number;
  readonly optional?: boolean;
}

const sqlType = ({ type, maxBytes }: Column) =>
  type === "time" ? "TIMESTAMP" : type === "number" ? "BIGINT" : `VARCHAR(${maxBytes})`;

/** The names of columns, as an INSERT and a SELECT list them. */
export const listOf = (columns: readonly Column[]): string => columns.map(({ name }) => name).join(", ");

/** Columns as CREATE TABLE defines them. */
export const definitionsOf = (columns: readonly Column[]): string =>
  columns.map((column) => `  ${column.name} ${sqlType(column)}${column.optional ? "" : " NOT NULL"}`).join(",\n");

/** A time in UTC, as Redshift and PostgreSQL read it. */
export const timestamp = (date: Date) => date.toISOString().replace("T", " ").replace("Z", "");

/** A time of the warehouse as the Data API hands it out in {@link timeField}. */
export const inUtc = (expression: string) => `TO_CHAR(${expression}, 'YYYY-MM-DD HH24:MI:SS.MS')`;

/** A time that {@link inUtc} wrote. */
export const timeOf = (text: string) => new Date(`${text.replace(" ", "T")}Z`);

export const textField = z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue);
export const timeField = textField.transform(timeOf).pipe(z.date());
export const nothing = z.object({ isNull: z.literal(true) }).transform(() => undefined);
export const countField = z.object({ longValue: z.number() }).transform(({ longValue }) => longValue);
