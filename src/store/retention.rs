//! What is too old is taken out of the history of live captures, some at a time, so that nobody waits for long.

use super::{RunId, RunKind, Store, StoreError};
use crate::model::Timestamp;

/// Rows taken out in one transaction: parts of 64 kB.
const ROWS_AT_ONCE: i64 = 64;
/// Pages given back to the file system in one go: a megabyte.
const PAGES_AT_ONCE: i64 = 256;

/// What is taken out, each with `$1` the nanosecond, `$2` the hour, `$3` how many at once and `$4` the kind of the runs. Imported
/// files stay.
const STEPS: [&str; 5] = [
    "DELETE FROM observation_part WHERE rowid IN (SELECT observation_part.rowid FROM observation_part
         JOIN run ON run.id = run WHERE kind = $4 AND $1 = $1
             AND ((hours = 1 AND hour < $2) OR (hours = 24 AND hour <= $2 - 24)) LIMIT $3)",
    "DELETE FROM sweep WHERE (run, hour, protocol, src) IN (SELECT run, hour, protocol, src FROM sweep
         JOIN run ON run.id = run WHERE kind = $4 AND hour < $2 AND $1 = $1 LIMIT $3)",
    "DELETE FROM name WHERE (run, address, name, source, used_by) IN (SELECT run, address, name, name.source, used_by FROM name
         JOIN run ON run.id = run WHERE kind = $4 AND last < $1 AND $2 = $2 LIMIT $3)",
    "DELETE FROM application WHERE (run, server, port, protocol, client, application, protection) IN (
         SELECT run, server, port, protocol, client, application, protection FROM application
         JOIN run ON run.id = run WHERE kind = $4 AND last < $1 AND $2 = $2 LIMIT $3)",
    "DELETE FROM link_sighting WHERE (run, interface, vlans, how, mac, address, prefix) IN (
         SELECT run, interface, vlans, how, mac, address, prefix FROM link_sighting
         JOIN run ON run.id = run WHERE kind = $4 AND last < $1 AND $2 = $2 LIMIT $3)",
];

/// What a run of the kind `$2` says of its time is cut to what is left: what is no longer there was not watched, as far as anybody can tell.
const CUTS: [&str; 2] = [
    "UPDATE run SET first_packet = NULL, last_packet = NULL WHERE kind = $2 AND last_packet < $1",
    "UPDATE run SET first_packet = $1 WHERE kind = $2 AND first_packet < $1",
];

/// Runs of the kind `$2` of which nothing is left go, and those that never saw anything, unless they go on: `$1`, as JSON.
const EMPTY_RUNS: &str = "DELETE FROM run WHERE kind = $2 AND last_packet IS NULL
    AND id NOT IN (SELECT value FROM json_each($1))
    AND NOT EXISTS (SELECT 1 FROM observation_part WHERE run = run.id)
    AND NOT EXISTS (SELECT 1 FROM sweep WHERE run = run.id)
    AND NOT EXISTS (SELECT 1 FROM name WHERE run = run.id)
    AND NOT EXISTS (SELECT 1 FROM application WHERE run = run.id)
    AND NOT EXISTS (SELECT 1 FROM link_sighting WHERE run = run.id)";

impl Store {
    /// Takes out some of what live captures saw before this time, in whole hours, and gives some room back; whether there was
    /// any. What these runs say of their time is cut to what is left. `going_on` are the runs that are written now.
    pub async fn forget_some(&self, before: Timestamp, going_on: &[RunId]) -> Result<bool, StoreError> {
        let hour = before.hour();
        let (before, live) = (hour.start(), RunKind::Live.as_str());
        let mut is_done = true;
        for sql in STEPS {
            let query = sqlx::query(sql).bind(before.0).bind(hour.0).bind(ROWS_AT_ONCE).bind(live);
            is_done &= query.execute(&self.pool).await?.rows_affected() == 0;
        }
        for sql in CUTS {
            sqlx::query(sql).bind(before.0).bind(live).execute(&self.pool).await?;
        }
        let going_on = serde_json::json!(going_on.iter().map(|run| run.0).collect::<Vec<_>>()).to_string();
        is_done &= sqlx::query(EMPTY_RUNS).bind(going_on).bind(live).execute(&self.pool).await?.rows_affected() == 0;
        // does nothing in a store that was made before its pages could be given back: there they are used again
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})")))
            .execute(&self.pool)
            .await?;
        Ok(!is_done)
    }
}
