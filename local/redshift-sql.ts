import { AwsError } from "./stand-in";

/** What Redshift's SQL has and PostgreSQL's has not, of all that this project sends. Everything else goes on unchanged. */
export function toPostgres(sql: string): string {
  const statement = sql
    .replaceAll(" WITH PASSWORD DISABLE", "")
    .replaceAll("WITH NO SCHEMA BINDING", "")
    .replaceAll(/\)(?: DISTKEY\(\w+\)| DISTSTYLE ALL)? SORTKEY\(\w+\)/g, ")")
    .replaceAll(/\bTRY_CAST\(((?:(?!\bTRY_CAST\b).)+?) AS DOUBLE PRECISION\)/gs, "try_cast_double($1)");
  const [, role, member, command] = grantAssumeRole.exec(statement) ?? [];
  if (role !== undefined && member !== undefined)
    return `INSERT INTO stand_in.assume_role VALUES ('${role}', '${member}', '${command}') ON CONFLICT DO NOTHING`;
  if (statement.trim() === "REVOKE ASSUMEROLE ON ALL FROM PUBLIC FOR ALL")
    return "DELETE FROM stand_in.assume_role WHERE member = 0::OID";
  if (!/^\s*CREATE\s+(TEMP\s+)?TABLE\b/i.test(statement)) return statement;
  // A VARCHAR's length is in bytes at Redshift, in characters at PostgreSQL.
  return statement.replace(
    /("?)\b(\w+)\1\s+VARCHAR\s*\((\d+)\)/gi,
    (column, quote, name, bytes) => `${column} CHECK (octet_length(${quote}${name}${quote}) <= ${bytes})`,
  );
}

const grantAssumeRole = /^\s*GRANT ASSUMEROLE ON '([^']+)' TO ("[^"']+"|\w+) FOR (COPY|UNLOAD)\s*$/;

/**
 * PostgreSQL's index that stands for a table's sort key. There is none for another column, by which Redshift reads all
 * rows, and none for a temporary table.
 * @returns undefined where the statement makes no such table
 */
export function sortKeyIndex(sql: string): string | undefined {
  const [, table, column] = /^\s*CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(.*\).* SORTKEY\((\w+)\)\s*$/s.exec(sql) ?? [];
  return table && column && `CREATE INDEX IF NOT EXISTS ${table}_sort_key ON ${table} (${column})`;
}

export interface BoundStatement {
  /** The statement with `$1`, `$2` ... in place of `:name`. */
  readonly sql: string;
  readonly values: string[];
}

/**
 * Puts a request's parameters into its statements, as PostgreSQL takes them.
 * @throws ValidationException when a statement names a parameter that is not given, or none uses one that is.
 */
export function bindParameters(sqls: string[], parameters: Map<string, string>): BoundStatement[] {
  const unused = new Set(parameters.keys());
  const bound = sqls.map((sql) => {
    const names: string[] = [];
    const numbered = sql.replace(token, (text, _tag, name?: string) => {
      if (name === undefined) return text;
      if (!parameters.has(name)) throw new AwsError("ValidationException", 400, `Cannot find parameter: ${name}`);
      unused.delete(name);
      if (!names.includes(name)) names.push(name);
      return `$${names.indexOf(name) + 1}`;
    });
    return { sql: numbered, values: names.map((name) => parameters.get(name) ?? "") };
  });
  if (unused.size > 0) {
    const names = [...unused].join(", ");
    throw new AwsError(
      "ValidationException",
      400,
      `Parameters list contains unused parameters. Unused parameters: [${names}]`,
    );
  }
  return bound;
}

/** Everything that may hold a colon and is no parameter (text, names, comments, casts), or a parameter's `name`. */
const token =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*.*?\*\/|\$(?<tag>\w*)\$.*?\$\k<tag>\$|::|:(?<name>[A-Za-z_]\w*)/gs;
