//! Names in and out.

use std::net::IpAddr;

use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    Filter, RunId, Store, StoreError,
    insert::insert_all,
    observations::{address, octets},
    pages::Pages,
    run::signed,
};
use crate::model::{HostName, MissedNames, NameSighting, NameSource, Span, Timestamp};

/// How they are written, and what becomes of a row that is there.
const INSERT: (&str, &str) = (
    "INSERT INTO name (run, address, name, source, used_by, ttl_s, first, last, times) ",
    " ON CONFLICT (run, address, name, source, used_by) DO UPDATE SET
         ttl_s = max(ttl_s, excluded.ttl_s), first = min(first, excluded.first),
         last = max(last, excluded.last), times = max(times, excluded.times)",
);

/// Writes names of a run. Figures are those of the run so far, or since its daemon forgot them: what is there already grows to them.
pub(super) async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    names: &[NameSighting],
) -> Result<(), StoreError> {
    insert_all(transaction, names, INSERT, |row, sighting| {
        row.push_bind(run.0)
            .push_bind(octets(sighting.address))
            .push_bind(sighting.name.as_str())
            .push_bind(sighting.source.as_str())
            .push_bind(sighting.used_by.map(octets).unwrap_or_default())
            .push_bind(sighting.ttl_s)
            .push_bind(sighting.span.first.0)
            .push_bind(sighting.span.last.0)
            .push_bind(signed(sighting.times));
    })
    .await
}

/// Writes what a run missed of names so far.
pub(super) async fn write_missed(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    missed: MissedNames,
) -> Result<(), StoreError> {
    if missed != MissedNames::default() {
        let MissedNames { not_a_name, beyond_bound, cut_off } = missed;
        let sql = "INSERT OR REPLACE INTO name_missed (run, not_a_name, beyond_bound, cut_off) VALUES ($1, $2, $3, $4)";
        let insert = sqlx::query(sql).bind(run.0).bind(signed(not_a_name)).bind(signed(beyond_bound));
        insert.bind(signed(cut_off)).execute(&mut **transaction).await?;
    }
    Ok(())
}

impl Store {
    /// The names that runs of the filter's sites heard, each with its site, in order; of all times, for a name may have
    /// been told before the window. What does not read as a name is left out.
    pub async fn names(&self, filter: &Filter) -> Result<Vec<(String, NameSighting)>, StoreError> {
        let sql = "SELECT run.site, name.* FROM name JOIN run ON run.id = name.run
                   WHERE $1 IS NULL OR run.site = $1
                   ORDER BY run.site, address, name, name.source, used_by, name.run";
        let rows = sqlx::query(sql).bind(&filter.site).fetch_all(&self.pool).await?;
        let mut names = Vec::with_capacity(rows.len());
        for row in &rows {
            if !filter.exclude.contains(&RunId(row.try_get("run")?)) {
                let site: String = row.try_get("site")?;
                names.extend(read(row)?.map(|sighting| (site, sighting)));
            }
        }
        Ok(names)
    }
}

/// Copies the names that one run heard from one store to another; what does not read as a name is left out.
pub(super) async fn copy(
    (source, from): (&mut SqliteConnection, RunId),
    (target, to): (&mut Transaction<'static, Sqlite>, RunId),
) -> Result<(), StoreError> {
    const KEY: [&str; 4] = ["address", "name", "source", "used_by"];
    let mut pages = Pages::new("name", &KEY, from);
    loop {
        let rows = pages.next(source).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = rows.iter().filter_map(|row| read(row).transpose()).collect::<Result<_, _>>()?;
        write(target, to, &names).await?;
    }
}

/// `None` where the name or its source is none that this version writes.
fn read(row: &SqliteRow) -> Result<Option<NameSighting>, StoreError> {
    let source: &str = row.try_get("source")?;
    let source = NameSource::ALL.into_iter().find(|known| known.as_str() == source);
    let Some((name, source)) = HostName::parse(row.try_get("name")?).zip(source) else { return Ok(None) };
    let used_by: Vec<u8> = row.try_get("used_by")?;
    let used_by: Option<IpAddr> = if used_by.is_empty() { None } else { Some(address(&used_by)?) };
    let span = Span { first: Timestamp(row.try_get("first")?), last: Timestamp(row.try_get("last")?) };
    let times: i64 = row.try_get("times")?;
    let address = address(row.try_get("address")?)?;
    Ok(Some(NameSighting {
        address,
        name,
        source,
        used_by,
        ttl_s: row.try_get("ttl_s")?,
        span,
        times: times.unsigned_abs(),
    }))
}
