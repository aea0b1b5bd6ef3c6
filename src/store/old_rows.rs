//! Stores from before observations were written in parts: each was a row. They are laid out anew when such a store is opened.

use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{RunId, Store, StoreError, codec, observations};
use crate::model::{Hour, Observation, ObservationKey, Opening, Protocol};

impl Store {
    /// Brings rows that an older flowmap wrote into parts, all or none.
    pub(super) async fn lay_out_old_rows(&self) -> Result<(), StoreError> {
        let runs: Vec<i64> =
            sqlx::query_scalar("SELECT DISTINCT run FROM observation ORDER BY run").fetch_all(&self.pool).await?;
        if runs.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for run in runs {
            lay_out(&mut transaction, RunId(run)).await?;
        }
        sqlx::query("DELETE FROM observation").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn lay_out(transaction: &mut Transaction<'static, Sqlite>, run: RunId) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT hour FROM observation WHERE run = $1 ORDER BY hour";
    let hours: Vec<i32> = sqlx::query_scalar(sql).bind(run.0).fetch_all(&mut **transaction).await?;
    for hour in hours {
        let sql = "SELECT * FROM observation WHERE run = $1 AND hour = $2";
        let rows = sqlx::query(sql).bind(run.0).bind(hour).fetch_all(&mut **transaction).await?;
        let mut all = rows.iter().map(read).collect::<Result<Vec<Observation>, _>>()?;
        all.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        observations::write(transaction, run, &all).await?;
    }
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Observation, StoreError> {
    let is_seen: bool = row.try_get("opening")?;
    let key = ObservationKey {
        hour: Hour(row.try_get("hour")?),
        protocol: Protocol(row.try_get("protocol")?),
        opening: if is_seen { Opening::Seen } else { Opening::Unseen },
        src: observations::address(row.try_get("src")?)?,
        dst: observations::address(row.try_get("dst")?)?,
        dst_port: row.try_get("dst_port")?,
        vlans: row.try_get("vlans")?,
        tunnels: row.try_get("tunnels")?,
    };
    let total: i64 = row.try_get("connections")?;
    let traces = codec::decode(row.try_get("traces")?, total.unsigned_abs());
    let traces =
        traces.ok_or_else(|| StoreError::Damaged("the connections of an observation cannot be read".into()))?;
    Ok(Observation { key, traces })
}
