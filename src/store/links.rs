//! Sightings of links in and out.

use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    Filter, RunId, Store, StoreError,
    insert::insert_all,
    observations::{address, octets},
    pages::Pages,
    run::signed,
};
use crate::model::{Hops, How, LinkKey, LinkSighting, Mac, Span, Timestamp};

/// VLANs that are not known: no stack is written so.
const UNKNOWN_VLANS: &str = "?";

/// How it is written, and what becomes of a row that is there.
const INSERT: (&str, &str) = (
    "INSERT INTO link_sighting
     (run, interface, vlans, how, mac, address, prefix, first, last, packets, received, hop_high, hop_low) ",
    " ON CONFLICT (run, interface, vlans, how, mac, address, prefix) DO UPDATE SET
         first = min(first, excluded.first), last = max(last, excluded.last),
         packets = max(packets, excluded.packets), received = max(received, excluded.received),
         hop_low = CASE WHEN excluded.hop_high = 0 THEN hop_low WHEN hop_high = 0 THEN excluded.hop_low
                        ELSE min(hop_low, excluded.hop_low) END,
         hop_high = max(hop_high, excluded.hop_high)",
);

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

/// Writes what a run learnt: what is there already grows to it, as where one run meets another ([`LinkSighting::merge`]).
pub(super) async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    sightings: &[LinkSighting],
) -> Result<(), StoreError> {
    insert_all(transaction, sightings, INSERT, |values, LinkSighting { key, span, packets, received, hops }| {
        values
            .push_bind(run.0)
            .push_bind(&key.interface)
            .push_bind(key.vlans.map_or_else(|| UNKNOWN_VLANS.to_owned(), |vlans| vlans.to_string()))
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
    })
    .await
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

/// Copies what one run learnt about links from one store to another.
pub(super) async fn copy(
    (source, from): (&mut SqliteConnection, RunId),
    (target, to): (&mut Transaction<'static, Sqlite>, RunId),
) -> Result<(), StoreError> {
    const KEY: [&str; 6] = ["interface", "vlans", "how", "mac", "address", "prefix"];
    let mut pages = Pages::new("link_sighting", &KEY, from);
    loop {
        let rows = pages.next(source).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let sightings: Vec<_> = rows.iter().map(read).collect::<Result<_, _>>()?;
        write(target, to, &sightings).await?;
    }
}

fn read(row: &SqliteRow) -> Result<LinkSighting, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of a sighting cannot be read"));
    let how: &str = row.try_get("how")?;
    let mac: &[u8] = row.try_get("mac")?;
    let octets: &[u8] = row.try_get("address")?;
    let vlans: &str = row.try_get("vlans")?;
    let packets: i64 = row.try_get("packets")?;
    let received: i64 = row.try_get("received")?;
    let key = LinkKey {
        interface: row.try_get("interface")?,
        vlans: match vlans {
            UNKNOWN_VLANS => None,
            vlans => Some(vlans.parse().map_err(|_| damaged("the VLANs"))?),
        },
        how: How::of(how).ok_or_else(|| damaged("the kind"))?,
        mac: mac.try_into().map(Mac).map_err(|_| damaged("the MAC"))?,
        address: (!octets.is_empty()).then(|| address(octets)).transpose()?,
        prefix: row.try_get("prefix")?,
    };
    let span = Span { first: Timestamp(row.try_get("first")?), last: Timestamp(row.try_get("last")?) };
    let hops = Hops { high: row.try_get("hop_high")?, low: row.try_get("hop_low")? };
    Ok(LinkSighting { key, span, packets: packets.unsigned_abs(), received: received.unsigned_abs(), hops })
}
