//! How late a daemon believed it to be, kept where a restart finds it: what is forgotten by a wrong clock does not come back.

use std::time::Duration;

use sqlx::Row;

use super::{RunKind, Store, StoreError};
use crate::model::Timestamp;

/// What is known of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptTime {
    /// How late it was, as far as could be believed.
    pub believed: Timestamp,
    /// What the clock said when it was doubted first, and for how long a daemon ran since.
    pub doubted: Option<(Timestamp, Duration)>,
}

impl Store {
    /// The time that was kept last.
    pub async fn kept_time(&self) -> Result<Option<KeptTime>, StoreError> {
        let sql = "SELECT believed, doubted, doubted_for FROM clock";
        let Some(row) = sqlx::query(sql).fetch_optional(&self.pool).await? else { return Ok(None) };
        let doubted: Option<i64> = row.try_get("doubted")?;
        let doubted_for = Duration::from_nanos(row.try_get::<i64, _>("doubted_for")?.unsigned_abs());
        let doubted = doubted.map(|wall| (Timestamp(wall), doubted_for));
        Ok(Some(KeptTime { believed: Timestamp(row.try_get("believed")?), doubted }))
    }

    /// Keeps a time.
    pub async fn keep_time(&self, time: KeptTime) -> Result<(), StoreError> {
        let (wall, doubted_for) = time.doubted.unzip();
        let doubted_for = doubted_for.unwrap_or_default().as_nanos();
        sqlx::query("INSERT OR REPLACE INTO clock (id, believed, doubted, doubted_for) VALUES (1, $1, $2, $3)")
            .bind(time.believed.0)
            .bind(wall.map(|wall| wall.0))
            .bind(i64::try_from(doubted_for).unwrap_or(i64::MAX))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The newest of the times until which live captures saw packets, of those that are not after this one: what is later was
    /// written by a wrong clock, then or now.
    pub async fn newest(&self, until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT MAX(last_packet) FROM run WHERE kind = $1 AND last_packet <= $2";
        let newest: Option<i64> =
            sqlx::query_scalar(sql).bind(RunKind::Live.as_str()).bind(until.0).fetch_one(&self.pool).await?;
        Ok(newest.map(Timestamp))
    }
}
