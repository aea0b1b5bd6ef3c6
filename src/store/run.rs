//! Runs: what was captured and imported, with its loss.

use std::collections::BTreeMap;

use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, StoreError};
use crate::model::{LinkSighting, MissedNames, NameSighting, Observation, Timestamp};

/// A run's id, from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        i64::from_str_radix(text, 16).map(Self)
    }
}

/// Packets that did not become flows, and names that were not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Frames by the reason for which they were not decoded.
    pub not_decoded: BTreeMap<String, u64>,
    /// Never handed over by the kernel, for want of buffer.
    pub dropped_by_kernel: u64,
    /// Dropped by the interface or its driver.
    pub dropped_by_interface: u64,
    /// What bounds left out or made an estimate, with how often.
    pub bounds: BTreeMap<String, u64>,
    /// Names that were told and are not kept.
    pub names: MissedNames,
    /// Why the reading stopped before the end.
    pub damage: Option<String>,
}

/// One capture or import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// From its content.
    pub id: RunId,
    /// The site it belongs to.
    pub site: String,
    /// Where it was taken.
    pub sensor: String,
    /// The file's name, or the interface.
    pub source: String,
    /// `file`, `live`, or [`Run::RECORDS`].
    pub kind: String,
    /// Packets in it; records of a flow log.
    pub packets: u64,
    /// Packets or records that became flows.
    pub decoded: u64,
    /// Those that did not.
    pub loss: Loss,
    /// Time of its first packet.
    pub first_packet: Option<Timestamp>,
    /// Time of its last packet.
    pub last_packet: Option<Timestamp>,
}

/// What a run's writing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the store now.
    Added,
    /// Its content was there already, as this run; nothing was written.
    Known(Box<Run>),
}

/// Rows of a run whose id is not known before its end: no run has this id.
const PROVISIONAL: RunId = RunId(-1);

/// The bound of [`TraceSet::EXACT`](crate::model::TraceSet::EXACT), as [`Loss::bounds`] names it.
const SAMPLED: &str = "rows whose connections are estimated from a sample";

/// The name that the runs' first column for bounds had.
const EVICTED: &str = "connections written out early, the table was full";

/// Writes one run in one transaction; dropped unfinished, nothing of it stays.
pub struct RunWriter {
    transaction: Transaction<'static, Sqlite>,
    has_rows: bool,
    /// Rows that hold a sample.
    sampled: u64,
    names: Vec<NameSighting>,
    links: Vec<LinkSighting>,
}

impl RunWriter {
    /// Writes observations early, to hold memory down.
    pub async fn write(&mut self, observations: &[Observation]) -> Result<(), StoreError> {
        if !self.has_rows {
            let provisional = Run { id: PROVISIONAL, ..Run::default() };
            insert(&mut self.transaction, &provisional).await?;
        }
        self.sampled +=
            super::observations::write(&mut self.transaction, PROVISIONAL, observations, self.has_rows).await?;
        self.has_rows = true;
        Ok(())
    }

    /// The names to write with the rest.
    #[must_use]
    pub fn with_names(self, names: Vec<NameSighting>) -> Self {
        Self { names, ..self }
    }

    /// What was learnt of links, to write with the rest.
    #[must_use]
    pub fn with_links(self, links: Vec<LinkSighting>) -> Self {
        Self { links, ..self }
    }

    /// Writes the rest and keeps it all, unless the store has this run already. The run learns which rows hold a sample.
    pub async fn finish(mut self, run: &mut Run, observations: &[Observation]) -> Result<Written, StoreError> {
        if let Some(known) = find(&mut self.transaction, run.id).await? {
            return Ok(Written::Known(Box::new(known)));
        }
        insert(&mut self.transaction, run).await?;
        let id = if self.has_rows { PROVISIONAL } else { run.id };
        let newly = super::observations::write(&mut self.transaction, id, observations, self.has_rows).await?;
        run.loss.count_sampled(self.sampled + newly);
        insert(&mut self.transaction, run).await?;
        if self.has_rows {
            for sql in ["UPDATE observation SET run = $1 WHERE run = $2", "DELETE FROM run WHERE id = $2 AND id <> $1"]
            {
                sqlx::query(sql).bind(run.id.0).bind(PROVISIONAL.0).execute(&mut *self.transaction).await?;
            }
        }
        super::names::write(&mut self.transaction, run.id, &self.names).await?;
        super::links::write(&mut self.transaction, run.id, &self.links).await?;
        self.transaction.commit().await?;
        Ok(Written::Added)
    }
}

impl Store {
    /// Begins to write a run.
    pub async fn begin_run(&self) -> Result<RunWriter, StoreError> {
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(RunWriter { transaction, has_rows: false, sampled: 0, names: Vec::new(), links: Vec::new() })
    }

    /// Adds to a run that goes on, in one transaction: what a live capture does every few seconds.
    pub async fn extend_run(
        &self,
        run: &Run,
        observations: &[Observation],
        (names, links): (&[NameSighting], &[LinkSighting]),
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let known = find(&mut transaction, run.id).await?;
        insert(&mut transaction, run).await?;
        let newly = super::observations::write(&mut transaction, run.id, observations, known.is_some()).await?;
        let before = known.and_then(|known| known.loss.bounds.get(SAMPLED).copied()).unwrap_or_default();
        let mut run = run.clone();
        run.loss.count_sampled(before + newly);
        insert(&mut transaction, &run).await?;
        super::names::write(&mut transaction, run.id, names).await?;
        super::links::write(&mut transaction, run.id, links).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// All runs, by their first packet.
    pub async fn runs(&self) -> Result<Vec<Run>, StoreError> {
        let sql = "SELECT run.*, not_a_name, beyond_bound FROM run LEFT JOIN name_missed ON name_missed.run = run.id
                   ORDER BY first_packet, source, id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
    }

    /// Takes a run back with all that it saw; false where there is none of that id.
    pub async fn remove_run(&self, id: RunId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM run WHERE id = $1").bind(id.0).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Run {
    /// The kind of a flow log, which holds records in place of packets.
    pub const RECORDS: &'static str = "records";

    /// Whether it is a flow log.
    #[must_use]
    pub fn is_records(&self) -> bool {
        self.kind == Self::RECORDS
    }
}

impl Loss {
    fn count_sampled(&mut self, rows: u64) {
        if rows > 0 {
            self.bounds.insert(SAMPLED.to_owned(), rows);
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            id: PROVISIONAL,
            site: String::new(),
            sensor: String::new(),
            source: String::new(),
            kind: String::new(),
            packets: 0,
            decoded: 0,
            loss: Loss::default(),
            first_packet: None,
            last_packet: None,
        }
    }
}

async fn find(transaction: &mut Transaction<'static, Sqlite>, id: RunId) -> Result<Option<Run>, StoreError> {
    let sql = "SELECT run.*, not_a_name, beyond_bound FROM run LEFT JOIN name_missed ON name_missed.run = run.id
               WHERE id = $1";
    let row = sqlx::query(sql).bind(id.0).fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

async fn insert(transaction: &mut Transaction<'static, Sqlite>, run: &Run) -> Result<(), StoreError> {
    // a live run is written again at every flush: its figures only grow
    sqlx::query(
        "INSERT INTO run (id, site, sensor, source, kind, packets, decoded, not_decoded, dropped_by_kernel,
                          dropped_by_interface, evicted, first_packet, last_packet, damage, bounds)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14)
         ON CONFLICT (id) DO UPDATE SET
             packets = excluded.packets, decoded = excluded.decoded, not_decoded = excluded.not_decoded,
             dropped_by_kernel = excluded.dropped_by_kernel, dropped_by_interface = excluded.dropped_by_interface,
             bounds = excluded.bounds, first_packet = excluded.first_packet, last_packet = excluded.last_packet,
             damage = excluded.damage",
    )
    .bind(run.id.0)
    .bind(&run.site)
    .bind(&run.sensor)
    .bind(&run.source)
    .bind(&run.kind)
    .bind(signed(run.packets))
    .bind(signed(run.decoded))
    .bind(serde_json::to_string(&run.loss.not_decoded).unwrap_or_default())
    .bind(signed(run.loss.dropped_by_kernel))
    .bind(signed(run.loss.dropped_by_interface))
    .bind(run.first_packet.map(|time| time.0))
    .bind(run.last_packet.map(|time| time.0))
    .bind(&run.loss.damage)
    .bind(serde_json::to_string(&run.loss.bounds).unwrap_or_default())
    .execute(&mut **transaction)
    .await?;
    super::names::write_missed(transaction, run.id, run.loss.names).await
}

fn read(row: &SqliteRow) -> Result<Run, sqlx::Error> {
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|nanos| nanos.map(Timestamp));
    let missed = |name: &str| row.try_get::<Option<i64>, _>(name).map(|count| count.unwrap_or_default().unsigned_abs());
    let by_name = |name: &str| {
        let text: String = row.try_get(name)?;
        serde_json::from_str::<BTreeMap<String, u64>>(&text).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    let mut bounds = by_name("bounds")?;
    let evicted = number("evicted")?;
    if evicted > 0 {
        bounds.insert(EVICTED.to_owned(), evicted);
    }
    Ok(Run {
        id: RunId(row.try_get("id")?),
        site: row.try_get("site")?,
        sensor: row.try_get("sensor")?,
        source: row.try_get("source")?,
        kind: row.try_get("kind")?,
        packets: number("packets")?,
        decoded: number("decoded")?,
        loss: Loss {
            not_decoded: by_name("not_decoded")?,
            dropped_by_kernel: number("dropped_by_kernel")?,
            dropped_by_interface: number("dropped_by_interface")?,
            bounds,
            names: MissedNames { not_a_name: missed("not_a_name")?, beyond_bound: missed("beyond_bound")? },
            damage: row.try_get("damage")?,
        },
        first_packet: time("first_packet")?,
        last_packet: time("last_packet")?,
    })
}

/// SQLite's numbers are signed; no count of packets comes near the limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
