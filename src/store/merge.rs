//! What another store holds into this one: runs with all that they saw, and who was who. Both have their ids from their
//! content, so that what is in both is one.
//!
//! A file that was read is the same in both. A live capture goes on: of two copies of one that which tells of more packets, or
//! else of more loss, is the later, and what it holds of an hour is all that there is to it. What it has forgotten the earlier one gives, in whatever
//! order they come.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::{
    Loss, Run, RunId, Store, StoreError, Written, applications, content_id, day, links, listings, names,
    observations::{self, Begun, insert, next_batch},
    part::Part,
    run,
};
use crate::model::{Hour, Note, Observation};

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
#[derive(Clone, Copy, PartialEq, Eq)]
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

    fn holds(self, hour: Hour) -> bool {
        self.hour <= hour && hour.0 < self.hour.0.saturating_add(self.hours)
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
    let is_later = known.as_ref().is_none_or(|known| goes_further(run, known) || makes_good(run, known));
    if known.is_none() {
        // its parts refer to it
        run::insert(target, run).await?;
    }
    let mut hours = Hours { source, from, target, to: run.id, is_later, has_news: false, unreadable: Vec::new() };
    hours.copy_all(tell).await?;
    let (has_news, damage) = (hours.has_news, hours.damage());
    if let Some(damage) = damage.as_ref().filter(|_| how.is_strict) {
        return Err(StoreError::Damaged(damage.clone()));
    }
    if let Some(known) = known {
        if !is_later && !has_news {
            return Ok(Written::Known(Box::new(known)));
        }
        *run = joined(run, known, is_later);
    }
    let damages = run.loss.damage.take().into_iter().chain(damage);
    run.loss.damage = damages.reduce(|all, one| all + "; " + &one);
    run::insert(target, run).await?;
    names::copy((source, from), (target, run.id)).await?;
    applications::copy((source, from), (target, run.id)).await?;
    links::copy((source, from), (target, run.id)).await?;
    Ok(Written::Added)
}

/// Whether one copy of a run tells more than another: of more packets, or of more that it did not see.
fn goes_further(run: &Run, known: &Run) -> bool {
    run.is_live() && told(run) > told(known)
}

/// Whether a copy is whole of which a damaged one was taken in.
fn makes_good(run: &Run, known: &Run) -> bool {
    let (is_whole, was_damaged) = (run.loss.damage.is_none(), known.loss.damage.is_some());
    run.is_live() && is_whole && was_damaged && told(run) == told(known)
}

/// What only grows while a run goes on: packets, those that were dropped, and whatever else was noted of it.
fn told(run: &Run) -> (u64, u64, u64) {
    let Loss { dropped_by_kernel, dropped_by_interface, ref notes, .. } = run.loss;
    // by what is kept of a run, which may become less
    let noted = notes.iter().filter(|(note, _)| **note != Note::Sampled);
    let noted = noted.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    (run.packets, dropped_by_kernel.saturating_add(dropped_by_interface), noted)
}

/// What two copies say of a run: the later one, over the time of both. What was damaged here of a file is made good by what is whole
/// there; a live run's earlier copy may lack what was damaged.
fn joined(run: &Run, known: Run, is_later: bool) -> Run {
    let first_packet = run.first_packet.into_iter().chain(known.first_packet).min();
    if is_later {
        return Run { first_packet, ..run.clone() };
    }
    let damage = known.loss.damage.filter(|_| run.is_live() || run.loss.damage.is_some());
    Run { first_packet, loss: Loss { damage, ..known.loss }, sweeps: run.sweeps.clone(), ..known }
}

/// What a run saw, on its way from one store to another.
struct Hours<'c> {
    source: &'c mut SqliteConnection,
    from: RunId,
    target: &'c mut SqliteConnection,
    to: RunId,
    /// Whether the copy that it comes from counts where both hold an hour.
    is_later: bool,
    /// Whether anything was written.
    has_news: bool,
    /// What is left out, for it cannot be read.
    unreadable: Vec<Stretch>,
}

impl Hours<'_> {
    /// Copies what counts, day by day.
    async fn copy_all(&mut self, tell: &mut impl FnMut(u64)) -> Result<(), StoreError> {
        let days_here = days(self.target, self.to).await?;
        for (day, there) in days(self.source, self.from).await? {
            let here = days_here.get(&day).map(Vec::as_slice).unwrap_or_default();
            if !self.is_same(&there, here).await? {
                self.copy_day(day, &there, here, tell).await?;
            }
        }
        Ok(())
    }

    /// Whether a day is here as it is there, so that nothing of a long history is written again.
    async fn is_same(&mut self, there: &[Stretch], here: &[Stretch]) -> Result<bool, StoreError> {
        if there != here {
            return Ok(false);
        }
        for stretch in there {
            let theirs = places(self.source, self.from, *stretch).await?;
            let ours = places(self.target, self.to, *stretch).await?;
            if theirs.len() != ours.len() {
                return Ok(false);
            }
            for (theirs, ours) in theirs.into_iter().zip(ours) {
                let theirs = part(self.source, self.from, *stretch, theirs).await?;
                if theirs.data != part(self.target, self.to, *stretch, ours).await?.data {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn copy_day(
        &mut self,
        day: Hour,
        there: &[Stretch],
        here: &[Stretch],
        tell: &mut impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let is_whole = |all: &[Stretch]| all.iter().any(|it| it.is_day());
        let is_held = |it: &Stretch| here.iter().any(|own| own.holds(it.hour));
        if here.is_empty() || !is_whole(here) && !is_whole(there) {
            let wanted = there.iter().copied().filter(|it| self.is_later || !is_held(it)).collect();
            for stretch in self.readable(wanted).await? {
                if is_held(&stretch) {
                    forget(self.target, self.to, stretch).await?;
                }
                self.copy(stretch, tell).await?;
            }
            return Ok(());
        }
        if !self.is_later && is_whole(here) {
            return Ok(());
        }
        let wanted = self.readable(there.to_vec()).await?;
        if wanted.is_empty() || !self.is_later && wanted.len() < there.len() {
            return Ok(());
        }
        if !self.is_later {
            let rows = lacking(self.source, self.from, day, here).await?;
            self.has_news |= !rows.is_empty();
            return observations::write(self.target, self.to, &rows).await;
        }
        // a day that was brought together before it was over, or of which the later copy has forgotten some
        let kept = lacking(self.target, self.to, day, &wanted).await?;
        forget(self.target, self.to, Stretch { hour: day, hours: day::HOURS }).await?;
        observations::write(self.target, self.to, &kept).await?;
        for stretch in wanted {
            self.copy(stretch, tell).await?;
        }
        Ok(())
    }

    /// Those that read as they are written: one part that does not would stop whoever reads this store.
    async fn readable(&mut self, stretches: Vec<Stretch>) -> Result<Vec<Stretch>, StoreError> {
        let mut readable = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            let mut is_whole = true;
            for place in places(self.source, self.from, stretch).await? {
                is_whole &= part(self.source, self.from, stretch, place).await?.is_readable();
            }
            let all = if is_whole { &mut readable } else { &mut self.unreadable };
            all.push(stretch);
        }
        Ok(readable)
    }

    /// Copies the parts as they are.
    async fn copy(&mut self, stretch: Stretch, tell: &mut impl FnMut(u64)) -> Result<(), StoreError> {
        let places = places(self.source, self.from, stretch).await?;
        for of_batch in places.chunk_by(|a, b| a.0 == b.0) {
            let batch = next_batch(self.target, (self.to, stretch.hour)).await?;
            for (n, place) in of_batch.iter().enumerate() {
                let part = part(self.source, self.from, stretch, *place).await?;
                tell(part.data.len() as u64);
                insert(self.target, self.to, Begun { batch, written: n }, &[part]).await?;
            }
        }
        self.has_news = true;
        Ok(())
    }

    /// What is left out, in words.
    fn damage(&self) -> Option<String> {
        let Stretch { hour: first, .. } = self.unreadable.first()?;
        let what = match self.unreadable.len() {
            1 => format!("what was seen from {first} on"),
            n => format!("what was seen in {n} hours or days, from {first} on,"),
        };
        Some(format!("{what} cannot be read in the store that it comes from"))
    }
}

/// What a run holds of a day in the hours that are not among these, in the order of its keys.
async fn lacking(
    connection: &mut SqliteConnection,
    run: RunId,
    day: Hour,
    but: &[Stretch],
) -> Result<Vec<Observation>, StoreError> {
    let mut rows = observations::of_day(connection, run, day).await?;
    rows.retain(|row| !but.iter().any(|it| it.holds(row.key.hour)));
    Ok(rows)
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
