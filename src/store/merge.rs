//! What another store holds into this one: runs with all that they saw, and who was who. Both have their ids from their
//! content, so that what is in both is one.
//!
//! A file that was read is the same in both. A live capture goes on: of two copies of one that which tells of more packets is
//! the later, and what it holds of an hour is all that there is to it. What it has forgotten the earlier one gives, in whatever
//! order they come.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::{
    Learnt, Loss, Run, RunId, Store, StoreError, Written, applications, content_id, day, links, listings, names,
    observations::{self, insert, next_batch},
    part::Part,
    run,
};
use crate::model::{Hour, Observation, Timestamp};

/// How another store is taken in.
#[derive(Clone, Copy, Debug, Default)]
pub struct TakingIn<'a> {
    /// The site that all of it goes to; none where each run and listing keeps its own.
    pub site: Option<&'a str>,
    /// Whether what cannot be read ends it, in place of being left out and told.
    pub is_strict: bool,
}

/// What was taken in of another store.
#[derive(Clone, Debug, Default)]
pub struct TakenIn {
    /// Its runs, by their first packet. One that goes further than what was known of it is added.
    pub runs: Vec<(Run, Written)>,
    /// Its listings of who is who, and how many of them were new or went further.
    pub listings: usize,
    /// Those that were.
    pub new_listings: usize,
}

/// What parts are about: one hour, or a day.
#[derive(Clone, Copy)]
struct Stretch {
    /// The first, or only one.
    hour: Hour,
    /// How many.
    hours: i32,
}

impl Stretch {
    fn is_day(self) -> bool {
        self.hours > 1
    }
}

impl Store {
    /// The sites of which something is known.
    pub async fn sites(&self) -> Result<BTreeSet<String>, StoreError> {
        let sql = "SELECT site FROM run UNION SELECT site FROM snapshot";
        let sites: Vec<String> = sqlx::query_scalar(sql).fetch_all(&self.pool).await?;
        Ok(sites.into_iter().collect())
    }

    /// Takes in all that another store holds, in one transaction. `tell` hears how many bytes of it were read on.
    pub async fn take_in(
        &self,
        other: &Self,
        how: TakingIn<'_>,
        mut tell: impl FnMut(u64),
    ) -> Result<TakenIn, StoreError> {
        let runs = other.runs().await?;
        let mut source = other.pool.acquire().await?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut taken = TakenIn::default();
        for mut run in runs {
            let written = take_run_in(&mut source, &mut transaction, (&mut run, how), &mut tell).await?;
            taken.runs.push((run, written));
        }
        (taken.listings, taken.new_listings) = listings::take_in(&mut source, &mut transaction, how.site).await?;
        transaction.commit().await?;
        Ok(taken)
    }
}

/// Takes a run in with all that it saw, and says in it what became of it.
async fn take_run_in(
    source: &mut SqliteConnection,
    target: &mut Transaction<'static, Sqlite>,
    (run, how): (&mut Run, TakingIn<'_>),
    tell: &mut impl FnMut(u64),
) -> Result<Written, StoreError> {
    let from = run.id;
    if let Some(site) = how.site.filter(|site| run.site != *site) {
        run.id = RunId(content_id(&[b"of another site", site.as_bytes(), &from.0.to_le_bytes()]));
        site.clone_into(&mut run.site);
    }
    let known = run::find(target, run.id).await?;
    if let Some(known) = &known {
        let first_packet = run.first_packet.into_iter().chain(known.first_packet).min();
        if !goes_further(run, known) {
            return fill_in(source, from, target, (run, known, first_packet), tell).await;
        }
        run.first_packet = first_packet;
    }
    // its parts refer to it
    run::insert(target, run).await?;
    if let Some(damage) = copy_parts(source, from, (target, run.id), tell).await? {
        if how.is_strict {
            return Err(StoreError::Damaged(damage));
        }
        let before = run.loss.damage.take().map(|before| before + "; ").unwrap_or_default();
        run.loss.damage = Some(before + &damage);
        run::insert(target, run).await?;
    }
    let learnt = Learnt {
        names: names::of_run(source, from).await?,
        applications: applications::of_run(source, from).await?,
        links: links::of_run(source, from).await?,
    };
    learnt.write(target, run.id).await?;
    Ok(Written::Added)
}

/// Gives a run that is known what it lacks: hours that its later copy has forgotten, or that could not be read before.
async fn fill_in(
    source: &mut SqliteConnection,
    from: RunId,
    target: &mut Transaction<'static, Sqlite>,
    (run, known, first_packet): (&mut Run, &Run, Option<Timestamp>),
    tell: &mut impl FnMut(u64),
) -> Result<Written, StoreError> {
    let mut is_filled = false;
    let days_here = days(target, run.id).await?;
    for (day, stretches) in days(source, from).await? {
        let here = days_here.get(&day).map(Vec::as_slice).unwrap_or_default();
        if here.iter().any(|it| it.is_day()) {
            continue;
        }
        let is_whole = stretches.iter().any(|it| it.is_day());
        let mut readable: Vec<Stretch> = Vec::new();
        for stretch in stretches {
            let is_held = !is_whole && here.iter().any(|it| it.hour == stretch.hour);
            if !is_held && is_readable(source, from, stretch).await? {
                readable.push(stretch);
            }
        }
        if is_whole && !here.is_empty() {
            if readable.iter().any(|it| it.is_day()) {
                let rows = lacking(source, from, day, here).await?;
                is_filled |= !rows.is_empty();
                observations::write(target, run.id, &rows).await?;
            }
            continue;
        }
        is_filled |= !readable.is_empty();
        for stretch in readable {
            copy_stretch(source, from, (target, run.id), stretch, tell).await?;
        }
    }
    if !is_filled {
        return Ok(Written::Known(Box::new(known.clone())));
    }
    let damage = known.loss.damage.clone().filter(|_| run.loss.damage.is_some());
    let loss = Loss { damage, ..known.loss.clone() };
    let last_packet = known.last_packet;
    *run = Run { first_packet, last_packet, loss, sweeps: std::mem::take(&mut run.sweeps), ..known.clone() };
    run::insert(target, run).await?;
    names::write(target, run.id, &names::of_run(source, from).await?).await?;
    applications::write(target, run.id, &applications::of_run(source, from).await?).await?;
    links::write_new(target, run.id, &links::of_run(source, from).await?).await?;
    Ok(Written::Added)
}

/// What a day holds of the hours that are not among these, in the order of its keys.
async fn lacking(
    connection: &mut SqliteConnection,
    run: RunId,
    day: Hour,
    but: &[Stretch],
) -> Result<Vec<Observation>, StoreError> {
    let mut rows = observations::of_day(connection, run, day).await?;
    rows.retain(|row| but.iter().all(|it| it.hour != row.key.hour));
    Ok(rows)
}

/// Whether one copy of a run tells more than another.
fn goes_further(run: &Run, known: &Run) -> bool {
    run.is_live() && run.packets > known.packets
}

/// Copies what counts of a run's observations, in place of what is known of the same hours. What cannot be read is left out
/// and told.
async fn copy_parts(
    source: &mut SqliteConnection,
    from: RunId,
    (target, to): (&mut SqliteConnection, RunId),
    tell: &mut impl FnMut(u64),
) -> Result<Option<String>, StoreError> {
    let days_here = days(target, to).await?;
    let mut unreadable: Vec<Stretch> = Vec::new();
    for (day, stretches) in days(source, from).await? {
        let is_whole = stretches.iter().any(|it| it.is_day());
        let is_whole_here = days_here.get(&day).is_some_and(|here| here.iter().any(|it| it.is_day()));
        let mut readable: Vec<Stretch> = Vec::new();
        for stretch in stretches {
            let all = if is_readable(source, from, stretch).await? { &mut readable } else { &mut unreadable };
            all.push(stretch);
        }
        if is_whole_here && !is_whole {
            // it was brought together here, of a copy from when it was not over; what the later one has forgotten of it stays
            let kept = lacking(target, to, day, &readable).await?;
            forget(target, to, Stretch { hour: day, hours: day::HOURS }).await?;
            observations::write(target, to, &kept).await?;
        } else if is_whole && readable.iter().any(|it| it.is_day()) {
            forget(target, to, Stretch { hour: day, hours: day::HOURS }).await?;
        }
        for stretch in readable {
            if !is_whole && !is_whole_here {
                forget(target, to, stretch).await?;
            }
            copy_stretch(source, from, (target, to), stretch, tell).await?;
        }
    }
    Ok(unreadable.first().map(|Stretch { hour: first, .. }| match unreadable.len() {
        1 => format!("what was seen from {first} on cannot be read in the store that it comes from"),
        n => format!(
            "what was seen in {n} hours or days, from {first} on, cannot be read in the store that it comes from"
        ),
    }))
}

/// What a run has observations of, by the first hours of days.
async fn days(connection: &mut SqliteConnection, run: RunId) -> Result<BTreeMap<Hour, Vec<Stretch>>, StoreError> {
    let sql = "SELECT DISTINCT hour, hours FROM seen_part WHERE run = $1 ORDER BY hour, hours";
    let rows: Vec<(i32, i32)> = sqlx::query_as(sql).bind(run.0).fetch_all(connection).await?;
    let mut days: BTreeMap<Hour, Vec<Stretch>> = BTreeMap::new();
    for (hour, hours) in rows {
        days.entry(day::day_of(Hour(hour))).or_default().push(Stretch { hour: Hour(hour), hours });
    }
    Ok(days)
}

async fn forget(
    connection: &mut SqliteConnection,
    run: RunId,
    Stretch { hour, hours }: Stretch,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM observation_part WHERE run = $1 AND hour >= $2 AND hour < $3";
    sqlx::query(sql).bind(run.0).bind(hour.0).bind(hour.0.saturating_add(hours)).execute(connection).await?;
    Ok(())
}

/// Places of the parts that count, by their batches.
async fn places(
    connection: &mut SqliteConnection,
    run: RunId,
    Stretch { hour, hours }: Stretch,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = "SELECT batch, part FROM seen_part WHERE (run, hour, hours) = ($1, $2, $3) ORDER BY batch, part";
    Ok(sqlx::query_as(sql).bind(run.0).bind(hour.0).bind(hours).fetch_all(connection).await?)
}

async fn part(
    connection: &mut SqliteConnection,
    run: RunId,
    Stretch { hour, hours }: Stretch,
    (batch, part): (i64, i64),
) -> Result<Part, StoreError> {
    let sql = "SELECT sampled, data FROM observation_part WHERE (run, hour, batch, part) = ($1, $2, $3, $4)";
    let query = sqlx::query(sql).bind(run.0).bind(hour.0).bind(batch).bind(part);
    let row = query.fetch_one(connection).await?;
    let sampled: i64 = row.try_get("sampled")?;
    Ok(Part { hour, hours, sampled: sampled.unsigned_abs(), data: row.try_get("data")? })
}

/// Whether all of a stretch reads as it is written: one part that does not would stop whoever reads this store.
async fn is_readable(source: &mut SqliteConnection, run: RunId, stretch: Stretch) -> Result<bool, StoreError> {
    for place in places(source, run, stretch).await? {
        if !part(source, run, stretch, place).await?.is_readable() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn copy_stretch(
    source: &mut SqliteConnection,
    from: RunId,
    (target, to): (&mut SqliteConnection, RunId),
    stretch: Stretch,
    tell: &mut impl FnMut(u64),
) -> Result<(), StoreError> {
    let places = places(source, from, stretch).await?;
    for of_batch in places.chunk_by(|a, b| a.0 == b.0) {
        let batch = next_batch(target, (to, stretch.hour)).await?;
        for (n, place) in of_batch.iter().enumerate() {
            let part = part(source, from, stretch, *place).await?;
            tell(part.data.len() as u64);
            insert(target, (to, batch, n), &[part]).await?;
        }
    }
    Ok(())
}
