//! Who was who in another store: its listings into this one.

use std::collections::BTreeSet;

use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    StoreError,
    insert::insert_all,
    inventory::{insert_objects, object_id, snapshot_id},
    watch::watch_id,
};
use crate::model::{Scope, Timestamp};

/// How presences are written; one that was there in the earlier copy may be gone in the later one.
const INSERT: (&str, &str) = (
    "INSERT INTO snapshot_object (snapshot, object, since, until) ",
    " ON CONFLICT (snapshot, object, since) DO UPDATE SET until = COALESCE(until, excluded.until)",
);

/// A listing as it is in a store.
struct Listing {
    site: String,
    source: String,
    taken_at: Option<i64>,
    problems: String,
    /// Whether a cluster was watched, in the place of a file that was read.
    is_watch: bool,
    until: Option<i64>,
    complete: String,
    objects: Vec<Listed>,
}

struct Listed {
    id: i64,
    body: String,
    since: i64,
    until: Option<i64>,
}

/// Takes all listings in, to one site or each to its own; how many there are, and of how many something was new.
pub(super) async fn take_in(
    source: &mut SqliteConnection,
    target: &mut Transaction<'static, Sqlite>,
    site: Option<&str>,
) -> Result<(usize, usize), StoreError> {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM snapshot ORDER BY id").fetch_all(&mut *source).await?;
    let mut new = 0;
    for id in &ids {
        let listing = read(source, *id).await?;
        let site = site.unwrap_or(&listing.site).to_owned();
        new += usize::from(write(target, &Listing { site, ..listing }).await?);
    }
    Ok((ids.len(), new))
}

async fn read(connection: &mut SqliteConnection, id: i64) -> Result<Listing, StoreError> {
    let row = sqlx::query("SELECT * FROM snapshot WHERE id = $1").bind(id).fetch_one(&mut *connection).await?;
    let sql = "SELECT id, body, since, until FROM snapshot_object JOIN object ON object.id = object
               WHERE snapshot = $1 ORDER BY object, since";
    let objects = sqlx::query(sql).bind(id).fetch_all(connection).await?;
    let kind: &str = row.try_get("kind")?;
    let listing = Listing {
        site: row.try_get("site")?,
        source: row.try_get("source")?,
        taken_at: row.try_get("taken_at")?,
        problems: row.try_get("problems")?,
        is_watch: kind == "live",
        until: row.try_get("until")?,
        complete: row.try_get("complete")?,
        objects: objects.iter().map(listed).collect::<Result<_, _>>()?,
    };
    let is_json = serde_json::from_str::<Vec<String>>(&listing.problems).is_ok()
        && serde_json::from_str::<Scope>(&listing.complete).is_ok();
    if is_json { Ok(listing) } else { Err(damaged()) }
}

fn damaged() -> StoreError {
    StoreError::Damaged("a listing of who is who cannot be read".into())
}

fn listed(row: &SqliteRow) -> Result<Listed, StoreError> {
    let (id, body): (i64, String) = (row.try_get("id")?, row.try_get("body")?);
    // one that does not read would stop whoever reads this store
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&body).is_ok();
    if !is_object || id != object_id(&body) {
        return Err(damaged());
    }
    Ok(Listed { id, body, since: row.try_get("since")?, until: row.try_get("until")? })
}

impl Listing {
    /// As it would have been called here.
    fn id(&self) -> i64 {
        match self.taken_at {
            Some(taken_at) if self.is_watch => watch_id(&self.site, &self.source, Timestamp(taken_at)),
            _ => {
                let ids: BTreeSet<i64> = self.objects.iter().map(|object| object.id).collect();
                snapshot_id(&self.site, ids.into_iter())
            }
        }
    }
}

/// Writes a listing, or what is new of it: of two copies of a watch the later one tells more. Whether there was anything.
async fn write(transaction: &mut Transaction<'static, Sqlite>, listing: &Listing) -> Result<bool, StoreError> {
    let id = listing.id();
    let kind = if listing.is_watch { "live" } else { "file" };
    let written = sqlx::query(
        "INSERT INTO snapshot (id, site, source, taken_at, problems, kind, until, complete)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET
             taken_at = MAX(COALESCE(taken_at, excluded.taken_at), COALESCE(excluded.taken_at, taken_at)),
             until = excluded.until, complete = excluded.complete
         WHERE excluded.until > until OR (kind = 'file' AND excluded.taken_at > COALESCE(taken_at, 0))",
    )
    .bind(id)
    .bind(&listing.site)
    .bind(&listing.source)
    .bind(listing.taken_at)
    .bind(&listing.problems)
    .bind(kind)
    .bind(listing.until)
    .bind(&listing.complete)
    .execute(&mut **transaction)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    let objects: Vec<(i64, &String)> = listing.objects.iter().map(|object| (object.id, &object.body)).collect();
    insert_objects(transaction, &objects).await?;
    insert_all(transaction, &listing.objects, INSERT, |row, object| {
        row.push_bind(id).push_bind(object.id).push_bind(object.since).push_bind(object.until);
    })
    .await?;
    Ok(true)
}
