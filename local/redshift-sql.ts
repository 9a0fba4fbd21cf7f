import { AwsError } from "./stand-in";

/**
 * What PostgreSQL's SQL has and Redshift's has not:
 * https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html,
 * https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html,
 * https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html, without those that the leader
 * node runs all the same; and clauses that are not in the syntax of
 * https://docs.aws.amazon.com/redshift/latest/dg/r_SELECT_synopsis.html and
 * https://docs.aws.amazon.com/redshift/latest/dg/r_INSERT_30.html.
 */
const notOfRedshift: Readonly<Record<string, RegExp>> = {
  indexes: /\bCREATE\s+(UNIQUE\s+)?INDEX\b/i,
  triggers: /\bCREATE\s+(CONSTRAINT\s+)?TRIGGER\b/i,
  sequences: /\bCREATE\s+SEQUENCE\b|\bnextval\s*\(/i,
  "tablespaces, inheritance and partitions": /\b(TABLESPACE|INHERITS)\b|\bPARTITION\s+(OF|BY\s+(RANGE|LIST|HASH))\b/i,
  "constraints that are checked": /\b(CHECK|EXCLUDE)\s*\(/i,
  arrays: /\bARRAY\s*\[|\w\[\d*\]/i,
  "constructors of rows": /\bROW\s*\(/i,
  "VALUES as a table": /\(\s*VALUES\b/i,
  "such types":
    /\bAS\s+(JSONB?|UUID|BYTEA|MONEY|XML|INET)\s*\)|::\s*(JSONB?|UUID|BYTEA|MONEY|XML|INET)\b|\w\s+(JSONB|UUID|BYTEA|(BIG|SMALL)?SERIAL)\b/i,
  "such functions":
    /\b(STRING_AGG|ARRAY_AGG|EVERY|XMLAGG|CORR|COVAR_(POP|SAMP)|REGR_\w+|JUSTIFY_\w+|SETSEED|WIDTH_BUCKET|REGEXP_(MATCHES|SPLIT_TO_\w+))\s*\(/i,
  "IS DISTINCT FROM": /\bIS\s+(NOT\s+)?DISTINCT\s+FROM\b/i,
  "ON CONFLICT": /\bON\s+CONFLICT\b/i,
  RETURNING: /\bRETURNING\b/i,
  "DISTINCT ON": /\bDISTINCT\s+ON\b/i,
  LATERAL: /\bLATERAL\b/i,
  "FILTER of an aggregate": /\bFILTER\s*\(/i,
  "FOR UPDATE": /\bFOR\s+(UPDATE|SHARE|NO\s+KEY)\b/i,
};

/** Text, names in quotes and comments: what they hold is no SQL. The body of a procedure, between dollars, is. */
const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*.*?\*\//gs;

/**
 * A statement for Redshift as PostgreSQL takes it. What Redshift's SQL has and PostgreSQL's has not, of all that this
 * project sends, is put otherwise; everything else goes on unchanged.
 * @throws ValidationException when it holds what Redshift does not know
 */
export function toPostgres(sql: string): string {
  const bare = sql.replaceAll(quoted, "''");
  const unknown = Object.entries(notOfRedshift).flatMap(([name, pattern]) => {
    const [found] = pattern.exec(bare) ?? [];
    return found === undefined ? [] : `Redshift has no ${name}: ${found}`;
  });
  if (unknown.length > 0) throw new AwsError("ValidationException", 400, unknown.join("; "));
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
