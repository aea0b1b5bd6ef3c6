//! The verdict, the figures beside it, and what stands against it.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Material, counted, grouped};
use crate::{
    model::{Outcome, Watched, visible},
    policy::Reach,
    recommend::{Evidence, Group, Recommendation},
    render::{Facts, review, words},
};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Do not roll out before it is dealt with.
    Stop,
    /// Look at it.
    Look,
    /// Good to know.
    Note,
    /// As it should be.
    Good,
}

impl Level {
    /// As a class in the style.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Look => "look",
            Self::Note => "note",
            Self::Good => "good",
        }
    }

    /// As a word, for who does not see colours.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "Stop",
            Self::Look => "Look",
            Self::Note => "Note",
            Self::Good => "Good",
        }
    }
}

/// The past held against the proposal.
#[derive(Clone, Debug)]
pub struct VerdictView {
    /// How bad it is.
    pub level: Level,
    /// In a sentence.
    pub headline: String,
    /// What that rests on.
    pub detail: String,
    /// Shares of allowed, uncertain and denied, in thousandths; together 1000 where anything was seen.
    pub shares: [u64; 3],
}

/// A figure with its name.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it counts.
    pub name: &'static str,
    /// How much.
    pub value: String,
    /// What it means.
    pub note: String,
    /// How bad it is.
    pub level: Level,
}

/// What may go wrong though the past holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caution {
    /// How bad it is.
    pub level: Level,
    /// In a few words.
    pub what: String,
    /// In a sentence or two each; several where it is so in several places.
    pub why: Vec<String>,
}

pub(super) fn verdict(facts: &Facts) -> VerdictView {
    let replay = &facts.replay;
    let (level, headline) = match (replay.connections, replay.denied, replay.uncertain) {
        (0, 0, _) => (Level::Look, "Nothing was seen that could be held against it."),
        (_, 0, 0) => (Level::Good, "Nothing that was seen would break."),
        (_, 0, _) => (Level::Look, "Nothing that is known would break; what is uncertain may."),
        _ => (Level::Stop, "Something that was seen would break."),
    };
    let seen = grouped(replay.connections);
    let mut detail = format!("{} of {seen} connections would be allowed", grouped(replay.allowed));
    if replay.denied > 0 {
        let _ = write!(detail, ", {} denied", grouped(replay.denied));
    }
    if replay.uncertain > 0 {
        let _ = write!(detail, ", {} are uncertain", grouped(replay.uncertain));
    }
    detail.push('.');
    if replay.also_closed > 0 {
        let closed = grouped(replay.also_closed);
        let _ = write!(detail, " Closed besides: {closed} attempts that failed or belonged to a scan.");
    }
    let share = |part: u64| u64::try_from(u128::from(part) * 1000 / u128::from(replay.connections.max(1))).unwrap_or(0);
    // whatever is denied is seen, however little
    let some = |part: u64| if part > 0 { share(part).max(5) } else { 0 };
    let (uncertain, denied) = (some(replay.uncertain), some(replay.denied));
    let allowed = if replay.connections > 0 { 1000_u64.saturating_sub(uncertain + denied) } else { 0 };
    VerdictView { level, headline: headline.into(), detail, shares: [allowed, uncertain, denied] }
}

pub(super) fn figures(material: &Material<'_>) -> Vec<Figure> {
    let Material { recommendation, facts, .. } = material;
    let groups: Vec<&Group> = recommendation.namespaces.iter().flat_map(|plan| &plan.groups).collect();
    let seen = review::seen(recommendation, facts);
    let members: usize = seen.values().map(review::Seen::all).sum();
    let watched: usize = seen.values().map(|seen| seen.covered).sum();
    let opened = crate::render::opened(&facts.sheets).len();
    let open = groups.iter().filter(|group| group.is_open).count() + opened;
    let mut figures = vec![Figure {
        name: "Watched",
        value: format!("{} of {}", grouped(watched as u64), grouped(members as u64)),
        note: "workloads all the time, at their own side".into(),
        level: if watched == members { Level::Good } else { Level::Look },
    }];
    figures.push(Figure {
        name: "Left open",
        value: grouped(open as u64),
        note: match (open, opened) {
            (0, _) => "every workload is closed".into(),
            (_, 0) => "not seen enough to be closed".to_owned(),
            (_, opened) => format!("{opened} of them by decision"),
        },
        level: if open == 0 { Level::Good } else { Level::Look },
    });
    figures.extend(reach(material));
    let chosen = facts.granularities.iter().find(|it| it.chosen);
    if let Some(over) = chosen.and_then(|it| it.over_permission) {
        figures.push(Figure {
            name: "Over-permission",
            value: format!("{over:.2}"),
            note: "allowed over needed: 1.00 is least privilege".into(),
            level: if over <= 1.5 { Level::Good } else { Level::Note },
        });
    }
    if let Some(cost) = chosen.map(|it| it.cost) {
        figures.push(Figure {
            name: "To read",
            value: counted(cost.policies as u64, "policy"),
            note: format!("{} by {}", counted(cost.rules as u64, "rule"), chosen.map_or("", |it| it.granularity)),
            level: Level::Note,
        });
    }
    figures
}

/// How many others a workload reaches, on average, before and after.
fn reach(material: &Material<'_>) -> Option<Figure> {
    let namespaces = &material.recommendation.namespaces;
    let is_in = |it: &&Reach| {
        it.workload.split_once('/').is_some_and(|(name, _)| namespaces.iter().any(|plan| plan.namespace == name))
    };
    #[expect(clippy::cast_precision_loss, reason = "workloads stay far below 2^52")]
    let mean = |all: &[Reach]| {
        let counts: Vec<usize> = all.iter().filter(is_in).map(|it| it.reaches).collect();
        (!counts.is_empty()).then(|| counts.iter().sum::<usize>() as f64 / counts.len() as f64)
    };
    let (before, after) = (mean(&material.reach_before)?, mean(&material.reach_after)?);
    Some(Figure {
        name: "Reach",
        value: format!("{before:.1} → {after:.1}"),
        note: "others that one workload can reach, on average".into(),
        level: if after < before { Level::Good } else { Level::Note },
    })
}

pub(super) fn cautions(recommendation: &Recommendation, facts: &Facts) -> Vec<Caution> {
    let mut cautions: Vec<Caution> = Vec::new();
    let mut add = |level: Level, what: &str, why: String| {
        let why = visible(&why).into_owned();
        match cautions.iter_mut().find(|it| it.level == level && it.what == what) {
            Some(known) => known.why.push(why),
            None => cautions.push(Caution { level, what: what.to_owned(), why: vec![why] }),
        }
    };
    if facts.plugin.ignores() {
        add(Level::Stop, "The network plugin ignores policies", format!("{}.", facts.plugin));
    }
    for plan in &recommendation.namespaces {
        let names = |is_wanted: &dyn Fn(&&Group) -> bool| -> Vec<&str> {
            plan.groups.iter().filter(is_wanted).map(|group| group.name.as_str()).collect()
        };
        let open = names(&|group| group.is_open);
        if !open.is_empty() {
            let what = "Left open, for the captures could not see all that they do";
            add(
                Level::Look,
                what,
                format!("{}: {}. Capture at their nodes and run this again.", plan.namespace, few(&open)),
            );
        }
        let partly = names(&|group| (group.is_seen || !group.is_open) && group.watched != Watched::Covered);
        if !partly.is_empty() {
            let what = "Not watched all the time at their own side";
            add(Level::Look, what, format!("{}: {}. They may need more than is here.", plan.namespace, few(&partly)));
        }
    }
    if facts.dropped() > 0 || facts.damaged > 0 {
        let why = format!(
            "{} never reached a capture, {} damaged or incomplete: rare connections may be missing.",
            counted(facts.dropped(), "packet"),
            words::count(facts.damaged as u64, "capture")
        );
        add(Level::Look, "Loss", why);
    }
    for blocked in &facts.blocked {
        let why = format!(
            "{} → {} on {}, {} without an answer: {}. If it is needed, it is missing here.",
            blocked.from,
            blocked.to,
            words::port(blocked.protocol, blocked.port),
            counted(blocked.attempts, "attempt"),
            blocked.reason
        );
        add(Level::Look, "Blocked while learning?", why);
    }
    for missed in &facts.missed_runs {
        let why = format!("CronJob {} ({}) {}: what it needs is not known.", missed.job, missed.schedule, missed.why);
        add(Level::Look, "A job that did not run", why);
    }
    for hidden in &facts.hidden {
        add(
            Level::Look,
            "A mesh hides the real ports",
            format!("{hidden}. A rule on this port lets everything through that the mesh carries."),
        );
    }
    for idle in &facts.idle {
        add(Level::Look, "A decision that is not in force", format!("{}: {}", idle.policy, idle.what));
    }
    for (namespace, learning) in &facts.learning {
        let level = if learning.state == crate::map::State::Stable { Level::Note } else { Level::Look };
        add(level, "How complete the learning is", format!("{namespace}: {learning}."));
    }
    let opened = crate::render::opened(&facts.sheets);
    if !opened.is_empty() {
        let names: Vec<&str> = opened.iter().map(String::as_str).collect();
        let why = format!("{}. The policies that would close them were rejected.", few(&names));
        add(Level::Stop, "Open by decision", why);
    }
    if !facts.replaced.is_empty() {
        let names: Vec<&str> = facts.replaced.iter().map(String::as_str).collect();
        let why = format!("{}. Policies of the same names take their place: what they allow ends.", few(&names));
        add(Level::Stop, "Deployed policies that are replaced", why);
    }
    if !facts.deployed.is_empty() {
        let names: Vec<&str> = facts.deployed.iter().map(String::as_str).collect();
        add(
            Level::Note,
            "Deployed already",
            format!("{}. They stay in force: what they allow stays allowed.", few(&names)),
        );
    }
    if !facts.undone.is_empty() {
        let all: Vec<String> = facts.undone.iter().map(|it| format!("by {}: {}", it.policy, it.words())).collect();
        let why = few(&all.iter().map(String::as_str).collect::<Vec<_>>());
        add(Level::Stop, "Kept open by what is deployed", format!("{why}. As long as these are there."));
    }
    short_and_long(recommendation, &mut add);
    if !facts.plugin.ignores() {
        add(Level::Note, "Network plugin", format!("{}.", facts.plugin));
    }
    let why = format!(
        "Backups, renewals, month ends: what runs more seldom than this window is long was not seen and is denied. {}",
        review::window(facts.span)
    );
    add(Level::Note, "What the window is too short for", why);
    cautions.sort_by_key(|caution| caution.level);
    cautions
}

/// Pods that a policy may reach late, and connections that it may not reach at all.
fn short_and_long(recommendation: &Recommendation, add: &mut dyn FnMut(Level, &str, String)) {
    let groups = || recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    let jobs: BTreeSet<String> = groups()
        .flat_map(|group| &group.members)
        .filter(|it| matches!(it.kind.as_str(), "Job" | "CronJob"))
        .map(ToString::to_string)
        .collect();
    if !jobs.is_empty() {
        let names: Vec<&str> = jobs.iter().map(String::as_str).collect();
        add(
            Level::Note,
            "Short-lived pods",
            format!("{}: policies reach a new pod some time after its start. Let it try again, or wait.", few(&names)),
        );
    }
    let accesses = groups().flat_map(|group| group.ingress.values().chain(group.egress.values()));
    let open: BTreeSet<&Evidence> =
        accesses.flat_map(|access| &access.evidence).filter(|it| it.outcome == Outcome::Midstream).collect();
    if !open.is_empty() {
        let connections = counted(open.iter().map(|evidence| evidence.connections).sum(), "connection");
        add(
            Level::Note,
            "Long-lived connections",
            format!(
                "{connections} were open before the captures began. Whether they come back through the rules is seen at their next opening alone: restart these pods in a quiet hour."
            ),
        );
    }
}

/// Names that are written out.
const MAX_NAMES: usize = 8;

fn few(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES { format!("{shown} and {} more", names.len() - MAX_NAMES) } else { shown }
}
