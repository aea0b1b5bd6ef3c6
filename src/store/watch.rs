//! A watch of a cluster: one snapshot that goes on, whose objects come, change and go.
//!
//! Everything is written so that the same news twice changes nothing: a watch that broke between writing and noting
//! that it had written may write again.

use super::{
    Store, StoreError, content_id,
    inventory::{insert_objects, insert_presences, object_id, with_ids},
};
use crate::model::{Scope, Timestamp};

/// The beginning of a watch: the objects that were there when it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The site it is of.
    pub site: String,
    /// What the cluster is called.
    pub source: String,
    /// The clock, before the first list was asked for.
    pub taken_at: Timestamp,
    /// What is watched as a whole.
    pub complete: Scope,
    /// The objects listed, as JSON.
    pub objects: Vec<String>,
}

/// A watch in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchId(i64);

/// News of one object. A pod that changes leaves one version and comes as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When it was heard of.
    pub at: Timestamp,
    /// The object as it was written last; none where it is new.
    pub before: Option<String>,
    /// The object as it is; none where it is gone.
    pub after: Option<String>,
}

/// A watch's id, from where and when it began.
pub(super) fn watch_id(site: &str, source: &str, taken_at: Timestamp) -> i64 {
    content_id(&[b"watch", site.as_bytes(), source.as_bytes(), &taken_at.0.to_le_bytes()])
}

impl Store {
    /// Begins a watch, or takes up one that began with the same words.
    pub async fn begin_watch(&self, watch: &Watch) -> Result<WatchId, StoreError> {
        let id = watch_id(&watch.site, &watch.source, watch.taken_at);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO snapshot (id, site, source, taken_at, problems, kind, until, complete)
             VALUES ($1, $2, $3, $4, '[]', 'live', $4, $5) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(&watch.site)
        .bind(&watch.source)
        .bind(watch.taken_at.0)
        .bind(serde_json::to_string(&watch.complete).unwrap_or_default())
        .execute(&mut *transaction)
        .await?;
        let objects = with_ids(&watch.objects);
        insert_objects(&mut transaction, &objects).await?;
        let present: Vec<(i64, i64)> = objects.iter().map(|(object, _)| (*object, 0)).collect();
        insert_presences(&mut transaction, id, &present).await?;
        transaction.commit().await?;
        Ok(WatchId(id))
    }

    /// Writes news, in the order in which they came, and that the watch was in sync until `in_sync`; all or nothing. False where
    /// the store has no such watch: it is another than the one in which it was begun.
    pub async fn extend_watch(&self, id: WatchId, changes: &[Change], in_sync: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "UPDATE snapshot SET until = max(until, $2) WHERE id = $1";
        let extended = sqlx::query(sql).bind(id.0).bind(in_sync.0).execute(&mut *transaction).await?;
        if extended.rows_affected() == 0 {
            return Ok(false);
        }
        for change in changes.iter().filter(|change| change.before != change.after) {
            if let Some(before) = &change.before {
                // one that came back since then is another
                let sql = "UPDATE snapshot_object SET until = $3
                           WHERE snapshot = $1 AND object = $2 AND until IS NULL AND since < $3";
                let ended = sqlx::query(sql).bind(id.0).bind(object_id(before)).bind(change.at.0);
                ended.execute(&mut *transaction).await?;
            }
            if let Some(after) = &change.after {
                let object = object_id(after);
                insert_objects(&mut transaction, &[(object, after)]).await?;
                insert_presences(&mut transaction, id.0, &[(object, change.at.0)]).await?;
            }
        }
        transaction.commit().await?;
        Ok(true)
    }
}
