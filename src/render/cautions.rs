//! What may go wrong though the past holds, as every document and page tells it.

mod in_force;
mod seen;
mod who;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

pub use seen::watched_briefly;

use super::{Facts, review, tomorrow::tomorrow, words};
use crate::{
    model::{Outcome, well_known},
    recommend::{Evidence, Omission, Peer, Purpose, Recommendation},
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

/// What may go wrong though the past holds. Its words are as they came: whoever shows them makes them safe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caution {
    /// How bad it is.
    pub level: Level,
    /// In a few words.
    pub what: String,
    /// In a sentence or two each; several where it is so in several places.
    pub why: Vec<String>,
}

/// Cautions, each kind once.
pub(super) struct Cautions(Vec<Caution>);

impl Cautions {
    /// None.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// One more, or one more place of one.
    pub fn add(&mut self, level: Level, what: &str, why: String) {
        match self.0.iter_mut().find(|it| it.level == level && it.what == what) {
            Some(known) => known.why.push(why),
            None => self.0.push(Caution { level, what: what.to_owned(), why: vec![why] }),
        }
    }

    /// The worst first.
    pub fn sorted(mut self) -> Vec<Caution> {
        self.0.sort_by_key(|caution| caution.level);
        self.0
    }
}

/// What there is to tell cautions from.
struct Told<'a> {
    recommendation: &'a Recommendation,
    facts: &'a Facts,
    max_names: usize,
}

impl Told<'_> {
    /// The first of some names, and how many more there are.
    fn few<'n>(&self, names: impl IntoIterator<Item = &'n String, IntoIter: ExactSizeIterator>) -> String {
        few(names, self.max_names)
    }
}

/// Adds cautions of one kind, where there is reason.
type Check = fn(&mut Cautions, &Told<'_>);

/// What may go wrong, the worst first. Of long lists of names the first `max_names` are written out.
#[must_use]
pub fn cautions(recommendation: &Recommendation, facts: &Facts, max_names: usize) -> Vec<Caution> {
    let (told, mut cautions) = (Told { recommendation, facts, max_names }, Cautions::new());
    for check in seen::CHECKS.iter().chain(&who::CHECKS).chain(&in_force::CHECKS) {
        check(&mut cautions, &told);
    }
    short_and_long(&mut cautions, recommendation, max_names);
    reached(&mut cautions, recommendation, max_names);
    tomorrow(&mut cautions, (recommendation, facts), max_names);
    let why = format!(
        "Backups, renewals, month ends: what runs more seldom than this window is long was not seen and is denied. {}",
        review::window(facts.captures.watched_s)
    );
    cautions.add(Level::Note, "What the window is too short for", why);
    cautions.sorted()
}

/// Pods that a policy may reach late, and connections that it may not reach at all.
fn short_and_long(cautions: &mut Cautions, recommendation: &Recommendation, max_names: usize) {
    let groups = || recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    let jobs: BTreeSet<String> = groups()
        .flat_map(|group| &group.members)
        .filter(|it| matches!(it.kind.as_str(), "Job" | "CronJob"))
        .map(ToString::to_string)
        .collect();
    if !jobs.is_empty() {
        let names = few(&jobs, max_names);
        let why = format!("{names}. Policies reach a new pod some time after its start: let it try again, or wait.");
        cautions.add(Level::Note, "Short-lived", why);
    }
    let accesses = groups().flat_map(|group| group.ingress.values().chain(group.egress.values()));
    let open: BTreeSet<&Evidence> =
        accesses.flat_map(|access| &access.evidence).filter(|it| it.outcome == Outcome::Midstream).collect();
    if !open.is_empty() {
        let connections = words::count(open.iter().map(|evidence| evidence.connections).sum(), "connection");
        let why = format!(
            "{connections} of before the captures began. Whether they outlive the change, and whether they come \
             back through the rules, is seen at their next opening alone: restart these pods in a quiet hour."
        );
        cautions.add(Level::Note, "Long-lived", why);
    }
}

/// What workloads reach that few should.
fn reached(cautions: &mut Cautions, recommendation: &Recommendation, max_names: usize) {
    let (mut metadata, mut resolvers) = (BTreeSet::new(), BTreeSet::new());
    for plan in &recommendation.namespaces {
        for group in &plan.groups {
            for (peer, access) in &group.egress {
                let Peer::Addresses(range) = peer else { continue };
                let workload = || format!("{}/{}", plan.namespace, group.name);
                if METADATA.into_iter().any(|address| range.contains(&address)) {
                    metadata.insert(workload());
                }
                if access.purposes.contains(&Purpose::Dns) && !METADATA.into_iter().any(|it| range.contains(&it)) {
                    resolvers.insert(format!("{} ({})", workload(), range.addr()));
                }
            }
        }
    }
    let left_out = recommendation.namespaces.iter().flat_map(|plan| &plan.left_out);
    let unnamed =
        left_out.filter(|left| left.evidence.port == well_known::DNS && matches!(left.reason, Omission::Egress(_)));
    let unnamed: BTreeSet<String> =
        unnamed.map(|left| format!("{} ({})", left.evidence.client, left.evidence.server)).collect();
    if !unnamed.is_empty() && recommendation.directions.has_egress() {
        let why = format!(
            "{}. Who answers them is not in the inventory, so there is no rule, and none of these will find a name: import the \
             objects of the namespace that the cluster's DNS is in.",
            few(&unnamed, max_names)
        );
        cautions.add(Level::Stop, "Names are asked of somebody unknown", why);
    }
    if !metadata.is_empty() {
        let why = format!(
            "{}. There the cloud tells an instance about itself, and gives who asks the rights of the node in many clusters: \
             reject the rule where nobody needs it.",
            few(&metadata, max_names)
        );
        cautions.add(Level::Look, "Instance metadata is reached", why);
    }
    if !resolvers.is_empty() {
        let why = format!(
            "{}. Names can carry data out: reject the rule where the cluster's own servers should be asked.",
            few(&resolvers, max_names)
        );
        cautions.add(Level::Look, "Names are asked of a server outside", why);
    }
}

/// Where clouds tell an instance about itself: 169.254.169.254 in most, `fd00:ec2::254` in one besides, 100.100.100.200 in
/// another.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// The first of some names, and how many more there are.
#[must_use]
pub fn few<'n>(names: impl IntoIterator<Item = &'n String, IntoIter: ExactSizeIterator>, max_names: usize) -> String {
    let mut names = names.into_iter();
    let more = names.len().saturating_sub(max_names);
    let shown = names.by_ref().take(max_names).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
