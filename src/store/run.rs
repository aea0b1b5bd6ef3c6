//! Runs: what was captured and imported, with its loss.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    Batch, DamagedHours, RunKind, Store, StoreError, content_id,
    observations::{self, Numbers},
};
use crate::model::{
    ApplicationSighting, Hour, LinkSighting, MissedNames, NameSighting, Note, Observation, ObservationKey, Sweep,
    Timestamp,
};

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
    /// What bounds left out or made an estimate, and what else there is to tell, with how often.
    pub notes: BTreeMap<Note, u64>,
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
    /// Where it comes from.
    pub kind: RunKind,
    /// Packets in it; records of a flow log.
    pub packets: u64,
    /// Packets or records that became flows.
    pub decoded: u64,
    /// What the packets were, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Those that did not.
    pub loss: Loss,
    /// Time of its first packet.
    pub first_packet: Option<Timestamp>,
    /// Time of its last packet.
    pub last_packet: Option<Timestamp>,
    /// What was tried in vain beyond the observations.
    pub sweeps: Vec<Sweep>,
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
    /// Under which run observations are written: none is in the store yet.
    id: Option<RunId>,
    /// The batches that were begun last, and up to which key they are written.
    numbers: Numbers,
    last: Option<ObservationKey>,
    batches: usize,
    learnt: Learnt,
}

/// What a run learnt beside observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Names of addresses.
    pub names: Vec<NameSighting>,
    /// What is spoken.
    pub applications: Vec<ApplicationSighting>,
    /// What frames said of their links.
    pub links: Vec<LinkSighting>,
}

impl Learnt {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.applications.is_empty() && self.links.is_empty()
    }

    async fn write(&self, transaction: &mut Transaction<'static, Sqlite>, run: RunId) -> Result<(), StoreError> {
        super::names::write(transaction, run, &self.names).await?;
        super::applications::write(transaction, run, &self.applications).await?;
        super::links::write(transaction, run, &self.links).await
    }
}

impl RunWriter {
    /// Writes observations in the order of their keys: early, to hold memory down, or all. Where they go on behind those before,
    /// nothing is to be brought together in the end.
    pub async fn write(&mut self, observations: &[Observation]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (observations.first(), observations.last()) else { return Ok(()) };
        let id = if let Some(id) = self.id {
            id
        } else {
            insert(&mut self.transaction, &Run { id: PROVISIONAL, ..Run::default() }).await?;
            *self.id.insert(PROVISIONAL)
        };
        if self.last.as_ref().is_none_or(|last| *last >= first.key) {
            self.batches += 1;
            self.numbers.clear();
        }
        self.last = Some(last.key.clone());
        observations::write_behind(&mut self.transaction, (id, &mut self.numbers), observations).await
    }

    /// Says which run it is, where that is known only now. Gives the run where the store has it already: then nothing more
    /// need be written.
    pub async fn identify(&mut self, run: &Run) -> Result<Option<Run>, StoreError> {
        if let Some(known) = find(&mut self.transaction, run.id).await? {
            return Ok(Some(known));
        }
        insert(&mut self.transaction, run).await?;
        if self.id == Some(PROVISIONAL) {
            for sql in
                ["UPDATE observation_part SET run = $1 WHERE run = $2", "DELETE FROM run WHERE id = $2 AND id <> $1"]
            {
                sqlx::query(sql).bind(run.id.0).bind(PROVISIONAL.0).execute(&mut *self.transaction).await?;
            }
        }
        self.id = Some(run.id);
        Ok(None)
    }

    /// Takes what was learnt beside. It is written at once where [`RunWriter::identify`] said which run this is, else at the end.
    pub async fn learn(&mut self, learnt: Learnt) -> Result<(), StoreError> {
        if let Some(id) = self.id.filter(|id| *id != PROVISIONAL) {
            return learnt.write(&mut self.transaction, id).await;
        }
        self.learnt = learnt;
        Ok(())
    }

    /// Writes the rest and keeps it all, unless the store has this run already. The run learns which rows hold a sample.
    pub async fn finish(mut self, run: &mut Run, observations: &[Observation]) -> Result<Written, StoreError> {
        if self.id != Some(run.id)
            && let Some(known) = self.identify(run).await?
        {
            return Ok(Written::Known(Box::new(known)));
        }
        self.write(observations).await?;
        let transaction = &mut self.transaction;
        if self.batches > 1 {
            observations::settle(transaction, run.id).await?;
        }
        let sampled = observations::sampled(transaction, run.id).await?;
        run.loss.notes.extend(Note::counted([(Note::Sampled, sampled)]));
        insert(transaction, run).await?;
        self.learnt.write(transaction, run.id).await?;
        self.transaction.commit().await?;
        Ok(Written::Added)
    }
}

impl Store {
    /// Begins to write a run.
    pub async fn begin_run(&self) -> Result<RunWriter, StoreError> {
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let (numbers, learnt) = Default::default();
        Ok(RunWriter { transaction, id: None, numbers, last: None, batches: 0, learnt })
    }

    /// Adds to a run that goes on, in one transaction: what a live capture does every few seconds. What it takes depends on
    /// what is added, and not on how long the run goes on. What is there of an hour and cannot be read is told.
    pub async fn extend_run(
        &self,
        run: &Run,
        observations: &[Observation],
        learnt: &Learnt,
    ) -> Result<Option<DamagedHours>, StoreError> {
        let mut batch = Batch::default();
        batch.add(observations);
        self.extend_run_by(run, &batch, learnt, &BTreeSet::new()).await
    }

    /// Adds to a run what is laid out already. Hours that were told to be damaged before are left alone.
    pub async fn extend_run_by(
        &self,
        run: &Run,
        batch: &Batch,
        learnt: &Learnt,
        damaged: &BTreeSet<(RunId, Hour)>,
    ) -> Result<Option<DamagedHours>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        insert(&mut transaction, run).await?;
        let mut hours = BTreeSet::new();
        for parts in batch.parts() {
            let mut numbers = Numbers::new();
            observations::write_parts(&mut transaction, (run.id, &mut numbers), parts).await?;
            hours.extend(numbers.into_keys());
        }
        let damage = observations::settle_after(&mut transaction, run.id, &hours, damaged).await?;
        learnt.write(&mut transaction, run.id).await?;
        stamp(&mut transaction, run).await?;
        transaction.commit().await?;
        Ok(damage)
    }

    /// All runs, by their first packet.
    pub async fn runs(&self) -> Result<Vec<Run>, StoreError> {
        let sql =
            "SELECT run.*, not_a_name, beyond_bound, cut_off FROM run LEFT JOIN name_missed ON name_missed.run = run.id
                   ORDER BY first_packet, source, id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let sql = "SELECT run, SUM(sampled) FROM seen_part WHERE sampled > 0 GROUP BY run";
        let sampled: Vec<(i64, i64)> = sqlx::query_as(sql).fetch_all(&self.pool).await?;
        let sampled: BTreeMap<i64, i64> = sampled.into_iter().collect();
        let mut sweeps = self.sweeps().await?;
        let whole = |row: &SqliteRow| {
            let mut run = read(row)?;
            // of a run that goes on it changes with every hour that is brought together or forgotten
            run.loss.notes.remove(&Note::Sampled);
            let sampled = sampled.get(&run.id.0).copied().unwrap_or_default().unsigned_abs();
            run.loss.notes.extend(Note::counted([(Note::Sampled, sampled)]));
            Ok(Run { sweeps: sweeps.remove(&run.id).unwrap_or_default(), ..run })
        };
        rows.iter().map(whole).collect()
    }

    /// Takes a run back with all that it saw; false where there is none of that id.
    pub async fn remove_run(&self, id: RunId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM run WHERE id = $1").bind(id.0).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Loss {
    /// Packets that the kernel or an interface dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_by_kernel.saturating_add(self.dropped_by_interface)
    }

    /// Flows that Hubble lost before its log had them.
    #[must_use]
    pub fn lost_flows(&self) -> u64 {
        self.notes.get(&Note::HubbleLost).copied().unwrap_or_default()
    }

    /// What never reached the capture or the log: packets, or flows.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.dropped().saturating_add(self.lost_flows())
    }
}

impl Run {
    /// Whether it is a flow log.
    #[must_use]
    pub fn is_records(&self) -> bool {
        matches!(self.kind, RunKind::Records | RunKind::Drops)
    }

    /// Whether it is damaged, or something in it was lost that nobody meant to leave out.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.loss.damage.is_some() || self.loss.notes.keys().any(Note::is_loss)
    }

    /// Whether it tells of nothing but what did not pass.
    #[must_use]
    pub fn is_drops(&self) -> bool {
        self.kind == RunKind::Drops
    }

    /// Whether an interface was watched, in the place of a file that was read.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.kind == RunKind::Live
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            id: PROVISIONAL,
            site: String::new(),
            sensor: String::new(),
            source: String::new(),
            kind: RunKind::default(),
            packets: 0,
            decoded: 0,
            kinds: BTreeMap::new(),
            loss: Loss::default(),
            first_packet: None,
            last_packet: None,
            sweeps: Vec::new(),
        }
    }
}

/// Writes into the file's head what no other file's tells, where something is new: who holds the file can tell it from another,
/// and from a copy of before. It is the number that SQLite leaves to applications.
async fn stamp(transaction: &mut Transaction<'static, Sqlite>, run: &Run) -> Result<(), StoreError> {
    let stamp = content_id(&[&run.id.0.to_le_bytes(), &run.packets.to_le_bytes()]) >> 32;
    let sql = format!("PRAGMA user_version = {stamp}");
    // each is another statement
    sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).execute(&mut **transaction).await?;
    Ok(())
}

pub(super) async fn find(transaction: &mut Transaction<'static, Sqlite>, id: RunId) -> Result<Option<Run>, StoreError> {
    let sql =
        "SELECT run.*, not_a_name, beyond_bound, cut_off FROM run LEFT JOIN name_missed ON name_missed.run = run.id
               WHERE id = $1";
    let row = sqlx::query(sql).bind(id.0).fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

/// Writes a run, or what is new of it.
pub(super) async fn insert(transaction: &mut Transaction<'static, Sqlite>, run: &Run) -> Result<(), StoreError> {
    // a live run is written again at every flush: its figures only grow
    sqlx::query(
        "INSERT INTO run (id, site, sensor, source, kind, packets, decoded, not_decoded, dropped_by_kernel,
                          dropped_by_interface, evicted, first_packet, last_packet, damage, bounds, kinds)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14, $15)
         ON CONFLICT (id) DO UPDATE SET
             packets = excluded.packets, decoded = excluded.decoded, not_decoded = excluded.not_decoded,
             dropped_by_kernel = excluded.dropped_by_kernel, dropped_by_interface = excluded.dropped_by_interface,
             bounds = excluded.bounds, first_packet = excluded.first_packet, last_packet = excluded.last_packet,
             damage = excluded.damage, kinds = excluded.kinds",
    )
    .bind(run.id.0)
    .bind(&run.site)
    .bind(&run.sensor)
    .bind(&run.source)
    .bind(run.kind.as_str())
    .bind(signed(run.packets))
    .bind(signed(run.decoded))
    .bind(serde_json::to_string(&run.loss.not_decoded).unwrap_or_default())
    .bind(signed(run.loss.dropped_by_kernel))
    .bind(signed(run.loss.dropped_by_interface))
    .bind(run.first_packet.map(|time| time.0))
    .bind(run.last_packet.map(|time| time.0))
    .bind(&run.loss.damage)
    .bind(serde_json::to_string(&run.loss.notes).unwrap_or_default())
    .bind(serde_json::to_string(&run.kinds).unwrap_or_default())
    .execute(&mut **transaction)
    .await?;
    super::sweeps::write(transaction, run.id, &run.sweeps).await?;
    super::names::write_missed(transaction, run.id, run.loss.names).await
}

fn read(row: &SqliteRow) -> Result<Run, sqlx::Error> {
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|nanos| nanos.map(Timestamp));
    let missed = |name: &str| row.try_get::<Option<i64>, _>(name).map(|count| count.unwrap_or_default().unsigned_abs());
    let mut notes: BTreeMap<Note, u64> = by_name(row, "bounds")?;
    // those of runs from before there was more than one bound
    notes.extend(Note::counted([(Note::TableFull, number("evicted")?)]));
    Ok(Run {
        id: RunId(row.try_get("id")?),
        site: row.try_get("site")?,
        sensor: row.try_get("sensor")?,
        source: row.try_get("source")?,
        kind: RunKind::read(row)?,
        packets: number("packets")?,
        decoded: number("decoded")?,
        kinds: by_name(row, "kinds")?,
        loss: Loss {
            not_decoded: by_name(row, "not_decoded")?,
            dropped_by_kernel: number("dropped_by_kernel")?,
            dropped_by_interface: number("dropped_by_interface")?,
            notes,
            names: MissedNames {
                not_a_name: missed("not_a_name")?,
                beyond_bound: missed("beyond_bound")?,
                cut_off: missed("cut_off")?,
            },
            damage: row.try_get("damage")?,
        },
        first_packet: time("first_packet")?,
        last_packet: time("last_packet")?,
        sweeps: Vec::new(),
    })
}

/// Counts, by what they are of.
pub(super) fn by_name<K: Ord + DeserializeOwned>(
    row: &SqliteRow,
    column: &str,
) -> Result<BTreeMap<K, u64>, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// SQLite's numbers are signed; no count of packets comes near the limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
