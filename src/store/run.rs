//! Runs: what was captured and imported, with its loss.

use std::collections::BTreeMap;

use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, StoreError};
use crate::model::{MissedNames, NameSighting, Observation, Timestamp};

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
    /// Connections written out early because the table was full.
    pub evicted: u64,
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
    /// `file` or `live`.
    pub kind: String,
    /// Packets in it.
    pub packets: u64,
    /// Packets that became flows.
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

/// Writes one run in one transaction; dropped unfinished, nothing of it stays.
pub struct RunWriter {
    transaction: Transaction<'static, Sqlite>,
    has_rows: bool,
    names: Vec<NameSighting>,
}

impl RunWriter {
    /// Writes observations early, to hold memory down.
    pub async fn write(&mut self, observations: &[Observation]) -> Result<(), StoreError> {
        if !self.has_rows {
            let provisional = Run { id: PROVISIONAL, ..Run::default() };
            insert(&mut self.transaction, &provisional).await?;
        }
        super::observations::write(&mut self.transaction, PROVISIONAL, observations, self.has_rows).await?;
        self.has_rows = true;
        Ok(())
    }

    /// The names to write with the rest.
    #[must_use]
    pub fn with_names(self, names: Vec<NameSighting>) -> Self {
        Self { names, ..self }
    }

    /// Writes the rest and keeps it all, unless the store has this run already.
    pub async fn finish(mut self, run: &Run, observations: &[Observation]) -> Result<Written, StoreError> {
        if let Some(known) = find(&mut self.transaction, run.id).await? {
            return Ok(Written::Known(Box::new(known)));
        }
        insert(&mut self.transaction, run).await?;
        if self.has_rows {
            super::observations::write(&mut self.transaction, PROVISIONAL, observations, true).await?;
            for sql in ["UPDATE observation SET run = $1 WHERE run = $2", "DELETE FROM run WHERE id = $2 AND id <> $1"]
            {
                sqlx::query(sql).bind(run.id.0).bind(PROVISIONAL.0).execute(&mut *self.transaction).await?;
            }
        } else {
            super::observations::write(&mut self.transaction, run.id, observations, false).await?;
        }
        super::names::write(&mut self.transaction, run.id, &self.names).await?;
        self.transaction.commit().await?;
        Ok(Written::Added)
    }
}

impl Store {
    /// Begins to write a run.
    pub async fn begin_run(&self) -> Result<RunWriter, StoreError> {
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(RunWriter { transaction, has_rows: false, names: Vec::new() })
    }

    /// Adds to a run that goes on, in one transaction: what a live capture does every few seconds.
    pub async fn extend_run(
        &self,
        run: &Run,
        observations: &[Observation],
        names: &[NameSighting],
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let is_known = find(&mut transaction, run.id).await?.is_some();
        insert(&mut transaction, run).await?;
        super::observations::write(&mut transaction, run.id, observations, is_known).await?;
        super::names::write(&mut transaction, run.id, names).await?;
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
                          dropped_by_interface, evicted, first_packet, last_packet, damage)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (id) DO UPDATE SET
             packets = excluded.packets, decoded = excluded.decoded, not_decoded = excluded.not_decoded,
             dropped_by_kernel = excluded.dropped_by_kernel, dropped_by_interface = excluded.dropped_by_interface,
             evicted = excluded.evicted, first_packet = excluded.first_packet, last_packet = excluded.last_packet,
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
    .bind(signed(run.loss.evicted))
    .bind(run.first_packet.map(|time| time.0))
    .bind(run.last_packet.map(|time| time.0))
    .bind(&run.loss.damage)
    .execute(&mut **transaction)
    .await?;
    super::names::write_missed(transaction, run.id, run.loss.names).await
}

fn read(row: &SqliteRow) -> Result<Run, sqlx::Error> {
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|nanos| nanos.map(Timestamp));
    let missed = |name: &str| row.try_get::<Option<i64>, _>(name).map(|count| count.unwrap_or_default().unsigned_abs());
    let not_decoded: String = row.try_get("not_decoded")?;
    Ok(Run {
        id: RunId(row.try_get("id")?),
        site: row.try_get("site")?,
        sensor: row.try_get("sensor")?,
        source: row.try_get("source")?,
        kind: row.try_get("kind")?,
        packets: number("packets")?,
        decoded: number("decoded")?,
        loss: Loss {
            not_decoded: serde_json::from_str(&not_decoded).map_err(|error| sqlx::Error::Decode(error.into()))?,
            dropped_by_kernel: number("dropped_by_kernel")?,
            dropped_by_interface: number("dropped_by_interface")?,
            evicted: number("evicted")?,
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
