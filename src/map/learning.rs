//! How complete the learning is: from the rate of new dependencies, not from a timer.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::model::{Dependency, Direction, Hour, Mark, Timestamp};

/// A plain verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// New dependencies still come often, or too few hours were seen to tell.
    Learning,
    /// They have become rare.
    Stabilising,
    /// Hardly any has come of late.
    Stable,
}

/// How complete the learning is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Learning {
    /// The verdict.
    pub state: State,
    /// Of the dependencies met in each of the last hours, the mean share that was new: the prequential estimate of how
    /// likely the next one met is new (Dawid, "Prequential analysis", 1984). 1 where too few hours were seen.
    pub novelty: f64,
    /// How likely the next one met is new by what was met in one hour and in two alone (Good-Turing in the form for
    /// samples by windows: Chao and Jost, "Coverage-based rarefaction", 2012). Hours are not independent of each other, so
    /// it is too low, on a real network by a factor of two to three: it stands beside the other, and decides nothing.
    pub good_turing: f64,
    /// Hours with traffic.
    pub hours: usize,
}

impl fmt::Display for Learning {
    /// The verdict and what it rests on, in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Learning => "learning",
            State::Stabilising => "stabilising",
            State::Stable => "stable",
        };
        match self.hours {
            0 => write!(f, "{state}: nothing was seen"),
            1 => write!(f, "{state}: traffic was seen in one hour alone, too few to tell"),
            hours => {
                let (share, beside) = (self.novelty * 100.0, self.good_turing * 100.0);
                write!(
                    f,
                    "{state}: of what the last hours met {share:.1} % was new (Good-Turing: {beside:.1} %); {hours} hours with traffic"
                )
            }
        }
    }
}

/// What one hour met, of the dependencies that learning counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Novelty {
    /// The hour's first moment.
    pub hour: Timestamp,
    /// Dependencies that were met in it.
    pub met: u32,
    /// Those of them that were new.
    pub new: u32,
}

/// The learning hour by hour, in order; hours without traffic are not in it.
#[must_use]
pub fn learning_curve<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> Vec<Novelty> {
    let mut active = Active::new();
    for dependency in dependencies.into_iter().filter(|dependency| counts(dependency)) {
        meet(&mut active, named_hours(dependency));
    }
    active.into_iter().map(|(hour, (met, new))| Novelty { hour: hour.start(), met, new }).collect()
}

/// How many dependencies each hour met, and how many of them were new.
type Active = BTreeMap<Hour, (u32, u32)>;

/// One dependency more, in its hours.
fn meet(active: &mut Active, hours: impl Iterator<Item = Hour>) {
    for (n, hour) in hours.enumerate() {
        let (met, new) = active.entry(hour).or_default();
        *met += 1;
        *new += u32::from(n == 0);
    }
}

/// Whether a dependency makes a rule: what makes none counts for nothing.
fn counts(dependency: &Dependency) -> bool {
    dependency.outcome.is_needed()
        && dependency.direction != Direction::Unknown
        && !dependency.marks.contains(&Mark::Scan)
}

/// Flow logs may count hours without naming them: nothing tells when they were.
fn named_hours(dependency: &Dependency) -> impl Iterator<Item = Hour> {
    dependency.history.keys().copied().filter(|hour| hour.is_named())
}

/// Hours that the estimate looks back.
const WINDOW_HOURS: usize = 6;
/// At most this share of new dependencies is stable, and at most this is stabilising.
const STABLE: f64 = 0.01;
const STABILISING: f64 = 0.05;

/// Judges from the hours in which each dependency was seen. What makes no rule counts for nothing.
#[must_use]
pub fn learning<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> Learning {
    let mut active = Active::new();
    let (mut once, mut twice, mut met_in_all) = (0_u32, 0_u32, 0_u32);
    for dependency in dependencies.into_iter().filter(|dependency| counts(dependency)) {
        let named: Vec<Hour> = named_hours(dependency).collect();
        let hours = u32::try_from(named.len()).unwrap_or(u32::MAX);
        once += u32::from(hours == 1);
        twice += u32::from(hours == 2);
        met_in_all = met_in_all.saturating_add(hours);
        meet(&mut active, named.into_iter());
    }
    let hours = active.len();
    let good_turing = rounded(unseen(once, twice, met_in_all, hours));
    // the first hour is all new and tells nothing
    let shares: Vec<f64> =
        active.values().skip(1).rev().take(WINDOW_HOURS).map(|(met, new)| f64::from(*new) / f64::from(*met)).collect();
    if shares.is_empty() {
        return Learning { state: State::Learning, novelty: 1.0, good_turing, hours };
    }
    #[expect(clippy::cast_precision_loss, reason = "at most six")]
    let novelty = shares.iter().sum::<f64>() / shares.len() as f64;
    let state = match novelty {
        _ if shares.len() < WINDOW_HOURS => State::Learning,
        novelty if novelty <= STABLE => State::Stable,
        novelty if novelty <= STABILISING => State::Stabilising,
        _ => State::Learning,
    };
    Learning { state, novelty: rounded(novelty), good_turing, hours }
}

fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

/// The share of what comes that was never met, from how many were met in one hour and in two.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn unseen(once: u32, twice: u32, met_in_all: u32, hours: usize) -> f64 {
    if once == 0 || hours < 2 {
        return if met_in_all == 0 || hours < 2 { 1.0 } else { 0.0 };
    }
    let (once, twice) = (f64::from(once), f64::from(twice));
    let weighted = (hours as f64 - 1.0) * once;
    once / f64::from(met_in_all) * weighted / (weighted + 2.0 * twice)
}
