//! Sightings of links in and out.

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    Filter, RunId, Store, StoreError,
    observations::{address, octets},
    run::signed,
    run::{MOST_OF_RUN, check_bound},
};
use crate::model::{Hops, How, LinkKey, LinkSighting, Mac, Span, Timestamp};

/// Rows in one INSERT, as for observations.
const ROWS_AT_ONCE: usize = 500;

/// VLANs that are not known: no stack is written so.
const UNKNOWN_VLANS: &str = "?";

/// A sighting and where it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLink {
    /// The run's site.
    pub site: String,
    /// Where the run was taken.
    pub sensor: String,
    /// The run's file, or interface.
    pub source: String,
    /// What it learnt.
    pub sighting: LinkSighting,
}

/// Writes what a run learnt; what it knew before, it knows in full now.
pub(super) async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    sightings: &[LinkSighting],
) -> Result<(), StoreError> {
    insert(transaction, run, sightings, "INSERT OR REPLACE").await
}

/// The same of what an earlier copy of the run learnt: what is there already goes further.
pub(super) async fn write_new(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    sightings: &[LinkSighting],
) -> Result<(), StoreError> {
    insert(transaction, run, sightings, "INSERT OR IGNORE").await
}

async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    sightings: &[LinkSighting],
    verb: &'static str,
) -> Result<(), StoreError> {
    for chunk in sightings.chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::<Sqlite>::new(verb);
        insert.push(
            " INTO link_sighting
             (run, interface, vlans, how, mac, address, prefix, first, last, packets, received, hop_high, hop_low) ",
        );
        insert.push_values(chunk, |mut values, LinkSighting { key, span, packets, received, hops }| {
            values
                .push_bind(run.0)
                .push_bind(&key.interface)
                .push_bind(key.vlans.as_deref().unwrap_or(UNKNOWN_VLANS))
                .push_bind(key.how.as_str())
                .push_bind(key.mac.0.to_vec())
                .push_bind(key.address.map(octets).unwrap_or_default())
                .push_bind(key.prefix)
                .push_bind(span.first.0)
                .push_bind(span.last.0)
                .push_bind(signed(*packets))
                .push_bind(signed(*received))
                .push_bind(hops.high)
                .push_bind(hops.low);
        });
        insert.build().execute(&mut **transaction).await?;
    }
    Ok(())
}

impl Store {
    /// What was learnt about links, by site, sensor and source; all that was seen in the filter's time.
    pub async fn link_sightings(&self, filter: &Filter) -> Result<Vec<SeenLink>, StoreError> {
        let rows = sqlx::query(
            "SELECT run.site, run.sensor, run.source, link_sighting.* FROM link_sighting JOIN run ON run.id = link_sighting.run
             WHERE ($1 IS NULL OR run.site = $1) AND ($2 IS NULL OR last >= $2) AND ($3 IS NULL OR first <= $3)
             ORDER BY run.site, run.sensor, run.source, interface, vlans, how, mac, address, prefix, run",
        )
        .bind(&filter.site)
        .bind(filter.since.map(|time| time.0))
        .bind(filter.until.map(|time| time.0))
        .fetch_all(&self.pool)
        .await?;
        let mut seen = Vec::with_capacity(rows.len());
        for row in &rows {
            if !filter.exclude.contains(&RunId(row.try_get("run")?)) {
                let (site, sensor, source) = (row.try_get("site")?, row.try_get("sensor")?, row.try_get("source")?);
                seen.push(SeenLink { site, sensor, source, sighting: read(row)? });
            }
        }
        Ok(seen)
    }
}

/// What one run learnt about links.
pub(super) async fn of_run(connection: &mut SqliteConnection, run: RunId) -> Result<Vec<LinkSighting>, StoreError> {
    let sql = "SELECT * FROM link_sighting WHERE run = $1 LIMIT $2";
    let rows = sqlx::query(sql).bind(run.0).bind(MOST_OF_RUN).fetch_all(connection).await?;
    check_bound(&rows, "sightings of links")?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<LinkSighting, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of a sighting cannot be read"));
    let how: &str = row.try_get("how")?;
    let mac: &[u8] = row.try_get("mac")?;
    let octets: &[u8] = row.try_get("address")?;
    let vlans: String = row.try_get("vlans")?;
    let packets: i64 = row.try_get("packets")?;
    let received: i64 = row.try_get("received")?;
    let key = LinkKey {
        interface: row.try_get("interface")?,
        vlans: (vlans != UNKNOWN_VLANS).then_some(vlans),
        how: How::of(how).ok_or_else(|| damaged("the kind"))?,
        mac: mac.try_into().map(Mac).map_err(|_| damaged("the MAC"))?,
        address: (!octets.is_empty()).then(|| address(octets)).transpose()?,
        prefix: row.try_get("prefix")?,
    };
    let span = Span { first: Timestamp(row.try_get("first")?), last: Timestamp(row.try_get("last")?) };
    let hops = Hops { high: row.try_get("hop_high")?, low: row.try_get("hop_low")? };
    Ok(LinkSighting { key, span, packets: packets.unsigned_abs(), received: received.unsigned_abs(), hops })
}
