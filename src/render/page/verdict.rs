//! The verdict, the figures beside it, and what stands against it.

use std::fmt::Write as _;

use super::{Material, counted, grouped};
use crate::{
    model::{Watched, visible},
    recommend::{Group, Recommendation},
    render::{
        Caution, Facts, Level,
        cautions::{Cautions, few},
        review,
    },
};

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

pub(super) fn verdict(facts: &Facts) -> VerdictView {
    let replay = &facts.replay;
    let is_denied_already = facts.denied_already() > 0;
    let but = if is_denied_already { " but what deployed policies deny already" } else { "" };
    let (level, headline) = match (replay.connections, facts.breaks(), replay.uncertain) {
        (0, false, _) => (Level::Look, "Nothing was seen that could be held against it.".to_owned()),
        (_, true, _) => (Level::Stop, "Something that was seen would break.".to_owned()),
        (_, false, 0) => {
            let level = if is_denied_already { Level::Look } else { Level::Good };
            (level, format!("Nothing that was seen would break{but}."))
        }
        (_, false, _) => (Level::Look, format!("Nothing that is known would break{but}; what is uncertain may.")),
    };
    let seen = counted(replay.connections, "connection");
    let mut detail = format!("{} of {seen} would be allowed", grouped(replay.allowed));
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
    if let Some(words) = facts.beside(grouped) {
        let _ = write!(detail, " {words}");
    }
    let share = |part: u64| u64::try_from(u128::from(part) * 1000 / u128::from(replay.connections.max(1))).unwrap_or(0);
    // whatever is denied is seen, however little
    let some = |part: u64| if part > 0 { share(part).max(5) } else { 0 };
    let (uncertain, denied) = (some(replay.uncertain), some(replay.denied));
    let allowed = if replay.connections > 0 { 1000_u64.saturating_sub(uncertain + denied) } else { 0 };
    VerdictView { level, headline, detail, shares: [allowed, uncertain, denied] }
}

pub(super) fn figures(material: &Material<'_>) -> Vec<Figure> {
    let Material { recommendation, facts, .. } = material;
    let seen = review::seen(recommendation, facts);
    let members: usize = seen.values().map(review::Seen::all).sum();
    let watched: usize = seen.values().map(|seen| seen.covered).sum();
    let opened = crate::render::opened(&facts.sheets).workloads.len();
    let open: usize =
        recommendation.namespaces.iter().map(|plan| crate::render::left_open(plan, &facts.sheets).len()).sum();
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
    let chosen = facts.measured.granularities.iter().find(|it| it.chosen);
    let alone = chosen.and_then(|it| it.over_permission);
    // as the reach beside it: with what is deployed
    if let Some(over) = facts.measured.over_permission_on_top.or(alone) {
        figures.push(Figure {
            name: "Over-permission",
            value: format!("{over:.2}"),
            note: beside(
                "allowed over needed: 1.00 is least privilege",
                alone.map(|alone| format!("{alone:.2}")),
                &format!("{over:.2}"),
            ),
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
    figures.extend(readable(facts));
    figures
}

/// How many allowed dependencies others can read, where anything is known of that.
fn readable(facts: &Facts) -> Option<Figure> {
    let audit = &facts.measured.audit.whole;
    let (readable, not_known, all) = (audit.readable(), audit.not_known, audit.all());
    (not_known < all).then(|| Figure {
        name: "In clear text",
        value: format!("{} of {}", grouped(readable as u64), grouped(all as u64)),
        note: format!("allowed dependencies; of {} it is not known", grouped(not_known as u64)),
        level: if readable == 0 { Level::Note } else { Level::Look },
    })
}

/// How many others a workload reaches, on average, before and after.
fn reach(material: &Material<'_>) -> Option<Figure> {
    let namespaces = &material.recommendation.namespaces;
    let is_in = |workload: &str| {
        workload.split_once('/').is_some_and(|(name, _)| namespaces.iter().any(|plan| plan.namespace == name))
    };
    let here =
        || material.facts.measured.reach.iter().filter(|(workload, _)| is_in(workload)).map(|(_, reach)| reach.reaches);
    #[expect(clippy::cast_precision_loss, reason = "workloads stay far below 2^52")]
    let mean =
        |counts: Vec<usize>| (!counts.is_empty()).then(|| counts.iter().sum::<usize>() as f64 / counts.len() as f64);
    let before = mean(here().map(|reaches| reaches.before).collect())?;
    let after = mean(here().map(|reaches| reaches.after).collect())?;
    let chosen = material.facts.measured.granularities.iter().find(|it| it.chosen);
    let alone = chosen.and_then(|it| it.reach).map(|alone| format!("{alone:.1}"));
    Some(Figure {
        name: "Reach",
        value: format!("{before:.1} → {after:.1}"),
        note: beside("others that one workload can reach, on average", alone, &format!("{after:.1}")),
        level: if after < before { Level::Good } else { Level::Note },
    })
}

/// A note on a figure with what is deployed, and what the figure is without that, where it differs.
fn beside(note: &str, alone: Option<String>, on_top: &str) -> String {
    match alone.filter(|alone| alone != on_top) {
        None => note.to_owned(),
        Some(alone) => format!("{note}; without what is deployed besides: {alone}"),
    }
}

/// What may go wrong though the past holds: of the captures' view of each namespace, of decisions, and of all else.
pub(super) fn cautions(recommendation: &Recommendation, facts: &Facts) -> Vec<Caution> {
    let mut cautions = Cautions::new();
    for plan in &recommendation.namespaces {
        let names = |is_wanted: &dyn Fn(&&Group) -> bool| -> Vec<String> {
            plan.groups.iter().filter(is_wanted).map(|group| group.name.clone()).collect()
        };
        let open = names(&|group| group.is_open);
        if !open.is_empty() {
            let why =
                format!("{}: {}. Capture at their nodes and run this again.", plan.namespace, few(&open, MAX_NAMES));
            cautions.add(Level::Look, "Left open, for the captures could not see all that they do", why);
        }
        let partly = names(&|group| (group.is_seen || !group.is_open) && group.watched != Watched::Covered);
        if !partly.is_empty() {
            let why = format!("{}: {}. They may need more than is here.", plan.namespace, few(&partly, MAX_NAMES));
            cautions.add(Level::Look, "Not watched all the time at their own side", why);
        }
    }
    for idle in &facts.by_hand.idle {
        let why = format!("{}: {}", idle.policy, idle.what);
        cautions.add(Level::Look, "A decision that is not in force", why);
    }
    for caution in crate::render::cautions(recommendation, facts, MAX_NAMES) {
        for why in caution.why {
            cautions.add(caution.level, &caution.what, why);
        }
    }
    let mut cautions = cautions.sorted();
    for caution in &mut cautions {
        let more = caution.why.len().saturating_sub(MAX_PLACES);
        caution.why.truncate(MAX_PLACES);
        caution.why.extend((more > 0).then(|| format!("And {more} more.")));
        for why in &mut caution.why {
            *why = visible(why).into_owned();
        }
    }
    cautions
}

/// Names that are written out.
const MAX_NAMES: usize = 8;

/// Places of one caution that are written out.
const MAX_PLACES: usize = 20;
