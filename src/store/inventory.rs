//! Inventory snapshots: objects as they were listed, each version once, with the times at which they were so.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, StoreError, content_id, insert::insert_all};
use crate::model::{Scope, Timestamp};

/// One listing of a cluster, or one hosts file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The site it is of.
    pub site: String,
    /// The file it came from.
    pub source: String,
    /// The latest time that its objects tell.
    pub taken_at: Option<Timestamp>,
    /// What it lists all of.
    pub complete: Scope,
    /// What could not be used, and why.
    pub problems: Vec<String>,
    /// Its objects as JSON.
    pub objects: Vec<String>,
}

/// A snapshot as the store has it, without its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// The site it is of.
    pub site: String,
    /// The file it came from, or the cluster that was watched.
    pub source: String,
    /// When it was taken; of a file the latest time that its objects tell.
    pub taken_at: Option<Timestamp>,
    /// Of a watch, until when it was known to be in sync.
    pub until: Option<Timestamp>,
    /// What it lists all of.
    pub complete: Scope,
}

/// That an object stood in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The snapshot's place in [`StoredInventory::snapshots`].
    pub snapshot: usize,
    /// Since when; none where it was there when the snapshot was taken.
    pub since: Option<Timestamp>,
    /// Until when; none where it was there to the end.
    pub until: Option<Timestamp>,
}

/// An object with its presences, in the order of the snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// The object as JSON.
    pub body: String,
    /// Where and when it stood as it is.
    pub presences: Vec<Presence>,
}

/// All snapshots of a site, in an order that does not depend on when they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredInventory {
    /// The snapshots, by their time.
    pub snapshots: Vec<StoredSnapshot>,
    /// Every version of every object in them, once.
    pub objects: Vec<StoredObject>,
}

impl Store {
    /// Adds a snapshot in one transaction; false where it was there already.
    pub async fn add_snapshot(&self, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let objects = with_ids(&snapshot.objects);
        let id = snapshot_id(&snapshot.site, objects.iter().map(|(id, _)| *id));
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "SELECT count(*) FROM snapshot WHERE id = $1";
        let is_known = sqlx::query_scalar::<_, i64>(sql).bind(id).fetch_one(&mut *transaction).await? > 0;
        // the same objects again: the last word on what they are complete in counts, and on what else could not be used, and the latest time at which they were so
        sqlx::query(
            "INSERT INTO snapshot (id, site, source, taken_at, problems, complete) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET complete = excluded.complete, problems = excluded.problems,
                 taken_at = MAX(COALESCE(taken_at, excluded.taken_at), COALESCE(excluded.taken_at, taken_at))",
        )
        .bind(id)
        .bind(&snapshot.site)
        .bind(&snapshot.source)
        .bind(snapshot.taken_at.map(|time| time.0))
        .bind(serde_json::to_string(&snapshot.problems).unwrap_or_default())
        .bind(serde_json::to_string(&snapshot.complete).unwrap_or_default())
        .execute(&mut *transaction)
        .await?;
        if !is_known {
            insert_objects(&mut transaction, &objects).await?;
            let present: Vec<(i64, i64)> = objects.iter().map(|(object, _)| (*object, 0)).collect();
            insert_presences(&mut transaction, id, &present).await?;
        }
        transaction.commit().await?;
        Ok(!is_known)
    }

    /// The files whose listings a site has.
    pub async fn listed_files(&self, site: &str) -> Result<BTreeSet<String>, StoreError> {
        let sql = "SELECT DISTINCT source FROM snapshot WHERE site = $1 AND kind = 'file'";
        Ok(sqlx::query_scalar(sql).bind(site).fetch_all(&self.pool).await?.into_iter().collect())
    }

    /// Takes back all listings of a site that came from files of this name, with what stood in them alone; how many there were.
    pub async fn remove_listings(&self, site: &str, source: &str) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "DELETE FROM snapshot WHERE site = $1 AND source = $2 AND kind = 'file'";
        let removed = sqlx::query(sql).bind(site).bind(source).execute(&mut *transaction).await?.rows_affected();
        sqlx::query("DELETE FROM object WHERE id NOT IN (SELECT object FROM snapshot_object)")
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// What could not be used of the latest listing of each source, by site, each fault once.
    pub async fn listing_faults(&self, site: Option<&str>) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
        let sql = "SELECT site, source, problems FROM snapshot AS it WHERE ($1 IS NULL OR site = $1)
                   AND COALESCE(until, taken_at, 0) = (SELECT MAX(COALESCE(until, taken_at, 0)) FROM snapshot
                       WHERE site = it.site AND source = it.source)";
        let latest: Vec<(String, String, String)> = sqlx::query_as(sql).bind(site).fetch_all(&self.pool).await?;
        let mut faults: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (site, source, problems) in latest {
            let problems: Vec<String> = serde_json::from_str(&problems).unwrap_or_default();
            let told = problems.iter().map(|problem| format!("{source}: {problem}"));
            faults.entry(site).or_default().extend(told);
        }
        Ok(faults)
    }

    /// The latest time of which the listings of a site tell; none where there are none, or they tell no time.
    pub async fn latest_listing(&self, site: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT MAX(COALESCE(until, taken_at)) FROM snapshot WHERE site = $1";
        let latest: Option<i64> = sqlx::query_scalar(sql).bind(site).fetch_one(&self.pool).await?;
        Ok(latest.map(Timestamp))
    }

    /// The snapshots and objects of every site, or of one.
    pub async fn inventories(&self, site: Option<&str>) -> Result<BTreeMap<String, StoredInventory>, StoreError> {
        let mut inventories: BTreeMap<String, StoredInventory> = BTreeMap::new();
        let sql = "SELECT * FROM snapshot WHERE $1 IS NULL OR site = $1 ORDER BY site, taken_at, id";
        let mut places: BTreeMap<i64, (String, usize)> = BTreeMap::new();
        for row in sqlx::query(sql).bind(site).fetch_all(&self.pool).await? {
            let snapshot = read_snapshot(&row)?;
            let inventory = inventories.entry(snapshot.site.clone()).or_default();
            places.insert(row.try_get("id")?, (snapshot.site.clone(), inventory.snapshots.len()));
            inventory.snapshots.push(snapshot);
        }
        for (site, inventory) in &mut inventories {
            inventory.objects = self.objects(site, &places).await?;
        }
        Ok(inventories)
    }

    async fn objects(
        &self,
        site: &str,
        places: &BTreeMap<i64, (String, usize)>,
    ) -> Result<Vec<StoredObject>, StoreError> {
        let sql = "SELECT presence.* FROM snapshot_object presence JOIN snapshot ON snapshot.id = presence.snapshot
                   WHERE site = $1 ORDER BY object, taken_at, snapshot, since";
        let mut presences: BTreeMap<i64, Vec<Presence>> = BTreeMap::new();
        for row in sqlx::query(sql).bind(site).fetch_all(&self.pool).await? {
            let Some((_, snapshot)) = places.get(&row.try_get("snapshot")?) else { continue };
            let since = Some(row.try_get("since")?).filter(|since| *since != 0).map(Timestamp);
            let until = row.try_get::<Option<i64>, _>("until")?.map(Timestamp);
            let presence = Presence { snapshot: *snapshot, since, until };
            presences.entry(row.try_get("object")?).or_default().push(presence);
        }
        let sql = "SELECT id, body FROM object WHERE id IN
                       (SELECT object FROM snapshot_object JOIN snapshot ON snapshot.id = snapshot WHERE site = $1)
                   ORDER BY id";
        let rows = sqlx::query(sql).bind(site).fetch_all(&self.pool).await?;
        let object = |row: &SqliteRow| {
            let presences = presences.remove(&row.try_get("id")?).unwrap_or_default();
            Ok(StoredObject { body: row.try_get("body")?, presences })
        };
        rows.iter().map(object).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from)
    }
}

fn read_snapshot(row: &SqliteRow) -> Result<StoredSnapshot, StoreError> {
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|nanos| nanos.map(Timestamp));
    let complete: String = row.try_get("complete")?;
    let damaged = |_| StoreError::Damaged("what a snapshot is complete in cannot be read".into());
    Ok(StoredSnapshot {
        site: row.try_get("site")?,
        source: row.try_get("source")?,
        taken_at: time("taken_at")?,
        until: time("until")?,
        complete: serde_json::from_str(&complete).map_err(damaged)?,
    })
}

/// A listing's id, from the ids of its objects in order.
pub(super) fn snapshot_id(site: &str, objects: impl Iterator<Item = i64>) -> i64 {
    let ids: Vec<u8> = objects.flat_map(i64::to_le_bytes).collect();
    content_id(&[site.as_bytes(), &ids])
}

/// Objects with their ids, in order, each once.
pub(super) fn with_ids(bodies: &[String]) -> Vec<(i64, &String)> {
    let mut objects: Vec<(i64, &String)> = bodies.iter().map(|body| (object_id(body), body)).collect();
    objects.sort_unstable();
    objects.dedup();
    objects
}

/// An object's id, from its content.
pub(super) fn object_id(body: &str) -> i64 {
    content_id(&[body.as_bytes()])
}

/// Writes objects that may be there already.
pub(super) async fn insert_objects(
    transaction: &mut Transaction<'static, Sqlite>,
    objects: &[(i64, &String)],
) -> Result<(), StoreError> {
    insert_all(transaction, objects, ("INSERT OR IGNORE INTO object (id, body) ", ""), |row, (id, body)| {
        row.push_bind(*id).push_bind((*body).clone());
    })
    .await
}

/// Writes since when objects (by their ids) were in a snapshot; 0 where it was taken with them.
pub(super) async fn insert_presences(
    transaction: &mut Transaction<'static, Sqlite>,
    snapshot: i64,
    present: &[(i64, i64)],
) -> Result<(), StoreError> {
    const INTO: &str = "INSERT OR IGNORE INTO snapshot_object (snapshot, object, since) ";
    insert_all(transaction, present, (INTO, ""), |row, (object, since)| {
        row.push_bind(snapshot).push_bind(*object).push_bind(*since);
    })
    .await
}
