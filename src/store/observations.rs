//! Observations in and out.

use std::{collections::BTreeSet, future::poll_fn, net::IpAddr};

use foldhash::HashMap;

use sqlx::{FromRow, QueryBuilder, Sqlite, Transaction, query_builder::Separated, sqlite::SqliteRow};

use super::{RunId, Store, StoreError, codec, run::signed};
use crate::model::{Hour, Observation, ObservationKey, Opening, Protocol, Timestamp, TraceSet};

/// Rows in one INSERT: more gain nothing and come near SQLite's limit of bound values.
const ROWS_AT_ONCE: usize = 100;

/// What is read of a row. Every text costs, and there are millions of rows: what is mostly empty comes as nothing.
const COLUMNS: &str =
    "run, hour, protocol, opening, src, dst, dst_port, nullif(vlans, ''), nullif(tunnels, ''), connections, traces";

/// The same as values, by their places: names would be looked up in every row.
type Columns<'r> = (i64, i32, u8, bool, &'r [u8], &'r [u8], u16, Option<String>, Option<String>, i64, &'r [u8]);

/// Which observations to read.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this site only.
    pub site: Option<String>,
    /// Of hours that end after this.
    pub since: Option<Timestamp>,
    /// Of hours that begin before this.
    pub until: Option<Timestamp>,
    /// Not of these runs.
    pub exclude: BTreeSet<RunId>,
}

/// Writes observations of a run; `may_exist` where earlier parts of the same rows may be there already. Gives how many rows
/// have become a sample by it.
pub(super) async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    observations: &[Observation],
    may_exist: bool,
) -> Result<u64, StoreError> {
    let mut sampled = 0;
    for chunk in observations.chunks(ROWS_AT_ONCE) {
        let mut before = if may_exist { find(transaction, run, chunk).await? } else { HashMap::default() };
        let rows = chunk.iter().map(|observation| {
            let before = before.remove(&observation.key);
            let was_exact = before.as_ref().is_none_or(TraceSet::is_exact);
            let set = joined(before, &observation.traces);
            sampled += u64::from(was_exact && !set.is_exact());
            (&observation.key, set)
        });
        // a row that is there unexpectedly is a fault to be told, never one to be lost
        let verb = if may_exist { "INSERT OR REPLACE" } else { "INSERT" };
        let mut insert = QueryBuilder::<Sqlite>::new(verb);
        insert.push(
            " INTO observation (run, hour, protocol, opening, src, dst, dst_port, vlans, tunnels, connections, traces) ",
        );
        insert.push_values(rows, |mut values, (key, traces)| {
            push_key(&mut values, run, key);
            values.push_bind(signed(traces.total())).push_bind(codec::encode(&traces));
        });
        insert.build().execute(&mut **transaction).await?;
    }
    Ok(sampled)
}

/// What the run saw later, behind what it saw before.
fn joined(before: Option<TraceSet>, later: &TraceSet) -> TraceSet {
    let Some(mut set) = before else { return later.clone() };
    set.extend(later.clone());
    set
}

/// What is there already of these rows.
async fn find(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    observations: &[Observation],
) -> Result<HashMap<ObservationKey, TraceSet>, StoreError> {
    let mut select = QueryBuilder::<Sqlite>::new(
        "WITH wanted (run, hour, protocol, opening, src, dst, dst_port, vlans, tunnels) AS (",
    );
    select.push_values(observations, |mut values, observation| push_key(&mut values, run, &observation.key));
    select
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM wanted JOIN observation USING (run, hour, protocol, opening, src, dst, dst_port, vlans, tunnels)");
    let rows = select.build().fetch_all(&mut **transaction).await?;
    let entry = |row: &SqliteRow| read(row).map(|(_, observation)| (observation.key, observation.traces));
    rows.iter().map(entry).collect()
}

/// Binds the columns of the primary key, in their order.
fn push_key(values: &mut Separated<'_, Sqlite, &'static str>, run: RunId, key: &ObservationKey) {
    values
        .push_bind(run.0)
        .push_bind(key.hour.0)
        .push_bind(key.protocol.0)
        .push_bind(key.opening == Opening::Seen)
        .push_bind(octets(key.src))
        .push_bind(octets(key.dst))
        .push_bind(key.dst_port)
        .push_bind(key.vlans.clone())
        .push_bind(key.tunnels.clone());
}

impl Store {
    /// Hands over the observations that the filter lets through, one by one, by their runs and keys: all of them at once
    /// may be more than memory holds.
    pub async fn observations(
        &self,
        filter: &Filter,
        mut take: impl FnMut(RunId, Observation),
    ) -> Result<(), StoreError> {
        // the order is that of the primary key, so that nothing has to be sorted
        let mut select = QueryBuilder::<Sqlite>::new("SELECT ");
        select.push(COLUMNS).push(
            " FROM observation
             WHERE run IN (SELECT id FROM run WHERE $1 IS NULL OR site = $1)
                 AND ($2 IS NULL OR hour >= $2) AND ($3 IS NULL OR hour <= $3)
             ORDER BY run, hour, protocol, opening, src, dst, dst_port, vlans, tunnels",
        );
        let query = select
            .build()
            .bind(&filter.site)
            .bind(filter.since.map(|time| time.hour().0))
            .bind(filter.until.map(|time| time.hour().0));
        let mut rows = query.fetch(&self.pool);
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            let (run, observation) = read(&row?)?;
            if !filter.exclude.contains(&run) {
                take(run, observation);
            }
        }
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<(RunId, Observation), StoreError> {
    let (run, hour, protocol, is_seen, src, dst, dst_port, vlans, tunnels, total, traces) = Columns::from_row(row)?;
    let key = ObservationKey {
        hour: Hour(hour),
        protocol: Protocol(protocol),
        opening: if is_seen { Opening::Seen } else { Opening::Open },
        src: address(src)?,
        dst: address(dst)?,
        dst_port,
        vlans: vlans.unwrap_or_default(),
        tunnels: tunnels.unwrap_or_default(),
    };
    let traces = codec::decode(traces, total.unsigned_abs())
        .ok_or_else(|| StoreError::Damaged("the connections of an observation cannot be read".into()))?;
    Ok((RunId(run), Observation { key, traces }))
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(super) fn address(octets: &[u8]) -> Result<IpAddr, StoreError> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
    v4.or(v6).map_err(|_| StoreError::Damaged(format!("an address of {} bytes", octets.len())))
}
