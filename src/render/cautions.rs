//! What may go wrong though the past holds, as every document and page tells it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{DeployedPolicy, Facts, Sheet, opened, review, tomorrow::tomorrow, words};
use crate::{
    map::State,
    model::{Directions, Outcome},
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

/// What may go wrong, the worst first. Of long lists of names the first `max_names` are written out.
#[must_use]
pub fn cautions(recommendation: &Recommendation, facts: &Facts, max_names: usize) -> Vec<Caution> {
    let mut cautions = Cautions::new();
    seen(&mut cautions, facts, max_names);
    force(&mut cautions, (recommendation, facts), max_names);
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

/// What captures may have missed.
fn seen(cautions: &mut Cautions, facts: &Facts, max_names: usize) {
    if facts.captures.dropped() > 0 || facts.captures.damaged > 0 {
        let why = format!(
            "{} never reached a capture, {} damaged or incomplete: rare connections may be missing.",
            words::count(facts.captures.dropped(), "packet"),
            words::count(facts.captures.damaged as u64, "capture")
        );
        cautions.add(Level::Look, "Loss", why);
    }
    if facts.captures.filtered > 0 {
        let why = format!(
            "{} had a filter set: what that leaves out was not seen and is denied, though nothing of the past tells so.",
            words::count(facts.captures.filtered as u64, "capture")
        );
        cautions.add(Level::Look, "A filter", why);
    }
    let faults: Vec<String> = facts.captures.listing_faults.iter().map(|fault| words::safe(fault)).collect();
    if let Some(first) = faults.first() {
        let why = format!(
            "{} of the inventory could not be used, and whom they tell of counts as unknown or is not selected as it should: {first}{}.",
            words::count(faults.len() as u64, "fault"),
            if faults.len() > 1 { ", and others that `inventory import` names" } else { "" }
        );
        cautions.add(Level::Look, "Who is who, in part", why);
    }
    if facts.captures.verdicts_alone > 0 {
        let why = format!(
            "Of {} a flow log has nothing but verdicts of policies, which never show an answer: no rule comes of them, and what \
            they need is denied where nothing else has seen it. Let Hubble log traces as well.",
            words::count(facts.captures.verdicts_alone, "connection")
        );
        cautions.add(Level::Look, "Verdicts alone", why);
    }
    for blocked in &facts.captures.blocked {
        let why = format!(
            "{} -> {} on {}, {} that failed: {}. If it is needed, it is missing here.",
            blocked.from,
            blocked.to,
            words::port(blocked.protocol, blocked.port),
            words::count(blocked.attempts, "attempt"),
            blocked.reason
        );
        cautions.add(Level::Look, "Blocked while learning?", why);
    }
    if !facts.captures.near_pods.is_empty() {
        let why = format!(
            "{}: pods have addresses beside them, and no node lists a range of pods that holds them. Whichever is a pod that the \
             inventory does not know, its rule lets nothing through, or whoever gets its address next. Import the pods of all \
             namespaces as they were then, and nodes with their `podCIDR`s.",
            few(&facts.captures.near_pods.iter().map(ToString::to_string).collect::<Vec<_>>(), max_names)
        );
        cautions.add(Level::Look, "Pods taken for outside?", why);
    }
    for missed in &facts.captures.missed_runs {
        // in Markdown the stars of a schedule would be something else
        let why = format!("CronJob {} (`{}`) {}: what it needs is not known.", missed.job, missed.schedule, missed.why);
        cautions.add(Level::Look, "A job that did not run", why);
    }
    for hidden in &facts.captures.hidden {
        let why =
            format!("{hidden}. A rule on this port lets everything through that the mesh carries: restrict it there.");
        cautions.add(Level::Look, "A mesh hides the real ports", why);
    }
    for (namespace, learning) in &facts.captures.learning {
        let level = if learning.state == State::Stable { Level::Note } else { Level::Look };
        cautions.add(level, "How complete", format!("{namespace}: {learning}."));
    }
}

/// What is in force besides, in the place of the proposal, or not at all.
fn force(cautions: &mut Cautions, (recommendation, facts): (&Recommendation, &Facts), max_names: usize) {
    let few = |names: &[String]| few(names, max_names);
    let plugin = format!("{}.", facts.in_force.plugin);
    if facts.in_force.plugin.ignores() {
        cautions.add(Level::Stop, "The network plugin ignores policies", plugin);
    } else {
        cautions.add(Level::Note, "Network plugin", plugin);
    }
    let names_node = |sheet: &&Sheet| {
        let is_in_force = sheet.object.is_some();
        is_in_force && sheet.rules.iter().any(|rule| matches!(rule.peer, Some(Peer::NodeAddress(_))))
    };
    let by_node: BTreeSet<String> =
        facts.sheets.iter().filter(names_node).map(|sheet| format!("{}/{}", sheet.namespace, sheet.name)).collect();
    if !facts.in_force.plugin.knows_nodes_by_address() && !by_node.is_empty() {
        let why = format!(
            "{}: Cilium reaches nodes and the API server by no address, unless its policyCIDRMatchMode has `nodes`, and denies what \
             these policies allow of them. `flowmap convert` writes them as Cilium's own, with nodes as what they are.",
            few(&by_node.into_iter().collect::<Vec<_>>())
        );
        cautions.add(Level::Stop, "Nodes by their addresses", why);
    }
    let opened = opened(&facts.sheets).words();
    if !opened.is_empty() {
        let why = format!("{}. The policies that would close them were rejected.", few(&opened));
        cautions.add(Level::Stop, "Open by decision", why);
    }
    if !facts.in_force.replaced.is_empty() {
        let why = format!(
            "{}. Policies of the same names take their place: what they allow ends. Of one that was not made with `kubectl apply`, \
             `kubectl apply` keeps the labels that it selects by: use `kubectl replace`.",
            few(&words_of(&facts.in_force.replaced))
        );
        cautions.add(Level::Stop, "Replaced", why);
    }
    let both =
        if recommendation.directions == Directions::Both { "" } else { " Close both directions to keep it closed." };
    for (direction, workloads) in &facts.in_force.reopened {
        let why = format!(
            "{} of {}: what is deployed closes it, and nothing does with this proposal, whose policies take its place.{both}",
            direction.as_str(),
            self::few(workloads, max_names)
        );
        cautions.add(Level::Stop, "Closed today, and open with this", why);
    }
    if !facts.in_force.unjudged.is_empty() {
        let why = format!("{}. No verdict here knows what they allow or deny.", few(&facts.in_force.unjudged));
        cautions.add(Level::Stop, "Deployed, and not judged", why);
    }
    for doubt in &facts.in_force.unsure {
        cautions.add(Level::Look, "Deployed, and not sure", format!("{doubt}."));
    }
    if let Some(opens) = &facts.in_force.opens {
        let why = format!(
            "{}: {}. What is deployed denies it now, and with this proposal it is allowed.",
            words::count(opens.pairs as u64, "pair"),
            few(&opens.examples)
        );
        cautions.add(Level::Look, "Opens what is denied today", why);
    }
    for undone in &facts.in_force.undone {
        let why = format!("by {}: {}. As long as it is there.", undone.policy, undone.words());
        cautions.add(Level::Stop, "Kept open by what is deployed", why);
    }
    if !facts.kustomizations.edited.is_empty() {
        let names = self::few(&facts.kustomizations.edited_paths(), max_names);
        let why = format!(
            "{names} does more than list files. What `kubectl apply -k` makes of these policies is not in the verdict: apply them \
             by file."
        );
        cautions.add(Level::Look, "A kustomization that was edited", why);
    }
    let (wide, own): (Vec<&DeployedPolicy>, Vec<&DeployedPolicy>) =
        facts.in_force.deployed.iter().partition(|policy| policy.is_cluster_wide());
    let [wide, own] = [wide, own].map(words_of);
    if !own.is_empty() {
        let why = format!("{}. They stay in force: what they allow stays allowed.", few(&own));
        cautions.add(Level::Note, "Deployed already", why);
    }
    if !wide.is_empty() {
        let why =
            format!("{}. They stay in force: some come before NetworkPolicies, some where none isolates.", few(&wide));
        cautions.add(Level::Note, "Deployed already, for the whole cluster", why);
    }
}

fn words_of<'p>(policies: impl IntoIterator<Item = &'p DeployedPolicy>) -> Vec<String> {
    policies.into_iter().map(ToString::to_string).collect()
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
            "{connections} were open before the captures began. Whether they outlive the change, and whether they come \
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
    let unnamed = left_out.filter(|left| left.evidence.port == 53 && matches!(left.reason, Omission::Egress(_)));
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
