//! Days that are over some time are brought into one each, in small transactions between which others write. A batch that
//! does not count, or no longer, is hidden: see `migrations/0014_hidden_batches.sql`.

use std::collections::BTreeSet;

use sqlx::{Row, SqliteConnection};

use super::{
    DamagedHours, RunId, RunKind, Store, StoreError,
    day::{self, DayRow, HOURS},
    observations::{self, Begun, Merge, Place},
    part::{Part, PartWriter},
};
use crate::model::{Hour, Timestamp};

/// Parts written in one transaction: a megabyte.
const PARTS_AT_ONCE: usize = 16;
/// Parts taken out in one transaction: four megabytes, which only become free.
const PARTS_OUT_AT_ONCE: i64 = 64;

/// How far the bringing together of days has come, kept between its steps. Where it is lost, a day is begun again.
#[derive(Default)]
pub struct Thinning {
    going_on: Option<Day>,
    /// Days that cannot be read: the others go on.
    damaged: BTreeSet<(RunId, Hour)>,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thinned {
    /// Nothing is left to do.
    Done,
    /// There is more.
    Some,
    /// A day cannot be read, and is left as it is from now on; there may be more.
    Damaged(DamagedHours),
}

/// A day of a run on its way.
struct Day {
    run: RunId,
    /// Its first hour.
    begin: Hour,
    /// What is written of it, hidden until it is whole.
    begun: Begun,
    /// The parts that it is made of, as they were when it was begun.
    places: Vec<Place>,
    merge: Merge,
    writer: PartWriter,
}

impl Store {
    /// Brings some of the hours of live captures before this time, in whole days, into days, and takes out some of what does
    /// not count any more; without a time only that.
    pub async fn thin_some(&self, thinning: &mut Thinning, before: Option<Timestamp>) -> Result<Thinned, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut day = match thinning.going_on.take() {
            Some(day) => day,
            None if take_hidden_out(&mut transaction).await? => {
                transaction.commit().await?;
                return Ok(Thinned::Some);
            }
            None => match begin(&mut transaction, before, &thinning.damaged).await? {
                Some(day) => day,
                None => return Ok(Thinned::Done),
            },
        };
        match day.go_on(&mut transaction).await {
            Ok(is_done) => {
                transaction.commit().await?;
                // only now: what was not committed would be missing in the day
                thinning.going_on = (!is_done).then_some(day);
                Ok(Thinned::Some)
            }
            Err(StoreError::Damaged(why)) => {
                transaction.rollback().await?;
                thinning.damaged.insert((day.run, day.begin));
                Ok(Thinned::Damaged(DamagedHours { run: day.run, hour: day.begin, hours: HOURS, why }))
            }
            Err(error) => Err(error),
        }
    }

    /// The days of the filter's site that are kept as one, as their first hours, from the first to the last; `None` where all
    /// hours are kept.
    pub async fn thinned(&self, site: Option<&str>) -> Result<Option<(Hour, Hour)>, StoreError> {
        let sql = "SELECT MIN(hour), MAX(hour) FROM seen_part
                   WHERE hours > 1 AND +run IN (SELECT id FROM run WHERE $1 IS NULL OR site = $1)";
        let row = sqlx::query(sql).bind(site).fetch_one(&self.pool).await?;
        let (first, last): (Option<i32>, Option<i32>) = (row.try_get(0)?, row.try_get(1)?);
        Ok(first.zip(last).map(|(first, last)| (Hour(first), Hour(last))))
    }
}

/// The first day before the one of this time whose hours are still apart, but those that are damaged.
async fn begin(
    connection: &mut SqliteConnection,
    before: Option<Timestamp>,
    damaged: &BTreeSet<(RunId, Hour)>,
) -> Result<Option<Day>, StoreError> {
    let Some(before) = before.map(|time| day::day_of(time.hour())) else { return Ok(None) };
    // as one value: there may be more of them than a query has room for
    let damaged: Vec<(i64, i32)> = damaged.iter().map(|(run, day)| (run.0, day.0)).collect();
    let sql = "SELECT run, hour FROM seen_part JOIN run ON run.id = run
               WHERE hours = 1 AND kind = $4 AND hour < $2
                   AND (run, hour - (hour % $3 + $3) % $3) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))
               ORDER BY hour LIMIT 1";
    let query = sqlx::query(sql).bind(serde_json::to_string(&damaged).unwrap_or_default()).bind(before.0).bind(HOURS);
    let Some(row) = query.bind(RunKind::Live.as_str()).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let (run, day) = (RunId(row.try_get("run")?), day::day_of(Hour(row.try_get("hour")?)));
    // what an earlier version that went on meanwhile left of this day
    let sql =
        "INSERT OR IGNORE INTO hidden_batch (run, hour, batch) SELECT DISTINCT run, hour, batch FROM observation_part
               WHERE run = $1 AND hour >= $2 AND hour < $3 AND batch < 0";
    let left = sqlx::query(sql).bind(run.0).bind(day.0).bind(day::end_of(day).0);
    left.execute(&mut *connection).await?;
    let places = places(connection, (run, day)).await?;
    let batch = observations::next_batch(connection, (run, day)).await?;
    let sql = "INSERT INTO hidden_batch (run, hour, batch) VALUES ($1, $2, $3)";
    sqlx::query(sql).bind(run.0).bind(day.0).bind(batch).execute(&mut *connection).await?;
    let merge = Merge::new(&places);
    Ok(Some(Day {
        run,
        begin: day,
        begun: Begun { batch, written: 0 },
        places,
        merge,
        writer: PartWriter::of_day(day),
    }))
}

/// What counts of a day: hours, and of what came late also the day as it was before.
async fn places(connection: &mut SqliteConnection, (run, day): (RunId, Hour)) -> Result<Vec<Place>, StoreError> {
    let sql = "SELECT run, hour, batch, part FROM seen_part
               WHERE run = $1 AND hour >= $2 AND hour < $3 ORDER BY hour, batch, part";
    let query = sqlx::query_as(sql).bind(run.0).bind(day.0).bind(day::end_of(day).0);
    Ok(query.fetch_all(connection).await?)
}

/// Takes some of what does not count out; whether there was any. No day may be on its way.
async fn take_hidden_out(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let sql = "DELETE FROM observation_part WHERE rowid IN (
                   SELECT part.rowid FROM hidden_batch hidden CROSS JOIN observation_part part
                       ON part.run = hidden.run AND part.hour = hidden.hour AND part.batch = hidden.batch LIMIT $1)";
    let out = sqlx::query(sql).bind(PARTS_OUT_AT_ONCE).execute(&mut *connection).await?.rows_affected();
    // their numbers are free again once nothing has them
    let sql = "DELETE FROM hidden_batch WHERE NOT EXISTS (
                   SELECT 1 FROM observation_part part
                   WHERE part.run = hidden_batch.run AND part.hour = hidden_batch.hour AND part.batch = hidden_batch.batch)";
    Ok(out + sqlx::query(sql).execute(connection).await?.rows_affected() > 0)
}

impl Day {
    /// Writes some parts, and puts the day in the place of its hours after the last; whether it is done with.
    async fn go_on(&mut self, connection: &mut SqliteConnection) -> Result<bool, StoreError> {
        // what is written of it stays hidden, and is taken out before it is begun again
        if places(connection, (self.run, self.begin)).await? != self.places {
            return Ok(true);
        }
        for _ in 0..PARTS_AT_ONCE {
            let (part, is_last) = self.next_part(connection).await?;
            let parts: Vec<Part> = part.into_iter().collect();
            observations::insert(connection, self.run, self.begun, &parts).await?;
            self.begun.written += parts.len();
            if is_last {
                self.replace_hours(connection).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next part, and whether it is the last.
    async fn next_part(&mut self, connection: &mut SqliteConnection) -> Result<(Option<Part>, bool), StoreError> {
        loop {
            let rows = self.merge.next_of_day(connection).await?;
            let is_last = rows.is_empty();
            let is_full = DayRow::of(self.begin, rows).is_some_and(|row| self.writer.push_day(&row));
            if is_last || is_full {
                let writer = std::mem::replace(&mut self.writer, PartWriter::of_day(self.begin));
                return Ok((writer.finish_some(), is_last));
            }
        }
    }

    /// From now on the day counts, and not what it was made of.
    async fn replace_hours(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let sql = "INSERT INTO hidden_batch (run, hour, batch) SELECT DISTINCT run, hour, batch FROM seen_part
                   WHERE run = $1 AND hour >= $2 AND hour < $3";
        let hide = sqlx::query(sql).bind(self.run.0).bind(self.begin.0).bind(day::end_of(self.begin).0);
        hide.execute(&mut *connection).await?;
        let sql = "DELETE FROM hidden_batch WHERE run = $1 AND hour = $2 AND batch = $3";
        sqlx::query(sql).bind(self.run.0).bind(self.begin.0).bind(self.begun.batch).execute(connection).await?;
        Ok(())
    }
}
