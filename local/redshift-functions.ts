import { escapeIdentifier } from "pg";

/**
 * The functions of Redshift's that this project uses and PostgreSQL has not, or has otherwise. They do what Redshift's
 * documentation says:
 * https://docs.aws.amazon.com/redshift/latest/dg/JSON_EXTRACT_PATH_TEXT.html,
 * https://docs.aws.amazon.com/redshift/latest/dg/JSON_EXTRACT_ARRAY_ELEMENT_TEXT.html,
 * https://docs.aws.amazon.com/redshift/latest/dg/r_TRY_CAST.html.
 */

/** The most path elements of JSON_EXTRACT_PATH_TEXT. */
const depths = [1, 2, 3, 4, 5];

/**
 * What is found in a JSON text by a path. What PostgreSQL cannot read is no JSON, whyever it cannot. A list has no place before its
 * first.
 */
const jsonAt = `CREATE OR REPLACE FUNCTION redshift_json_at(value TEXT, path TEXT[], is_list BOOLEAN, null_if_invalid BOOLEAN)
RETURNS TEXT AS $$
BEGIN
  IF octet_length(value) > 65535 THEN
    RAISE EXCEPTION 'the JSON is larger than 64 KB';
  END IF;
  IF array_position(path, NULL) IS NOT NULL OR is_list AND path[1] LIKE '-%' THEN
    RETURN NULL;
  END IF;
  BEGIN
    IF is_list AND json_typeof(value::JSON) <> 'array' THEN
      RAISE EXCEPTION 'no list';
    END IF;
    RETURN value::JSON #>> path;
  EXCEPTION WHEN OTHERS THEN
    IF null_if_invalid THEN
      RETURN NULL;
    END IF;
    RAISE EXCEPTION 'JSON parsing error';
  END;
END
$$ LANGUAGE plpgsql IMMUTABLE`;

/** A function of a JSON text, with and without its argument `null_if_invalid`. */
const ofJson = (name: string, types: readonly string[], body: (nullIfInvalid: string) => string) =>
  [["BOOLEAN"], []].map((last) => {
    const parameters = ["TEXT", ...types, ...last].join(", ");
    const nullIfInvalid = last.length > 0 ? `$${types.length + 2}` : "FALSE";
    return `CREATE OR REPLACE FUNCTION ${name}(${parameters}) RETURNS TEXT AS $$ SELECT ${body(nullIfInvalid)} $$ LANGUAGE sql IMMUTABLE`;
  });

/** The statements that make them, which may run again. */
export const redshiftFunctions: readonly string[] = [
  jsonAt,
  ...depths.flatMap((depth) => {
    const path = Array.from({ length: depth }, (_, place) => `$${place + 2}`).join(", ");
    const types = Array.from({ length: depth }, () => "TEXT");
    return ofJson("json_extract_path_text", types, (last) => `redshift_json_at($1, ARRAY[${path}], FALSE, ${last})`);
  }),
  ...ofJson(
    "json_extract_array_element_text",
    ["INT"],
    (last) => `redshift_json_at($1, ARRAY[$2::TEXT], TRUE, ${last})`,
  ),
  `CREATE OR REPLACE FUNCTION try_cast_double(value TEXT) RETURNS DOUBLE PRECISION AS $$
BEGIN
  IF btrim(value) = '' THEN
    RAISE EXCEPTION 'TRY_CAST takes no blank text';
  END IF;
  RETURN CASE WHEN pg_input_is_valid(value, 'double precision') THEN value::DOUBLE PRECISION END;
END
$$ LANGUAGE plpgsql IMMUTABLE`,
];

/**
 * What of Redshift's own tables this project reads, and what the stand-in keeps for itself: who may take on which role of
 * the cluster's. Until it is revoked, everybody may
 * (https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html#r_GRANT-usage-notes-assumerole). A user sees
 * the errors of its own loads, and the administrator all of them
 * (https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html). The statements may run again.
 */
export const redshiftCatalog: readonly string[] = [
  `DO $$ BEGIN
IF to_regnamespace('stand_in') IS NULL THEN
  CREATE SCHEMA stand_in;
  CREATE TABLE stand_in.assume_role (role TEXT, member REGROLE, command TEXT, PRIMARY KEY (role, member, command));
  INSERT INTO stand_in.assume_role VALUES ('ALL', 0, 'ALL');
  CREATE TABLE stand_in.load_errors (
    usename NAME, table_name CHAR(130), file_name CHAR(256), error_message CHAR(512), start_time TIMESTAMP
  );
  CREATE VIEW public.sys_load_error_detail AS SELECT table_name, file_name, error_message, start_time
  FROM stand_in.load_errors
  WHERE usename = CURRENT_USER OR pg_has_role('pg_read_all_data', 'MEMBER');
  GRANT SELECT ON public.sys_load_error_detail TO PUBLIC;
END IF;
END $$`,
];

/**
 * Makes the cluster's administrator, and gives it the database. It may do to users, tables and rows what Redshift's
 * superuser may, and has nothing of PostgreSQL's, who runs programs and reads files. Everybody may make tables in the
 * schema public (https://docs.aws.amazon.com/redshift/latest/dg/r_Schemas_and_tables.html). The statements may run again.
 */
export const createMasterUser = (name: string, database: string): readonly string[] => [
  `DO $$ BEGIN
CREATE ROLE ${escapeIdentifier(name)} LOGIN CREATEROLE IN ROLE pg_read_all_data, pg_write_all_data;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- the users of all databases are shared
END $$`,
  `ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${escapeIdentifier(name)}`,
  "GRANT CREATE ON SCHEMA public TO PUBLIC",
];
