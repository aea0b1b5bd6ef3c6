//! Observations in and out: in parts (see [`super::part`]), which batches hold in the order of their keys.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
};

use rayon::prelude::*;
use sqlx::{Connection, FromRow, QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{
    DamagedHours, RunId, Store, StoreError, day,
    part::{self, Part, PartWriter},
    run::signed,
};
use crate::model::{Hour, Observation, ObservationKey, Timestamp, TraceSet};

/// Parts in one INSERT: a megabyte.
const PARTS_AT_ONCE: usize = 16;
/// Observations that one thread lays out at a time.
const ROWS_AT_ONCE: usize = 8_192;
/// Batches of an hour that goes on, above which they are brought into one.
const MAX_BATCHES: usize = 32;

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

impl Filter {
    /// Whether it lets an hour through.
    #[must_use]
    pub fn has(&self, hour: Hour) -> bool {
        self.since.is_none_or(|since| hour >= since.hour()) && self.until.is_none_or(|until| hour <= until.hour())
    }
}

/// Writes observations of a run, in the order of their keys, as a batch of its own in each hour.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    run: RunId,
    observations: &[Observation],
) -> Result<(), StoreError> {
    write_behind(connection, (run, &mut Numbers::new()), observations).await
}

/// Writes observations of a run behind what is in the batches that have begun.
pub(super) async fn write_behind(
    connection: &mut SqliteConnection,
    (run, numbers): (RunId, &mut Numbers),
    observations: &[Observation],
) -> Result<(), StoreError> {
    // what is laid out waits for SQLite: some at a time, so that it does not fill the memory
    for some in observations.chunks(ROWS_AT_ONCE * PARTS_AT_ONCE) {
        write_parts(connection, (run, numbers), &all_laid_out(some)).await?;
    }
    Ok(())
}

/// Lays observations out in the order of their keys.
pub(super) fn all_laid_out(observations: &[Observation]) -> Vec<Part> {
    if observations.len() <= ROWS_AT_ONCE {
        // a daemon's flush: it needs no other threads
        return laid_out(observations);
    }
    let parts: Vec<Vec<Part>> = observations.par_chunks(ROWS_AT_ONCE).map(laid_out).collect();
    parts.into_iter().flatten().collect()
}

/// A batch of an hour that is being written.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// Its number.
    pub batch: i64,
    /// How many parts of it are written.
    pub written: usize,
}

/// The batch that is being written of each hour.
pub(super) type Numbers = BTreeMap<Hour, Begun>;

/// Writes parts in the order of their hours, as a batch of its own in each that was not written to before.
pub(super) async fn write_parts(
    connection: &mut SqliteConnection,
    (run, numbers): (RunId, &mut Numbers),
    parts: &[Part],
) -> Result<(), StoreError> {
    for of_hour in parts.chunk_by(|a, b| a.hour == b.hour) {
        let Some(hour) = of_hour.first().map(|part| part.hour) else { continue };
        let begun = match numbers.get(&hour) {
            Some(begun) => *begun,
            None => Begun { batch: next_batch(connection, (run, hour)).await?, written: 0 },
        };
        insert(connection, run, begun, of_hour).await?;
        numbers.insert(hour, Begun { written: begun.written + of_hour.len(), ..begun });
    }
    Ok(())
}

/// The number of a new batch of an hour, after all that are there, also those that do not count: it is looked up by the hour, for
/// a run that goes on has a long history.
pub(super) async fn next_batch(
    connection: &mut SqliteConnection,
    (run, hour): (RunId, Hour),
) -> Result<i64, StoreError> {
    let sql = "SELECT 1 + MAX(0, (SELECT COALESCE(MAX(batch), 0) FROM observation_part WHERE run = $1 AND hour = $2),
                              (SELECT COALESCE(MAX(batch), 0) FROM hidden_batch WHERE run = $1 AND hour = $2))";
    Ok(sqlx::query_scalar(sql).bind(run.0).bind(hour.0).fetch_one(connection).await?)
}

fn laid_out(observations: &[Observation]) -> Vec<Part> {
    let mut parts = Vec::new();
    for hour in observations.chunk_by(|a, b| a.key.hour == b.key.hour) {
        let Some(first) = hour.first() else { continue };
        let mut writer = PartWriter::new(first.key.hour);
        for observation in hour {
            if writer.push(observation) {
                parts.push(std::mem::replace(&mut writer, PartWriter::new(first.key.hour)).finish());
            }
        }
        parts.extend(writer.finish_some());
    }
    parts
}

/// Writes further parts of a batch.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    run: RunId,
    Begun { batch, written }: Begun,
    parts: &[Part],
) -> Result<(), StoreError> {
    let numbered: Vec<(u64, &Part)> = (written as u64..).zip(parts).collect();
    for some in numbered.chunks(PARTS_AT_ONCE) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT INTO observation_part (run, hour, hours, batch, part, sampled, data) ");
        insert.push_values(some, |mut values, (n, part)| {
            values.push_bind(run.0).push_bind(part.hour.0).push_bind(part.hours);
            values.push_bind(batch).push_bind(signed(*n));
            values.push_bind(signed(part.sampled)).push_bind(&part.data[..]);
        });
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// How many observations of a run hold a sample of their connections.
pub(super) async fn sampled(connection: &mut SqliteConnection, run: RunId) -> Result<u64, StoreError> {
    let sql = "SELECT COALESCE(SUM(sampled), 0) FROM seen_part WHERE run = $1 AND sampled > 0";
    let sampled: i64 = sqlx::query_scalar(sql).bind(run.0).fetch_one(connection).await?;
    Ok(sampled.unsigned_abs())
}

/// Brings the batches of all hours of a run into one each, so that every key is there once.
pub(super) async fn settle(connection: &mut SqliteConnection, run: RunId) -> Result<(), StoreError> {
    let sql = "SELECT run, hour, batch, part FROM seen_part
               WHERE run = $1 AND hours = 1 ORDER BY hour, batch, part";
    let places: Vec<Place> = sqlx::query_as(sql).bind(run.0).fetch_all(&mut *connection).await?;
    for hour in places.chunk_by(|a, b| a.hour == b.hour) {
        if batches(hour) > 1 {
            settle_hour(connection, run, hour).await?;
        }
    }
    Ok(())
}

/// Brings batches together after something was added to these hours of a run that goes on: the hours before them are over, and
/// they have not too many batches. Other hours are not looked at, for there may be many. Where an hour cannot be read it stays
/// as it is; the last of them is returned. Those that are known to be such are not tried again.
pub(super) async fn settle_after(
    connection: &mut SqliteConnection,
    run: RunId,
    hours: &BTreeSet<Hour>,
    damaged: &BTreeSet<(RunId, Hour)>,
) -> Result<Option<DamagedHours>, StoreError> {
    let mut damage = None;
    let is_whole = |hour: &Hour| !damaged.contains(&(run, *hour));
    for hour in hours {
        if is_whole(hour) {
            damage = settle_above(connection, (run, *hour), MAX_BATCHES).await?.or(damage);
        }
        let sql = "SELECT hour FROM observation_part WHERE run = $1 AND hour < $2 ORDER BY hour DESC LIMIT 1";
        let before = sqlx::query_scalar(sql).bind(run.0).bind(hour.0).fetch_optional(&mut *connection).await?;
        if let Some(before) = before.map(Hour).filter(|before| !hours.contains(before) && is_whole(before)) {
            damage = settle_above(connection, (run, before), 1).await?.or(damage);
        }
    }
    Ok(damage)
}

/// Brings the batches of an hour into one where there are more than so many.
async fn settle_above(
    connection: &mut SqliteConnection,
    (run, hour): (RunId, Hour),
    most: usize,
) -> Result<Option<DamagedHours>, StoreError> {
    let sql = "SELECT run, hour, batch, part FROM seen_part
               WHERE run = $1 AND hour = $2 AND hours = 1 ORDER BY batch, part";
    let places: Vec<Place> = sqlx::query_as(sql).bind(run.0).bind(hour.0).fetch_all(&mut *connection).await?;
    if batches(&places) <= most {
        return Ok(None);
    }
    let mut step = connection.begin().await?;
    match settle_hour(&mut step, run, &places).await {
        Err(StoreError::Damaged(why)) => {
            step.rollback().await?;
            Ok(Some(DamagedHours { run, hour, hours: 1, why }))
        }
        settled => {
            settled?;
            step.commit().await?;
            Ok(None)
        }
    }
}

/// How many batches parts of an hour are of, in their order.
fn batches(places: &[Place]) -> usize {
    places.chunk_by(|a, b| a.batch == b.batch).count()
}

async fn settle_hour(connection: &mut SqliteConnection, run: RunId, places: &[Place]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(()) };
    let batch = next_batch(connection, (run, first.hour)).await?;
    let mut merge = Merge::new(places);
    let mut writer = PartWriter::new(first.hour);
    let mut begun = Begun { batch, written: 0 };
    while let Some(observation) = merge.next(connection).await? {
        if writer.push(&observation) {
            let part = std::mem::replace(&mut writer, PartWriter::new(first.hour)).finish();
            insert(connection, run, begun, &[part]).await?;
            begun.written += 1;
        }
    }
    insert(connection, run, begun, &Vec::from_iter(writer.finish_some())).await?;
    sqlx::query("DELETE FROM observation_part WHERE run = $1 AND hour = $2 AND hours = 1 AND batch <= $3")
        .bind(run.0)
        .bind(first.hour.0)
        .bind(last.batch)
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Hands over the observations that the filter lets through, one by one, by their runs and keys, each key of a run once:
    /// all of them at once may be more than memory holds.
    pub async fn observations(&self, filter: &Filter, take: impl FnMut(RunId, Observation)) -> Result<(), StoreError> {
        // of one moment: whoever writes meanwhile brings batches into one; also where a moment is held already
        let mut connection = self.pool.acquire().await?;
        sqlx::query("SAVEPOINT observations").execute(&mut *connection).await?;
        let read = read_all(&mut connection, filter, take).await;
        sqlx::query("RELEASE observations").execute(&mut *connection).await?;
        read
    }
}

async fn read_all(
    connection: &mut SqliteConnection,
    filter: &Filter,
    mut take: impl FnMut(RunId, Observation),
) -> Result<(), StoreError> {
    let places: Vec<Place> = sqlx::query_as(
        "SELECT run, hour, batch, part FROM seen_part
         WHERE run IN (SELECT id FROM run WHERE $1 IS NULL OR site = $1)
             AND ($2 IS NULL OR hour + hours > $2) AND ($3 IS NULL OR hour <= $3)
         ORDER BY run, hour, hours, batch, part",
    )
    .bind(&filter.site)
    .bind(filter.since.map(|time| time.hour().0))
    .bind(filter.until.map(|time| time.hour().0))
    .fetch_all(&mut *connection)
    .await?;
    for hour in places.chunk_by(|a, b| (a.run, a.hour) == (b.run, b.hour)) {
        let Some(run) = hour.first().map(|place| place.run).filter(|run| !filter.exclude.contains(run)) else {
            continue;
        };
        let mut merge = Merge::new(hour);
        while let Some(observation) = merge.next(connection).await? {
            // of a day some hours may lie outside
            if filter.has(observation.key.hour) {
                take(run, observation);
            }
        }
    }
    Ok(())
}

/// What counts of a run's day, in the order of the keys, each once.
pub(super) async fn of_day(
    connection: &mut SqliteConnection,
    run: RunId,
    day: Hour,
) -> Result<Vec<Observation>, StoreError> {
    let places: Vec<Place> = sqlx::query_as(
        "SELECT run, hour, batch, part FROM seen_part WHERE run = $1 AND hour >= $2 AND hour < $3
         ORDER BY hour, hours, batch, part",
    )
    .bind(run.0)
    .bind(day.0)
    .bind(day::end_of(day).0)
    .fetch_all(&mut *connection)
    .await?;
    let mut all: BTreeMap<ObservationKey, TraceSet> = BTreeMap::new();
    for hour in places.chunk_by(|a, b| a.hour == b.hour) {
        let mut merge = Merge::new(hour);
        while let Some(Observation { key, traces }) = merge.next(connection).await? {
            all.entry(key).or_default().extend(traces);
        }
    }
    Ok(all.into_iter().map(|(key, traces)| Observation { key, traces }).collect())
}

/// Where a part is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    run: RunId,
    hour: Hour,
    batch: i64,
    part: i64,
}

impl FromRow<'_, SqliteRow> for Place {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let (run, hour) = (RunId(row.try_get("run")?), Hour(row.try_get("hour")?));
        Ok(Self { run, hour, batch: row.try_get("batch")?, part: row.try_get("part")? })
    }
}

/// The batches of one run and hour, read side by side, a part of each at a time.
pub(super) struct Merge {
    cursors: Vec<Cursor>,
}

struct Cursor {
    parts: VecDeque<Place>,
    /// The next one, and those after it of the same part.
    head: Option<Observation>,
    rest: Option<part::Rows>,
}

impl Merge {
    /// Over parts in the order of their hours and batches.
    pub fn new(places: &[Place]) -> Self {
        let cursor = |batch: &[Place]| Cursor { parts: batch.iter().copied().collect(), head: None, rest: None };
        Self { cursors: places.chunk_by(|a, b| (a.hour, a.batch) == (b.hour, b.batch)).map(cursor).collect() }
    }

    /// Reads on where a part is used up; what has no more is left out.
    async fn fill(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.cursors.iter().all(|cursor| cursor.head.is_some()) {
            return Ok(());
        }
        for cursor in &mut self.cursors {
            cursor.fill(connection).await?;
        }
        self.cursors.retain(|cursor| cursor.head.is_some());
        Ok(())
    }

    /// The next observation in the order of the keys, whole.
    async fn next(&mut self, connection: &mut SqliteConnection) -> Result<Option<Observation>, StoreError> {
        self.fill(connection).await?;
        if let [only] = &mut self.cursors[..] {
            return only.take_if(|_| true);
        }
        // of equal ones the first
        let heads = self.cursors.iter_mut().filter(|cursor| cursor.head.is_some());
        let first = heads.min_by(|a, b| a.key().cmp(&b.key()));
        let Some(first) = first else { return Ok(None) };
        let Some(mut whole) = first.take_if(|_| true)? else { return Ok(None) };
        for cursor in &mut self.cursors {
            while let Some(later) = cursor.take_if(|later| later.key == whole.key)? {
                whole.traces.extend(later.traces);
            }
        }
        Ok(Some(whole))
    }
}

impl Merge {
    /// Of several hours: what they saw between the next two ends, in their order; none where there is no more.
    pub async fn next_of_day(&mut self, connection: &mut SqliteConnection) -> Result<Vec<Observation>, StoreError> {
        self.fill(connection).await?;
        let heads = self.cursors.iter().filter_map(Cursor::key);
        let Some(first) = heads.min_by(|a, b| ends(a).cmp(&ends(b))).cloned() else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        for cursor in &mut self.cursors {
            // a day that was whole before has several of its hours
            while let Some(row) = cursor.take_if(|head| ends(&head.key) == ends(&first))? {
                rows.push(row);
            }
        }
        rows.sort_by_key(|row| row.key.hour);
        Ok(rows)
    }
}

/// All of a key but its hour.
fn ends(key: &ObservationKey) -> impl Ord {
    let ObservationKey { hour: _, protocol, opening, src, dst, dst_port, vlans, tunnels } = key;
    (*protocol, *opening, *src, *dst, *dst_port, vlans, tunnels)
}

impl Cursor {
    fn key(&self) -> Option<&ObservationKey> {
        self.head.as_ref().map(|head| &head.key)
    }

    /// Takes the next one out, where it is such a one.
    fn take_if(&mut self, is_such: impl Fn(&Observation) -> bool) -> Result<Option<Observation>, StoreError> {
        let Some(row) = self.head.take_if(|head| is_such(head)) else { return Ok(None) };
        self.move_on()?;
        Ok(Some(row))
    }

    fn move_on(&mut self) -> Result<(), StoreError> {
        self.head = self.rest.as_mut().and_then(Iterator::next).transpose().map_err(damaged)?;
        Ok(())
    }

    /// Reads the next part where the last one is used up.
    async fn fill(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        while self.head.is_none() {
            let Some(Place { run, hour, batch, part }) = self.parts.pop_front() else { break };
            let sql = "SELECT data FROM observation_part WHERE (run, hour, batch, part) = ($1, $2, $3, $4)";
            let query = sqlx::query(sql).bind(run.0).bind(hour.0).bind(batch).bind(part);
            let row = query.fetch_one(&mut *connection).await?;
            self.rest = Some(part::Rows::new(hour, row.try_get("data")?).map_err(damaged)?);
            self.move_on()?;
        }
        Ok(())
    }
}

fn damaged(part::Unreadable: part::Unreadable) -> StoreError {
    StoreError::Damaged("observations cannot be read".into())
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
