/**
 * What is made in the warehouse's database at deploy. Each statement may run again at any time, and is valid for
 * Redshift and for PostgreSQL alike but for `PASSWORD DISABLE`, which PostgreSQL does not know.
 */

/** The predictions, one row a request. Redshift enforces no key, so the writer is the one that keeps requests apart. */
export const createResults = `CREATE TABLE IF NOT EXISTS prediction_results (
  request_id VARCHAR(128) NOT NULL,
  input_id VARCHAR(1024) NOT NULL,
  job_id VARCHAR(128),
  output VARCHAR(65535) NOT NULL,
  endpoint VARCHAR(63) NOT NULL,
  variant VARCHAR(63) NOT NULL,
  model_release VARCHAR(64) NOT NULL,
  requested_at TIMESTAMP NOT NULL,
  predicted_at TIMESTAMP NOT NULL
)`;

/**
 * Gives the name of the original's results, `prediction_results(id, input_id, output)`, to this project's, and copies
 * their rows. The original kept neither the model nor the time of a prediction; its ids, found as the highest and one
 * more, may be those of several rows. Its own table stays, as `original_prediction_results`.
 */
export const createTakeOver = `CREATE OR REPLACE PROCEDURE take_over_results() AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = 'prediction_results' AND column_name = 'id'
  ) THEN
    EXECUTE 'ALTER TABLE prediction_results RENAME TO original_prediction_results';
    EXECUTE '${createResults}';
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
export const takeOverResults = "CALL take_over_results()";

/** Always empty. Writers lock it and so wait for each other; readers of the results never wait. */
export const createWriteLock = "CREATE TABLE IF NOT EXISTS prediction_results_lock (writer INT)";

/** Makes the database user of an IAM role where there is none, and grants it just what it needs. */
export const createGrant = `CREATE OR REPLACE PROCEDURE grant_predictions(user_name VARCHAR(128), may_write BOOLEAN) AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_user WHERE usename = user_name) THEN
    EXECUTE 'CREATE USER ' || quote_ident(user_name) || ' WITH PASSWORD DISABLE';
  END IF;
  EXECUTE 'GRANT SELECT ON prediction_results TO ' || quote_ident(user_name);
  IF may_write THEN
    EXECUTE 'GRANT INSERT ON prediction_results TO ' || quote_ident(user_name);
    EXECUTE 'GRANT UPDATE ON prediction_results_lock TO ' || quote_ident(user_name);
  END IF;
END;
$$ LANGUAGE plpgsql`;

/** The database user that Redshift signs an IAM role in as (`GetClusterCredentialsWithIAM`). */
export const databaseUserOf = (roleName: string) => `IAMR:${roleName}`;

/** The database user that people read predictions as. It has no password: IAM lends its name (`GetClusterCredentials`). */
export const readerUser = "predictions_reader";

/** Lets a database user read the predictions, and write them too where asked. */
export const grantPredictions = (databaseUser: string, mayWrite: boolean) =>
  `CALL grant_predictions('${databaseUser}', ${mayWrite ? "TRUE" : "FALSE"})`;
