//! Sums of attempts in vain, in and out.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    RunId, Store, StoreError,
    insert::insert_all,
    observations::{address, octets},
    run::signed,
};
use crate::model::{Hour, Protocol, Span, Sweep, Timestamp};

/// How they are written, and what becomes of a row that is there; one that tells nothing new is not written.
const INSERT: (&str, &str) = (
    "INSERT INTO sweep
     (run, hour, protocol, src, attempts, packets, bytes, hosts, targets, ports, first, last) ",
    " ON CONFLICT (run, hour, protocol, src) DO UPDATE SET
         attempts = MAX(attempts, excluded.attempts), packets = MAX(packets, excluded.packets),
         bytes = MAX(bytes, excluded.bytes), hosts = MAX(hosts, excluded.hosts),
         targets = MAX(targets, excluded.targets), ports = MAX(ports, excluded.ports),
         first = MIN(first, excluded.first), last = MAX(last, excluded.last)
         WHERE excluded.attempts > attempts OR excluded.first < first OR excluded.last > last",
);

/// Writes what a run has summed up: what it knew before, it knows in full now. After a jump of the clock it may begin again
/// with an hour of which it told before: then the larger figures hold.
pub(super) async fn write(connection: &mut SqliteConnection, run: RunId, sweeps: &[Sweep]) -> Result<(), StoreError> {
    insert_all(connection, sweeps, INSERT, |values, sweep| {
        values.push_bind(run.0).push_bind(sweep.hour.0).push_bind(sweep.protocol.0).push_bind(octets(sweep.src));
        for count in [sweep.attempts, sweep.packets, sweep.bytes, sweep.hosts, sweep.targets] {
            values.push_bind(signed(count));
        }
        values.push_bind(sweep.ports).push_bind(sweep.span.first.0).push_bind(sweep.span.last.0);
    })
    .await
}

impl Store {
    /// What runs have summed up, by run, hour, protocol and source.
    pub(super) async fn sweeps(&self) -> Result<BTreeMap<RunId, Vec<Sweep>>, StoreError> {
        let sql = "SELECT * FROM sweep ORDER BY run, hour, protocol, src";
        let mut by_run: BTreeMap<RunId, Vec<Sweep>> = BTreeMap::new();
        for row in sqlx::query(sql).fetch_all(&self.pool).await? {
            by_run.entry(RunId(row.try_get("run")?)).or_default().push(read(&row)?);
        }
        Ok(by_run)
    }
}

fn read(row: &SqliteRow) -> Result<Sweep, StoreError> {
    let count = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok(Sweep {
        hour: Hour(row.try_get("hour")?),
        protocol: Protocol(row.try_get("protocol")?),
        src: address(row.try_get("src")?)?,
        attempts: count("attempts")?,
        packets: count("packets")?,
        bytes: count("bytes")?,
        hosts: count("hosts")?,
        targets: count("targets")?,
        ports: row.try_get("ports")?,
        span: Span { first: Timestamp(row.try_get("first")?), last: Timestamp(row.try_get("last")?) },
    })
}
