//! What a review tells beside the recommendation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use serde::{Serialize, Serializer};

use crate::{
    inventory::{Gaps, NetworkPlugin},
    map::{Hidden, Learning},
    model::{Coverage, Namesakes, PartyKey, Protocol, Span, Suspicion, Timestamp},
    policy::{Finding, PolicyType, Ruling, Simulation, Undone, is_cluster_wide},
    recommend::{Doubts, MissedRun},
    render::{Audits, Conflict, Decisions, Granularity, Idle, Kustomizations, PolicyKey, Sheet, page::ReachView},
};

/// What a run of captures lost, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLoss {
    /// From its first packet to its last.
    pub span: Span,
    /// Packets that were captured; records of a flow log.
    pub packets: u64,
    /// Packets that never reached the capture.
    pub dropped: u64,
    /// Flows that Hubble lost before its log had them.
    pub lost_flows: u64,
}

impl RunLoss {
    /// What it has, and what it lost.
    fn add_to(&self, (seen, lost): (u64, u64)) -> (u64, u64) {
        let lost = lost.saturating_add(self.dropped).saturating_add(self.lost_flows);
        (seen.saturating_add(self.packets), lost)
    }
}

/// Attempts that nobody answered, to or from pods that a deployed policy isolates: it may have blocked them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Blocked {
    /// The client.
    pub from: String,
    /// The server.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port.
    pub port: u16,
    /// How many attempts.
    pub attempts: u64,
    /// What the deployed policies say.
    pub reason: String,
}

/// A policy that is deployed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeployedPolicy {
    /// Its kind.
    pub kind: String,
    /// `namespace/name`, or its name alone where it is in none.
    pub name: String,
}

impl DeployedPolicy {
    /// Whether it is of a kind that is in no namespace.
    #[must_use]
    pub fn is_cluster_wide(&self) -> bool {
        is_cluster_wide(&self.kind)
    }
}

impl fmt::Display for DeployedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Serialize for DeployedPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What becomes possible with a proposal that deployed policies deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opens {
    /// Between how many pairs of workloads and ranges of addresses.
    pub pairs: usize,
    /// Some of them, in words.
    pub examples: Vec<String>,
}

/// A decision of a person on the review page that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub author: String,
    /// On which policy.
    pub policy: PolicyKey,
    /// What, in words.
    pub what: String,
    /// Why, in the words of who decided.
    pub reason: String,
}

/// What a review tells beside the recommendation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The site that the policies are for.
    pub site: String,
    /// Whose names others have too.
    pub namesakes: Namesakes,
    /// What was captured, and what that may have missed.
    pub captures: Captures,
    /// The past, held against the proposal.
    pub replay: Simulation,
    /// What is in force besides, or in the place of the proposal.
    pub in_force: InForce,
    /// What a person decided.
    pub by_hand: ByHand,
    /// What the proposal costs and leaves open, beside others; empty where it was not asked for.
    pub measured: Measured,
    /// Kustomizations beside the policies.
    pub kustomizations: Kustomizations,
    /// The policies as they are decided, and what each of their rules rests on.
    pub sheets: Vec<Sheet>,
}

/// What was captured, and what that may have missed or will miss.
#[derive(Clone, Debug)]
pub struct Captures {
    /// The window of the captures.
    pub span: Option<Span>,
    /// How much of it was watched, in seconds: what several captures saw counts once, and days without any traffic do not.
    pub watched_s: f64,
    /// Every capture with what it lost.
    pub losses: Vec<RunLoss>,
    /// What could not be used of what tells who is who.
    pub listing_faults: BTreeSet<String>,
    /// Captures that are damaged, or of which something was lost.
    pub damaged: usize,
    /// Packets and records of these that may be of connections and could not be read.
    pub unread: u64,
    /// Captures that were taken with a filter.
    pub filtered: usize,
    /// Captures that took of TCP what opens and closes, and a sample of the rest.
    pub light: usize,
    /// Connections of flow logs of which nothing but verdicts of policies is known, so that they are left out.
    pub verdicts_alone: u64,
    /// Connections with data both ways that make no rule, for they look like a part of a sweep, by the names of their clients.
    pub swept: BTreeMap<String, u64>,
    /// Connections that make a rule by answers alone, though both ways of their clients were captured elsewhere, likewise.
    pub unasked: BTreeMap<String, u64>,
    /// Connections that were in use in the window and make no rule, for they began before it: client, server and port.
    pub outlasting: BTreeMap<String, u64>,
    /// Between whom a Service led, though the inventory does not know the server behind it.
    pub led_elsewhere: BTreeSet<String>,
    /// Between whom all connections are later than any list that shows one end with its address, and the next list lacks that end.
    pub guessed: BTreeSet<String>,
    /// When pods were last listed, where captures go on long after.
    pub listed_until: Option<Timestamp>,
    /// Servers of FTP, whose data takes another port each time.
    pub ftp: BTreeSet<String>,
    /// Servers of TFTP, which answer from another port each time.
    pub tftp: BTreeSet<String>,
    /// How complete the learning is, by namespace.
    pub learning: BTreeMap<String, Learning>,
    /// For how much of their time the workloads were watched.
    pub coverage: Coverage,
    /// Traffic whose real port a mesh hides.
    pub hidden: Vec<Hidden>,
    /// Addresses that count as outside and may be of the cluster: as whom.
    pub suspects: BTreeMap<Suspicion, BTreeSet<IpAddr>>,
    /// What the inventory does not list all of.
    pub gaps: Gaps,
    /// What may move, change places, or be made anew under other labels.
    pub doubts: Doubts,
    /// `CronJob`s that did not run while captures were taken.
    pub missed_runs: Vec<MissedRun>,
    /// What deployed policies may have blocked while captures were taken.
    pub blocked: Vec<Blocked>,
}

/// What is in force besides, or in the place of the proposal.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What makes the policies more than paper.
    pub plugin: NetworkPlugin,
    /// Deployed policies of these namespaces that flowmap did not write: they stay in force beside these.
    pub deployed: Vec<DeployedPolicy>,
    /// Policies that flowmap did not write, and that policies of the proposal with their names replace.
    pub replaced: Vec<DeployedPolicy>,
    /// Deployed policies that no verdict knows of: of other kinds, or not read.
    pub unjudged: Vec<String>,
    /// What of deployed policies no verdict can be sure of.
    pub unsure: Vec<String>,
    /// The past, held against the proposal on top of what is deployed; nothing where nothing is.
    pub on_top: Option<Simulation>,
    /// The past, held against what is deployed without the proposal; nothing where nothing is.
    pub before: Option<Simulation>,
    /// What deployed policies keep open of what the proposal closes.
    pub undone: Vec<Undone>,
    /// What deployed policies deny and the proposal allows.
    pub opens: Option<Opens>,
    /// Workloads that deployed policies close one way, and that are open with the proposal, by the direction.
    pub reopened: BTreeMap<PolicyType, BTreeSet<String>>,
}

/// What a person decided, and what that does.
#[derive(Clone, Debug)]
pub struct ByHand {
    /// What was decided.
    pub decisions: Decisions,
    /// What that changes.
    pub conflicts: Vec<Conflict>,
    /// Decisions that find nothing to apply to.
    pub idle: Vec<Idle>,
    /// Who decided what on the review page, in the order of time.
    pub said: Vec<Said>,
}

/// What a proposal costs and leaves open.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// What each granularity costs and leaves open, by itself.
    pub granularities: Vec<Granularity>,
    /// What is allowed over what was seen with the proposal on top of what is deployed; nothing where nothing is.
    pub over_permission_on_top: Option<f64>,
    /// How far each workload of the site reaches and is reached with what is deployed, and with the proposal on top of that.
    pub reach: BTreeMap<String, ReachView>,
    /// Which of the allowed dependencies others can read.
    pub audit: Audits,
}

impl Facts {
    /// The facts of some policies alone, with the past held against these, and against these on top of what is deployed.
    #[must_use]
    pub fn of(
        &self,
        is_wanted: &dyn Fn(&PolicyKey) -> bool,
        (replay, on_top): (Simulation, Option<Simulation>),
    ) -> Self {
        let mut facts = Self { replay, measured: Measured::default(), ..self.clone() };
        facts.in_force.on_top = on_top;
        facts.sheets.retain(|sheet| is_wanted(&sheet.key));
        facts.by_hand.conflicts.retain(|conflict| is_wanted(&conflict.policy));
        facts.by_hand.idle.retain(|idle| is_wanted(&idle.policy));
        facts.by_hand.said.retain(|said| is_wanted(&said.policy));
        let namespaces: BTreeSet<String> = facts.sheets.iter().map(|sheet| sheet.namespace.clone()).collect();
        facts.captures.learning.retain(|namespace, _| namespaces.contains(namespace));
        facts
    }

    /// What becomes of the past beside the policies that are deployed, where that differs from the proposal by itself; `number`
    /// writes numbers.
    #[must_use]
    pub fn beside(&self, number: fn(u64) -> String) -> Option<String> {
        let on_top = self.in_force.on_top.as_ref()?;
        // two may be as many, and others
        let is_other = self.broken_beside().next().is_some() || self.replay.findings.iter().any(|it| self.is_kept(it));
        is_other.then(|| {
            let [allowed, denied, uncertain] = [on_top.allowed, on_top.denied, on_top.uncertain].map(number);
            let already = match self.denied_already() {
                0 => String::new(),
                already => format!(" What is deployed denies {} of these already, without the proposal.", number(already)),
            };
            format!(
                "On top of the policies that are deployed besides, and for as long as they are: {allowed} allowed, {denied} \
                 denied, {uncertain} uncertain.{already}"
            )
        })
    }

    /// The past, held against the proposal on top of what is deployed, if anything is: as it is judged once it is applied.
    #[must_use]
    pub fn in_place(&self) -> &Simulation {
        self.in_force.on_top.as_ref().unwrap_or(&self.replay)
    }

    /// What of the verdict with the proposal in place is the proposal's, and what that of policies that are deployed besides, where
    /// these have a part in it.
    #[must_use]
    pub fn apart(&self) -> Option<String> {
        self.beside(|number| number.to_string())?;
        let Simulation { allowed, denied, uncertain, .. } = &self.replay;
        let already = match self.denied_already() {
            0 => String::new(),
            already => format!("; what is deployed denies {already} already, without it"),
        };
        Some(format!(
            "So it is on top of what is deployed. The proposal by itself: {allowed} allowed, {denied} denied, {uncertain} \
             uncertain{already}."
        ))
    }

    /// How many of the connections that are denied with the proposal in place deployed policies deny already.
    #[must_use]
    pub fn denied_already(&self) -> u64 {
        let Some(before) = &self.in_force.before else { return 0 };
        let (before, after) = (denied(before), denied(self.in_place()));
        after.iter().map(|(key, count)| before.get(key).copied().unwrap_or(0).min(*count)).sum()
    }

    /// Whether the proposal breaks anything that was seen, by itself or with what is deployed: not what is denied already.
    #[must_use]
    pub fn breaks(&self) -> bool {
        self.replay.denied > 0 || self.in_place().denied > self.denied_already()
    }

    /// What is denied, or cannot be told, on top of what is deployed, and is not by the proposal itself.
    pub fn broken_beside(&self) -> impl Iterator<Item = &Finding> {
        let alone: BTreeSet<_> = self.replay.findings.iter().map(finding_key).collect();
        let on_top = self.in_force.on_top.iter().flat_map(|on_top| &on_top.findings);
        on_top.filter(move |finding| !alone.contains(&finding_key(finding)))
    }

    /// Whether what the proposal itself denies, or leaves uncertain, goes through on top of what is deployed.
    #[must_use]
    pub fn is_kept(&self, finding: &Finding) -> bool {
        let is_it = |other: &Finding| finding_key(other) == finding_key(finding);
        self.in_force.on_top.as_ref().is_some_and(|on_top| !on_top.findings.iter().any(is_it))
    }

    /// All that would not go through, or may not, each with what its verdict is to be called: the proposal's own first.
    pub fn findings(&self) -> impl Iterator<Item = (String, &Finding)> {
        let own = self.replay.findings.iter().map(|it| {
            let word = if self.is_kept(it) { format!("{} by itself", it.verdict) } else { it.verdict.to_string() };
            (word, it)
        });
        let before = self.in_force.before.as_ref().map(denied).unwrap_or_default();
        own.chain(self.broken_beside().map(move |it| {
            let is_new = it.verdict == Ruling::Denied && !before.contains_key(&finding_key(it));
            (format!("{} {}", it.verdict, if is_new { "with what is deployed" } else { "besides" }), it)
        }))
    }

    /// On what the openness of granularities rests, where policies that are deployed besides make it another.
    #[must_use]
    pub fn open_beside(&self) -> Option<String> {
        let alone = self.measured.granularities.iter().find(|it| it.chosen).and_then(|it| it.over_permission);
        let over = self.measured.over_permission_on_top.filter(|over| alone != Some(*over))?;
        Some(format!(
            "Over-permission and reach are those of the policies by themselves. On top of the policies that are deployed besides, \
             and for as long as they are, over-permission is {over:.2}."
        ))
    }
}

impl Captures {
    /// Packets that never reached a capture.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.losses.iter().map(|loss| loss.dropped).fold(0, u64::saturating_add)
    }

    /// Flows that Hubble lost before its logs had them.
    #[must_use]
    pub fn lost_flows(&self) -> u64 {
        self.losses.iter().map(|loss| loss.lost_flows).fold(0, u64::saturating_add)
    }

    /// Whether more was lost than was seen, all captures and flow logs together.
    #[must_use]
    pub fn is_mostly_lost(&self) -> bool {
        let (seen, lost) = self.losses.iter().fold((0, 0), |sum, loss| loss.add_to(sum));
        lost > seen
    }

    /// The share of packets and flows that were lost in a time, in captures and flow logs that overlap with it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn loss(&self, span: Span) -> f64 {
        let overlaps = |loss: &&RunLoss| loss.span.first <= span.last && span.first <= loss.span.last;
        let (seen, lost) = self.losses.iter().filter(overlaps).fold((0, 0), |sum, loss| loss.add_to(sum));
        if lost == 0 { 0.0 } else { lost as f64 / seen.saturating_add(lost) as f64 }
    }
}

/// What a finding is about, and what it says.
/// How many connections are denied, by what [`finding_key`] tells apart.
fn denied(simulation: &Simulation) -> BTreeMap<FindingKey<'_>, u64> {
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    for finding in simulation.findings.iter().filter(|it| it.verdict == Ruling::Denied) {
        *sums.entry(finding_key(finding)).or_default() += finding.connections;
    }
    sums
}

type FindingKey<'f> = (&'f PartyKey, &'f PartyKey, Protocol, u16, Ruling);

fn finding_key(it: &Finding) -> FindingKey<'_> {
    (&it.from, &it.to, it.protocol, it.port, it.verdict)
}
