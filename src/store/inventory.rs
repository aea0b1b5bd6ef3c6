//! Inventory snapshots: objects as they were listed, each version once.

use sqlx::{QueryBuilder, Row, Sqlite};

use super::{Store, StoreError, content_id};
use crate::model::Timestamp;

/// One listing of a cluster, or one hosts file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The site it is of.
    pub site: String,
    /// The file it came from.
    pub source: String,
    /// The latest time that its objects tell.
    pub taken_at: Option<Timestamp>,
    /// What could not be used, and why.
    pub problems: Vec<String>,
    /// Its objects as JSON.
    pub objects: Vec<String>,
}

/// An object of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// The snapshot's site.
    pub site: String,
    /// The file it came from.
    pub source: String,
    /// When the snapshot was taken.
    pub taken_at: Option<Timestamp>,
    /// The object as JSON.
    pub body: String,
}

/// Objects in one INSERT.
const OBJECTS_AT_ONCE: usize = 500;

impl Store {
    /// Adds a snapshot in one transaction; false where it was there already.
    pub async fn add_snapshot(&self, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let mut objects: Vec<(i64, &String)> =
            snapshot.objects.iter().map(|body| (content_id(&[body.as_bytes()]), body)).collect();
        objects.sort_unstable();
        objects.dedup();
        let ids: Vec<u8> = objects.iter().flat_map(|(id, _)| id.to_le_bytes()).collect();
        let id = content_id(&[snapshot.site.as_bytes(), &ids]);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "INSERT INTO snapshot (id, site, source, taken_at, problems) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (id) DO NOTHING";
        let added = sqlx::query(sql)
            .bind(id)
            .bind(&snapshot.site)
            .bind(&snapshot.source)
            .bind(snapshot.taken_at.map(|time| time.0))
            .bind(serde_json::to_string(&snapshot.problems).unwrap_or_default())
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if added == 0 {
            return Ok(false);
        }
        for chunk in objects.chunks(OBJECTS_AT_ONCE) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO object (id, body) ");
            insert.push_values(chunk, |mut row, (id, body)| {
                row.push_bind(*id).push_bind((*body).clone());
            });
            insert.build().execute(&mut *transaction).await?;
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO snapshot_object (snapshot, object) ");
            insert.push_values(chunk, |mut row, (object, _)| {
                row.push_bind(id).push_bind(*object);
            });
            insert.build().execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// The objects of all snapshots, of one site or of all, in an order that does not depend on when they came.
    pub async fn objects(&self, site: Option<&str>) -> Result<Vec<StoredObject>, StoreError> {
        let rows = sqlx::query(
            "SELECT snapshot.site, snapshot.source, snapshot.taken_at, object.body FROM snapshot_object
             JOIN snapshot ON snapshot.id = snapshot_object.snapshot JOIN object ON object.id = snapshot_object.object
             WHERE $1 IS NULL OR snapshot.site = $1 ORDER BY snapshot.site, snapshot.taken_at, snapshot.id, object.id",
        )
        .bind(site)
        .fetch_all(&self.pool)
        .await?;
        let object = |row: &sqlx::sqlite::SqliteRow| {
            Ok(StoredObject {
                site: row.try_get("site")?,
                source: row.try_get("source")?,
                taken_at: row.try_get::<Option<i64>, _>("taken_at")?.map(Timestamp),
                body: row.try_get("body")?,
            })
        };
        rows.iter().map(object).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from)
    }
}
