//! What is too old is taken out of the history of live captures, some at a time, so that nobody waits for long.

use super::{Store, StoreError};
use crate::model::Timestamp;

/// Rows taken out in one transaction: parts of 64 kB.
const ROWS_AT_ONCE: i64 = 64;
/// Pages given back to the file system in one go: a megabyte.
const PAGES_AT_ONCE: i64 = 256;

/// What is taken out, each with `$1` the nanosecond, `$2` the hour and `$3` how many at once. Imported files stay.
const STEPS: [&str; 5] = [
    "DELETE FROM observation_part WHERE rowid IN (SELECT observation_part.rowid FROM observation_part
         JOIN run ON run.id = run WHERE kind = 'live' AND hour + hours <= $2 AND $1 = $1 LIMIT $3)",
    "DELETE FROM sweep WHERE (run, hour, protocol, src) IN (SELECT run, hour, protocol, src FROM sweep
         JOIN run ON run.id = run WHERE kind = 'live' AND hour < $2 AND $1 = $1 LIMIT $3)",
    "DELETE FROM name WHERE (run, address, name, source, used_by) IN (SELECT run, address, name, name.source, used_by FROM name
         JOIN run ON run.id = run WHERE kind = 'live' AND last < $1 AND $2 = $2 LIMIT $3)",
    "DELETE FROM link_sighting WHERE (run, interface, vlans, how, mac, address, prefix) IN (
         SELECT run, interface, vlans, how, mac, address, prefix FROM link_sighting
         JOIN run ON run.id = run WHERE kind = 'live' AND last < $1 AND $2 = $2 LIMIT $3)",
    "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE kind = 'live' AND last_packet < $1 AND $2 = $2 LIMIT $3)",
];

impl Store {
    /// Takes out some of what live captures saw before this time, in whole hours, and gives some room back; whether there was
    /// any. What a run says of its time is cut to what is left.
    pub async fn forget_some(&self, before: Timestamp) -> Result<bool, StoreError> {
        let hour = before.hour();
        let before = hour.start();
        let mut is_done = true;
        for sql in STEPS {
            let query = sqlx::query(sql).bind(before.0).bind(hour.0).bind(ROWS_AT_ONCE);
            is_done &= query.execute(&self.pool).await?.rows_affected() == 0;
        }
        // what is no longer there was not watched, as far as anybody can tell
        let sql = "UPDATE run SET first_packet = $1 WHERE kind = 'live' AND first_packet < $1";
        sqlx::query(sql).bind(before.0).execute(&self.pool).await?;
        // does nothing in a store that was made before its pages could be given back: there they are used again
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})")))
            .execute(&self.pool)
            .await?;
        Ok(!is_done)
    }
}
