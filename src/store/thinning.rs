//! Days that are over some time are brought into one each, in small transactions between which others write.

use sqlx::{Row, SqliteConnection};

use super::{
    RunId, Store, StoreError,
    day::{self, DayRow, HOURS},
    observations::{self, Merge, Place},
    part::{Part, PartWriter},
};
use crate::model::{Hour, Timestamp};

/// Parts written in one transaction: a megabyte.
const PARTS_AT_ONCE: usize = 16;

/// What is written of a day before it is whole has this batch, which nobody reads.
const UNFINISHED: i64 = -1;

/// A day of a run on its way.
pub struct Thinning {
    run: RunId,
    day: Hour,
    /// The parts that it is made of, as they were when it was begun.
    places: Vec<Place>,
    merge: Merge,
    writer: PartWriter,
    written: usize,
}

impl Store {
    /// Brings some of the hours of live captures before this time, in whole days, into days; whether more is left to do. What
    /// is begun is kept by the caller; where that is lost, it is begun again.
    pub async fn thin_some(&self, going_on: &mut Option<Thinning>, before: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut thinning = match going_on.take() {
            Some(thinning) => thinning,
            None => match begin(&mut transaction, day::day_of(before.hour())).await? {
                Some(thinning) => thinning,
                None => return Ok(false),
            },
        };
        let rest = if thinning.go_on(&mut transaction).await? {
            thinning.finish(&mut transaction).await?;
            None
        } else {
            Some(thinning)
        };
        transaction.commit().await?;
        // only now: what was not committed would be missing in the day
        *going_on = rest;
        Ok(true)
    }

    /// The days of the filter's site that are kept as one, as their first hours, from the first to the last; `None` where all
    /// hours are kept.
    pub async fn thinned(&self, site: Option<&str>) -> Result<Option<(Hour, Hour)>, StoreError> {
        let sql = "SELECT MIN(hour), MAX(hour) FROM observation_part
                   WHERE hours > 1 AND batch >= 0 AND run IN (SELECT id FROM run WHERE $1 IS NULL OR site = $1)";
        let row = sqlx::query(sql).bind(site).fetch_one(&self.pool).await?;
        let (first, last): (Option<i32>, Option<i32>) = (row.try_get(0)?, row.try_get(1)?);
        Ok(first.zip(last).map(|(first, last)| (Hour(first), Hour(last))))
    }
}

/// The first day before this one whose hours are still apart.
async fn begin(connection: &mut SqliteConnection, before: Hour) -> Result<Option<Thinning>, StoreError> {
    let sql = "SELECT run, hour FROM observation_part JOIN run ON run.id = run
               WHERE hours = 1 AND hour < $1 AND kind = 'live' ORDER BY hour LIMIT 1";
    let Some(row) = sqlx::query(sql).bind(before.0).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let (run, day) = (RunId(row.try_get("run")?), day::day_of(Hour(row.try_get("hour")?)));
    // of an attempt that was not brought to its end
    delete(connection, (run, UNFINISHED)).await?;
    let places = hours(connection, (run, day)).await?;
    let merge = Merge::new(&places);
    Ok(Some(Thinning { run, day, places, merge, writer: PartWriter::of_day(day), written: 0 }))
}

async fn hours(connection: &mut SqliteConnection, (run, day): (RunId, Hour)) -> Result<Vec<Place>, StoreError> {
    let sql = "SELECT run, hour, batch, part FROM observation_part
               WHERE run = $1 AND hours = 1 AND hour >= $2 AND hour < $3 ORDER BY hour, batch, part";
    let query = sqlx::query(sql).bind(run.0).bind(day.0).bind(day.0 + HOURS);
    query.fetch_all(connection).await?.iter().map(Place::read).collect()
}

async fn delete(connection: &mut SqliteConnection, (run, batch): (RunId, i64)) -> Result<(), StoreError> {
    let sql = "DELETE FROM observation_part WHERE run = $1 AND batch = $2";
    sqlx::query(sql).bind(run.0).bind(batch).execute(connection).await?;
    Ok(())
}

impl Thinning {
    /// Writes some parts; whether those were the last.
    async fn go_on(&mut self, connection: &mut SqliteConnection) -> Result<bool, StoreError> {
        for _ in 0..PARTS_AT_ONCE {
            let (part, is_last) = self.next_part(connection).await?;
            let parts: Vec<Part> = part.into_iter().collect();
            observations::insert(connection, (self.run, UNFINISHED, self.written), &parts).await?;
            self.written += parts.len();
            if is_last {
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
            let is_full = DayRow::of(self.day, rows).is_some_and(|row| self.writer.push_day(&row));
            if is_last || is_full {
                let writer = std::mem::replace(&mut self.writer, PartWriter::of_day(self.day));
                return Ok((writer.finish_some(), is_last));
            }
        }
    }

    /// Puts the day in the place of its hours, unless these have changed meanwhile: then it is begun again.
    async fn finish(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let Self { run, day, places, .. } = self;
        if hours(connection, (run, day)).await? != places {
            return delete(connection, (run, UNFINISHED)).await;
        }
        let sql = "DELETE FROM observation_part WHERE run = $1 AND hours = 1 AND hour >= $2 AND hour < $3";
        sqlx::query(sql).bind(run.0).bind(day.0).bind(day.0 + HOURS).execute(&mut *connection).await?;
        let sql = "UPDATE observation_part
                   SET batch = (SELECT MAX(0, COALESCE(MAX(batch), 0)) + 1 FROM observation_part WHERE run = $1)
                   WHERE run = $1 AND batch = $2";
        sqlx::query(sql).bind(run.0).bind(UNFINISHED).execute(connection).await?;
        Ok(())
    }
}
