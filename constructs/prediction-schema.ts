import {
  type AnswerContract,
  countedAnswers,
  countedBytes,
  countedOutput,
  readingOf,
  sharesView,
} from "../contract/counted-answer";
import { laterColumns } from "../contract/job-table";
import { canaryTables, createTables, tables } from "../contract/load-tables";
import { columnNames, createResults } from "../contract/prediction-table";
import { identifier, textExpression } from "../contract/sql-text";

/**
 * What is made in the warehouse's database at deploy. Each statement may run again at any time, and is valid for
 * Redshift and for PostgreSQL alike but for `PASSWORD DISABLE`, `TRY_CAST`, `NO SCHEMA BINDING`, the keys of tables and
 * `ASSUMEROLE`, which PostgreSQL does not know.
 */

/**
 * Gives the name of the original's results, `prediction_results(id, input_id, output)`, to this project's, and copies
 * their rows. The original kept neither the model nor the time of a prediction; its ids, found as the highest and one
 * more, may be those of several rows. Its own table stays, as `original_prediction_results`.
 */
const createTakeOver = `CREATE OR REPLACE PROCEDURE take_over_results() AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = 'prediction_results' AND column_name = 'id'
  ) THEN
    EXECUTE 'ALTER TABLE prediction_results RENAME TO original_prediction_results';
    EXECUTE '${createResults(tables.results)}';
    EXECUTE 'INSERT INTO prediction_results
      SELECT ''original-'' || CAST(id AS VARCHAR(16)) || ''-''
          || CAST(ROW_NUMBER() OVER (PARTITION BY id ORDER BY input_id, output) AS VARCHAR(16)),
        CAST(input_id AS VARCHAR(1024)), ''original'', output, ''unknown'', ''unknown'', ''original'',
        CAST(''1970-01-01'' AS TIMESTAMP), CAST(''1970-01-01'' AS TIMESTAMP)
      FROM original_prediction_results
      WHERE id IS NOT NULL AND input_id IS NOT NULL AND output IS NOT NULL';
  END IF;
END;
$$ LANGUAGE plpgsql`;

/** Runs it: once it has found the original's table, and never again. */
const takeOverResults = "CALL take_over_results()";

/**
 * Gives the tables of jobs the columns that they did not have at first. Redshift adds one at a time, and has no IF NOT
 * EXISTS for it (https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html).
 */
const createWidenJobs = `CREATE OR REPLACE PROCEDURE widen_jobs() AS $$
BEGIN
${[tables.jobs, canaryTables.jobs].map(widen).join("\n")}
END;
$$ LANGUAGE plpgsql`;

function widen(table: string) {
  const add = laterColumns.map(
    (column) => `    EXECUTE ${textExpression(`ALTER TABLE ${table} ADD COLUMN ${column}`)};`,
  );
  return `  IF NOT EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = '${table}' AND column_name = 'run'
  ) THEN
${add.join("\n")}
  END IF;`;
}

const widenJobs = "CALL widen_jobs()";

const blank = " \t\r\n";
const csvField = ',("[^"]*(""[^"]*)*"|[^,]*)';
const number = "^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$";

/** How the text of an output is found in an answer. No pattern has a backslash or a colon: see {@link textExpression}. */
interface Reading {
  /** What is made of the column `output` once a row. */
  readonly answer: string;
  /** What is found in `answer` for an output. */
  field(name: string, place: number): string;
  /** The text of what is found. */
  text(field: string): string;
}

/**
 * A field of CSV by its place. A comma before the line makes no field empty, since REGEXP_SUBSTR gives an empty text for
 * no match (https://docs.aws.amazon.com/redshift/latest/dg/REGEXP_SUBSTR.html).
 */
const byPlace: Reading = {
  answer: "CASE WHEN OCTET_LENGTH(output) < 65535 THEN ',' || output END",
  field: (_, place) => `NULLIF(REGEXP_SUBSTR(answer, '${csvField}', 1, ${place + 1}), '')`,
  text: (field) =>
    `CASE WHEN ${field} LIKE ',"%"' THEN REPLACE(SUBSTRING(${field}, 3, LENGTH(${field}) - 3), '""', '"') ELSE SUBSTRING(${field}, 2) END`,
};

/**
 * A field of a JSON object, or of the object that a list begins with. Of JSON null, of no such field and of no JSON it
 * is NULL (https://docs.aws.amazon.com/redshift/latest/dg/JSON_EXTRACT_PATH_TEXT.html).
 */
const byName: Reading = {
  answer: `CASE WHEN output ~ '^[{]' THEN output WHEN output ~ '^[[][${blank}]*[{]' THEN JSON_EXTRACT_ARRAY_ELEMENT_TEXT(output, 0, TRUE) END`,
  field: (name) => `JSON_EXTRACT_PATH_TEXT(answer, ${textExpression(name)}, TRUE)`,
  text: (field) => field,
};

/** The same, but a JSON value that is neither object nor list is the only output itself. */
const byNameOrWhole: Reading = {
  ...byName,
  field: (name, place) =>
    [
      `CASE WHEN output ~ '^"' AND OCTET_LENGTH(output) < 65534 THEN JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[' || output || ']', 0, TRUE)`,
      "WHEN output ~ '^(true|false|-?[0-9][-+.0-9eE]*)$' THEN output",
      `ELSE ${byName.field(name, place)} END`,
    ].join(" "),
};

/** An answer that is a text is the only output itself. */
const whole: Reading = { answer: "output", field: () => "answer", text: (field) => field };

const readings = { place: byPlace, name: byName, "name or whole": byNameOrWhole, whole };

/**
 * The predictions with a typed column for each output of the contract. What is none of that type is NULL: TRY_CAST gives
 * it for what is out of range, and would fail for a text that is empty or blank
 * (https://docs.aws.amazon.com/redshift/latest/dg/r_TRY_CAST.html).
 *
 * The view is bound to no table, so that it stands in no change's way
 * (https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html).
 */
export function createView(contract: AnswerContract): string {
  const { answer, field, text } = readings[readingOf(contract)];
  const fields = contract.outputs.map(({ name }, place) => `, ${field(name, place)} AS field_${place}`);
  const values = contract.outputs.map(({ name, type }, place) => {
    const found = text(`field_${place}`);
    const trimmed = `BTRIM(${found}, '${blank}')`;
    const value =
      type === "text"
        ? `CAST(${found} AS VARCHAR(65535))`
        : `TRY_CAST(CASE WHEN ${trimmed} ~ '${number}' THEN ${trimmed} END AS DOUBLE PRECISION)`;
    return `,\n  ${value} AS ${identifier(name)}`;
  });
  return `CREATE VIEW prediction_values AS SELECT ${columnNames}${values.join("")}
FROM (SELECT *${fields.join("")} FROM (SELECT *, ${answer} AS answer FROM public.prediction_results) AS answers) AS fields
WITH NO SCHEMA BINDING`;
}

/**
 * How often each answer was given, by release and day. The most frequent ones have a row each; all others, those that are
 * free text and those that are none have one together, whose answer is NULL: so it stays small, whatever a model answers.
 */
export function createShares(contract: AnswerContract): string {
  const output = countedOutput(contract);
  const counted = output === undefined ? "output" : identifier(output.name);
  return `CREATE VIEW ${sharesView} AS SELECT model_release, day, answer, predictions,
  CAST(predictions AS DOUBLE PRECISION) / SUM(predictions) OVER (PARTITION BY model_release, day) AS share
FROM (SELECT model_release, day, answer, CAST(SUM(predictions) AS BIGINT) AS predictions
FROM (SELECT model_release, day, CASE WHEN place <= ${countedAnswers} THEN answer END AS answer, predictions
FROM (SELECT model_release, day, answer, predictions, ROW_NUMBER() OVER (
  PARTITION BY model_release, day ORDER BY CASE WHEN answer IS NULL THEN 1 ELSE 0 END, predictions DESC, answer) AS place
FROM (SELECT model_release, day, answer, COUNT(*) AS predictions
FROM (SELECT model_release, CAST(predicted_at AS DATE) AS day,
  CASE WHEN OCTET_LENGTH(${counted}) <= ${countedBytes} THEN ${counted} END AS answer FROM public.prediction_values) AS answers
GROUP BY model_release, day, answer) AS counts) AS places) AS bounded
GROUP BY model_release, day, answer) AS sums
WITH NO SCHEMA BINDING`;
}

/**
 * Makes the views anew, for whom they were there or who reads the table: OR REPLACE changes no columns
 * (https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html). A CALL is one transaction. Where somebody's own
 * view stands on one of them, DROP VIEW refuses (https://docs.aws.amazon.com/redshift/latest/dg/r_DROP_VIEW.html) and all
 * stays as it was: CASCADE would take that view away without a word.
 */
export const createMakeValues = (
  contract: AnswerContract,
) => `CREATE OR REPLACE PROCEDURE make_prediction_values() AS $$
DECLARE
  reader RECORD;
  readers VARCHAR(65535) DEFAULT '';
BEGIN
  FOR reader IN
    SELECT DISTINCT usename
    FROM pg_user, (
      SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename = 'prediction_results'
      UNION ALL
      SELECT viewname AS name FROM pg_views WHERE schemaname = 'public' AND viewname = 'prediction_values'
    ) AS readable
    WHERE NOT usesuper AND has_table_privilege(usename, 'public.' || name, 'SELECT')
  LOOP
    SELECT INTO readers readers || ', ' || quote_ident(reader.usename);
  END LOOP;
  DROP VIEW IF EXISTS ${sharesView};
  DROP VIEW IF EXISTS prediction_values;
  ${createView(contract)};
  ${createShares(contract)};
  IF readers <> '' THEN
    EXECUTE 'GRANT SELECT ON prediction_values, ${sharesView} TO ' || SUBSTRING(readers, 3);
  END IF;
END;
$$ LANGUAGE plpgsql`;

export const makeValues = "CALL make_prediction_values()";

/** Within what a load ends, in seconds: the database ends its statements before Lambda ends the loader's run. */
export const loadSeconds = { statement: 240, run: 300 };

const readable = [tables.results, tables.failures, tables.jobs, "prediction_values", sharesView].join(", ");

/**
 * Makes the database user of an IAM role where there is none, and grants it just what it needs. A loader owns what it
 * locks: the privilege that LOCK wants is documented nowhere (https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html).
 */
const createAdmitUser = `CREATE OR REPLACE PROCEDURE admit_user(user_name VARCHAR(128), may_load BOOLEAN) AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_user WHERE usename = user_name) THEN
    EXECUTE 'CREATE USER ' || quote_ident(user_name) || ' WITH PASSWORD DISABLE';
  END IF;
  EXECUTE 'GRANT USAGE ON SCHEMA public TO ' || quote_ident(user_name);
  EXECUTE 'GRANT SELECT ON ${readable} TO ' || quote_ident(user_name);
  IF may_load THEN
    EXECUTE 'GRANT TEMP ON DATABASE ' || quote_ident(CAST(current_database() AS VARCHAR(128))) || ' TO ' || quote_ident(user_name);
    EXECUTE 'GRANT INSERT ON ${tables.results}, ${tables.failures} TO ' || quote_ident(user_name);
    EXECUTE 'GRANT INSERT, UPDATE ON ${tables.jobs} TO ' || quote_ident(user_name);
${[tables.lock, ...Object.values(canaryTables)]
  .map((table) => `    EXECUTE 'ALTER TABLE ${table} OWNER TO ' || quote_ident(user_name);`)
  .join("\n")}
    EXECUTE 'ALTER USER ' || quote_ident(user_name) || ' SET statement_timeout TO ${1000 * loadSeconds.statement}';
  END IF;
END;
$$ LANGUAGE plpgsql`;

const admitUser = (name: string, mayLoad = false) => `CALL admit_user('${name}', ${mayLoad ? "TRUE" : "FALSE"})`;

/** The database user that Redshift signs an IAM role in as: `GetClusterCredentialsWithIAM`, or `GetCredentials` of Serverless. */
export const databaseUserOf = (roleName: string) => `IAMR:${roleName}`;

/** The database user that people read a cluster's predictions as. It has no password: IAM lends its name (`GetClusterCredentials`). */
export const readerUser = "predictions_reader";

export interface SchemaProps {
  /** What answers are: its outputs are the typed columns of the view `prediction_values`, and are counted by another. */
  readonly contract: AnswerContract;
  /** Whether the database may hold the original's results. */
  readonly takeOver: boolean;
  /** Name of the IAM role of the function that loads. */
  readonly loaderRoleName: string;
  /** Name of the IAM role of the function that writes the results of jobs. */
  readonly writerRoleName: string;
  /** The database user that people read predictions as. */
  readonly reader: string;
  /** Names of the IAM roles of functions that read. */
  readonly readerRoleNames: readonly string[];
  /** The role of the cluster's that the loader may COPY with, and the one that people and the writer may UNLOAD with. */
  readonly copyRoleArn: string;
  readonly unloadRoleArn: string;
}

/** Lets a database user have Redshift act in one of the cluster's roles. */
const grantRole = (roleArn: string, databaseUser: string, command: "COPY" | "UNLOAD") =>
  `GRANT ASSUMEROLE ON '${roleArn}' TO ${identifier(databaseUser)} FOR ${command}`;

/** All that is made in the warehouse's database at deploy, in its order. */
export const schemaStatements = (props: SchemaProps): string[] => {
  const loader = databaseUserOf(props.loaderRoleName);
  const writer = databaseUserOf(props.writerRoleName);
  return [
    ...(props.takeOver ? [createTakeOver, takeOverResults] : []),
    ...createTables(tables),
    ...createTables(canaryTables),
    createWidenJobs,
    widenJobs,
    createMakeValues(props.contract),
    makeValues,
    createAdmitUser,
    admitUser(loader, true),
    ...props.readerRoleNames.map((roleName) => admitUser(databaseUserOf(roleName))),
    admitUser(writer),
    admitUser(props.reader),
    // Until it is taken from all, each user may use each role (https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html).
    "REVOKE ASSUMEROLE ON ALL FROM PUBLIC FOR ALL",
    grantRole(props.copyRoleArn, loader, "COPY"),
    grantRole(props.unloadRoleArn, props.reader, "UNLOAD"),
    grantRole(props.unloadRoleArn, writer, "UNLOAD"),
  ];
};
