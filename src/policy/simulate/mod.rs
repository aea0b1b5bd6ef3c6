//! The past held against policies: what was allowed would still be, what would break, and what cannot be told.
//!
//! ```text
//! dependencies -> Past -> Replay -> Simulation
//!                 past    here: verdicts by class of ends
//! ```

mod past;
mod reopened;
mod split;
mod undone;

use std::fmt;

use foldhash::{HashMap, HashSet};
use serde::{Serialize, Serializer, ser::SerializeMap};
use smallvec::SmallVec;

use super::{Classes, Dialled, Dnat, End, Evaluator, PolicyType, Probe, Verdict};
use crate::model::{Dependency, Mark, PartyKey, Protocol};
pub use past::Past;
use past::{Actors, Row};
pub use reopened::reopened;
pub use split::Detail;
pub use undone::{Undone, undone};

/// What policies would have done to connections that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// Connections that somebody needs: established, mid-stream or one-way.
    pub connections: u64,
    /// Those allowed.
    pub allowed: u64,
    /// Those denied.
    pub denied: u64,
    /// Those of which it cannot be told.
    pub uncertain: u64,
    /// Attempts that failed or were part of a scan, and would now be denied.
    pub also_closed: u64,
    /// Every denied and every uncertain dependency.
    pub findings: Vec<Finding>,
    /// Every failed or scanning attempt that would now be denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Finding>,
}

/// A dependency that would break, or may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The client.
    #[serde(flatten, serialize_with = "from")]
    pub from: PartyKey,
    /// The server.
    #[serde(flatten, serialize_with = "to")]
    pub to: PartyKey,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port.
    pub port: u16,
    /// Connections concerned.
    pub connections: u64,
    /// What the policies say to it.
    pub verdict: Ruling,
    /// Why; of what is closed also why nobody needs it, first.
    pub reason: String,
}

/// What policies say to what they do not surely allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Denied, and nobody needs it.
    Closed,
    /// Denied.
    Denied,
    /// It cannot be told.
    Uncertain,
}

impl Ruling {
    /// As a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Denied => "denied",
            Self::Uncertain => "uncertain",
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Two ends of the past by their places, and the port between them.
#[derive(Clone, Copy)]
struct Between {
    from: usize,
    to: usize,
    port: u16,
}

enum Outcome {
    Allowed,
    /// With ends and a port that it is denied for.
    Denied(Between),
    /// Denied between some of the ends and not between others, with such as it is denied for.
    Mixed(Between),
    Uncertain(String),
}

/// Replays what was recorded. A dependency is of many pods, and where policies allow it between some of them alone, `detail`
/// tells who talked with whom; without it such a dependency is denied as a whole.
#[must_use]
pub fn simulate(past: &Past<'_>, evaluator: &Evaluator<'_>, detail: Option<&Detail<'_>>) -> Simulation {
    let mut replay = Replay::new(past, evaluator);
    let mut simulation = Simulation::default();
    let mut mixed = Vec::new();
    for row in &past.rows {
        let outcome = match replay.outcome(row) {
            Outcome::Mixed(..) if detail.is_some() => {
                mixed.push(row.dependency);
                continue;
            }
            Outcome::Mixed(between) => Outcome::Denied(between),
            outcome => outcome,
        };
        replay.count(row, outcome, &mut simulation);
    }
    if let Some(detail) = detail.filter(|_| !mixed.is_empty()) {
        split::judge(&mixed, evaluator, detail, &mut simulation);
    }
    simulation.findings.sort();
    simulation.closed.sort();
    simulation
}

/// Verdicts on rows under one set of policies.
struct Replay<'a> {
    past: &'a Past<'a>,
    evaluator: &'a Evaluator<'a>,
    classes: Classes,
    /// The kinds of each party's ends, each once.
    kinds: Vec<Kinds>,
    /// For each end the first of its name and kind: a sentence about one is true of the other.
    likes: Vec<usize>,
    /// Why connections are denied: many are for one reason.
    reasons: HashMap<Denied, String>,
}

/// So few pairs of ends are all looked at.
const FEW_PAIRS: usize = 64;

/// Two ends by their places and a port.
type Denied = (usize, usize, Protocol, u16);

/// Almost every party is of one kind.
type Kinds = SmallVec<[usize; 2]>;

impl<'a> Replay<'a> {
    fn new(past: &'a Past<'a>, evaluator: &'a Evaluator<'a>) -> Self {
        let classes = Classes::new(evaluator, &past.ends);
        let kinds = |actors: &Actors| Kinds::from_vec(classes.kinds_of(actors.ends.iter().flatten().copied()));
        let kinds = past.parties.iter().map(kinds).collect();
        let mut first: HashMap<(String, usize), usize> = HashMap::default();
        let mut like = |(n, end): (usize, &End)| *first.entry((end.to_string(), classes.kind(n))).or_insert(n);
        let likes = past.ends.iter().enumerate().map(&mut like).collect();
        Self { past, evaluator, classes, kinds, likes, reasons: HashMap::default() }
    }

    fn count(&mut self, row: &Row<'a>, outcome: Outcome, simulation: &mut Simulation) {
        let (dependency, count) = (row.dependency, row.connections);
        if let Some(unneeded) = row.unneeded {
            if let Outcome::Denied(between) | Outcome::Mixed(between) = outcome {
                // of a scan's thousand ports nobody asks which rule is missing
                let reason = if dependency.marks.contains(&Mark::Scan) {
                    unneeded.to_owned()
                } else {
                    format!("{unneeded}; {}", self.reason(row, between))
                };
                simulation.also_closed += count;
                simulation.closed.push(finding(dependency, Ruling::Closed, reason));
            }
            return;
        }
        simulation.connections += count;
        match outcome {
            Outcome::Allowed => simulation.allowed += count,
            Outcome::Denied(between) => {
                simulation.denied += count;
                let reason = self.reason(row, between);
                simulation.findings.push(finding(dependency, Ruling::Denied, reason));
            }
            Outcome::Mixed(..) => {
                let (client, server) = (&dependency.client.name, &dependency.server.name);
                let reason = format!("which pod of {client} and of {server} it was is not known, and some are closed");
                simulation.uncertain += count;
                simulation.findings.push(finding(dependency, Ruling::Uncertain, reason));
            }
            Outcome::Uncertain(reason) => {
                simulation.uncertain += count;
                simulation.findings.push(finding(dependency, Ruling::Uncertain, reason));
            }
        }
    }

    fn outcome(&self, row: &Row<'a>) -> Outcome {
        match self.judged(row) {
            // what is uncertain counts as closed, until it is told
            Outcome::Denied(between) if self.may_doubt(row) => {
                self.doubt(row, between).map_or(Outcome::Denied(between), Outcome::Uncertain)
            }
            outcome => outcome,
        }
    }

    fn may_doubt(&self, row: &Row<'a>) -> bool {
        self.evaluator.may_doubt() || row.dialled.iter().any(|dialled| dialled.is_of_node)
    }

    /// Why it cannot be told whether what counts as denied between two ends is.
    fn doubt(&self, row: &Row<'a>, between: Between) -> Option<String> {
        let mut verdicts: Vec<Verdict> = self.probes(row, between).map(|it| self.evaluator.evaluate(&it)).collect();
        if !row.sources.is_empty() {
            let at_server =
                || self.at_server(row, between.to, between.port).map(|it| self.evaluator.evaluate(&it).ingress);
            let both = |it: Verdict| at_server().map(move |ingress| Verdict { ingress, egress: it.egress.clone() });
            verdicts = verdicts.into_iter().flat_map(both).collect();
        }
        let denied: Vec<Verdict> = verdicts.into_iter().filter(|verdict| !verdict.allowed()).collect();
        let is_uncertain = !denied.is_empty() && denied.iter().all(Verdict::uncertain);
        denied.first().filter(|_| is_uncertain).and_then(Verdict::reason)
    }

    fn judged(&self, row: &Row<'a>) -> Outcome {
        if row.is_always_allowed {
            return Outcome::Allowed;
        }
        let [client, server] = [row.client, row.server].map(|party| &self.past.parties[party]);
        let reason = match (&client.ends, &server.ends) {
            (Ok(_), _) if !row.is_direction_known => "who is the client is unknown".to_owned(),
            (Ok(clients), Ok(servers)) => return self.unless_doubtful(row, self.known(row, clients, servers)),
            (Ok(clients), Err(_)) if !row.targets.is_empty() => {
                return self.unless_doubtful(row, self.behind_service(row, clients));
            }
            (Err(reason), _) | (_, Err(reason)) => reason.to_string(),
        };
        if self.could_deny(row) { Outcome::Uncertain(reason) } else { Outcome::Allowed }
    }

    /// What is allowed by the address of somebody who may be a pod is not sure: an address lets no pod through.
    fn unless_doubtful(&self, row: &Row<'a>, outcome: Outcome) -> Outcome {
        let [client, server] = [row.client, row.server].map(|party| self.past.parties[party].doubt.as_ref());
        let isolates = |party: usize, direction: PolicyType| {
            self.kinds[party].iter().any(|kind| self.classes.isolates(direction, *kind))
        };
        let in_doubt = client.filter(|_| isolates(row.server, PolicyType::Ingress));
        let in_doubt = in_doubt.or_else(|| server.filter(|_| isolates(row.client, PolicyType::Egress)));
        match (outcome, in_doubt) {
            (Outcome::Allowed, Some(doubt)) => Outcome::Uncertain(doubt.clone()),
            (outcome, _) => outcome,
        }
    }

    /// Whether any policy may have a say where a side is not known, or who the client was: whoever is unknown may be any
    /// pod.
    fn could_deny(&self, row: &Row<'a>) -> bool {
        let isolates = |party: usize, direction: PolicyType| match &self.past.parties[party].ends {
            Ok(_) => self.kinds[party].iter().any(|kind| self.classes.may_deny(direction, *kind)),
            Err(_) => self.evaluator.may_deny(direction),
        };
        let (there, back) = ((row.client, row.server), (row.server, row.client));
        let ways = if row.is_direction_known { vec![there] } else { vec![there, back] };
        ways.iter()
            .any(|(client, server)| isolates(*client, PolicyType::Egress) || isolates(*server, PolicyType::Ingress))
    }

    /// A connection whose ends are known: the first pair of each kind of verdict decides.
    fn known(&self, row: &Row<'a>, clients: &[usize], servers: &[usize]) -> Outcome {
        let (from, to) = (&self.kinds[row.client], &self.kinds[row.server]);
        let mut pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
        let allows = |(from, to)| self.classes.allows(from, to, row.protocol, row.port);
        let is_by_kind = !self.is_by_dialling(row) && row.sources.is_empty();
        if is_by_kind && pairs.clone().all(allows) {
            return Outcome::Allowed;
        }
        // thousands of pods of one kind are asked once; a few may reach themselves, or their node, all the same
        let is_denied_by_kind = is_by_kind && clients.len() * servers.len() > FEW_PAIRS && !pairs.any(allows);
        let pairs = clients.iter().flat_map(|from| servers.iter().map(move |to| (*from, *to)));
        let (mut denied, mut is_allowed, mut all_denied) = (None, false, Vec::new());
        for (from, to) in self.possible(pairs) {
            let between = Between { from, to, port: row.port };
            if self.denies(row, between) {
                denied = denied.or(Some(between));
                all_denied.push(between);
            } else {
                is_allowed = true;
            }
            match denied {
                Some(between) if is_allowed => return Outcome::Mixed(between),
                Some(_) if is_denied_by_kind => break,
                _ => {}
            }
        }
        denied.map_or(Outcome::Allowed, |first| self.apart_from_doubt(row, first, &all_denied))
    }

    /// What is denied between all of these: where that is sure between some of them and not between others, whoever is listed first
    /// decides nothing.
    fn apart_from_doubt(&self, row: &Row<'a>, first: Between, denied: &[Between]) -> Outcome {
        let (mut sure, mut is_doubted, mut asked) = (None, false, HashSet::default());
        for between in denied.iter().filter(|_| self.may_doubt(row)) {
            let Between { from, to, port } = *between;
            let ways: Vec<bool> = self.probes(row, *between).map(|probe| probe.at_other_node().is_some()).collect();
            let likes = (self.likes[from], self.likes[to], port, ways);
            // where addresses decide, each end has a verdict of its own
            if !self.evaluator.options.ipblock_matches_pods && !asked.insert(likes) {
                continue;
            }
            match self.doubt(row, *between) {
                Some(_) => is_doubted = true,
                None => sure = sure.or(Some(*between)),
            }
            if let Some(sure) = sure.filter(|_| is_doubted) {
                return Outcome::Mixed(sure);
            }
        }
        Outcome::Denied(first)
    }

    /// A connection to a Service of which it was not seen who answered: whoever stands behind it may have.
    fn behind_service(&self, row: &Row<'a>, clients: &[usize]) -> Outcome {
        let between = |from, (to, port): &(usize, u16)| Between { from, to: *to, port: *port };
        let pairs = clients.iter().flat_map(|from| row.targets.iter().map(move |target| between(*from, target)));
        let pairs: Vec<Between> = pairs.collect();
        let denied: Vec<_> = pairs.iter().filter(|pair| self.denies(row, **pair)).collect();
        match denied.first() {
            None => Outcome::Allowed,
            Some(between) if denied.len() == pairs.len() => {
                let is_doubted = |between: &&&Between| self.may_doubt(row) && self.doubt(row, ***between).is_some();
                Outcome::Denied(**denied.iter().find(is_doubted).unwrap_or(between))
            }
            Some(_) => {
                let name = &row.dependency.server.name;
                Outcome::Uncertain(format!("which pod behind {name} answered was not seen, and some are closed"))
            }
        }
    }

    /// Of pairs of ends those between which a connection is possible; all where none is.
    fn possible(&self, pairs: impl Iterator<Item = (usize, usize)>) -> Vec<(usize, usize)> {
        let ends = &self.past.ends;
        let (possible, others): (Vec<_>, Vec<_>) = pairs.partition(|(from, to)| ends[*from].meets(&ends[*to]));
        if possible.is_empty() { others } else { possible }
    }

    fn denies(&self, row: &Row<'a>, between: Between) -> bool {
        let Between { from, to, port } = between;
        if !row.sources.is_empty() {
            let mut asked = self.probes(row, between);
            return !asked.all(|probe| self.evaluator.evaluate(&probe).egress.allowed)
                || !self.at_server(row, to, port).all(|probe| self.evaluator.evaluate(&probe).ingress.allowed);
        }
        let is_at_node = self.past.parties[row.client].is_at_node || self.past.parties[row.server].is_at_node;
        if !self.is_by_dialling(row) && !is_at_node {
            let ends = &self.past.ends;
            return !self.classes.allows(self.classes.kind(from), self.classes.kind(to), row.protocol, port)
                && !Probe::new(&ends[from], &ends[to], row.protocol, port).is_always_allowed();
        }
        !self.probes(row, between).all(|probe| self.evaluator.allows(&probe))
    }

    /// Whether it is judged by what the client dialled: a policy at its side may see that.
    fn is_by_dialling(&self, row: &Row<'a>) -> bool {
        let is_seen = |it: &Dialled| it.is_of_node || self.evaluator.options.dnat == Dnat::Before;
        let may_deny = |kind: &usize| self.classes.may_deny(PolicyType::Egress, *kind);
        row.dialled.iter().any(is_seen) && self.kinds[row.client].iter().any(may_deny)
    }

    /// The questions that a row asks between two ends: one for each address that was dialled.
    fn probes(&self, row: &Row<'a>, between: Between) -> impl Iterator<Item = Probe<'a>> + use<'a> {
        let Between { from, to, port } = between;
        let ends = &self.past.ends;
        let probe = Probe::new(&ends[from], &ends[to], row.protocol, port);
        let dialled: Vec<_> = row.dialled.iter().copied().map(Some).collect();
        let dialled = if dialled.is_empty() { vec![None] } else { dialled };
        dialled.into_iter().map(move |dialled| Probe { dialled, ..probe })
    }

    /// The questions that a row asks at its server, where that saw others in the place of its client.
    fn at_server(&self, row: &Row<'a>, to: usize, port: u16) -> impl Iterator<Item = Probe<'a>> {
        let (ends, protocol) = (&self.past.ends, row.protocol);
        let sources: Vec<usize> = row.sources.clone();
        sources.into_iter().map(move |source| Probe::new(&ends[source], &ends[to], protocol, port))
    }

    fn reason(&mut self, row: &Row<'a>, between: Between) -> String {
        let Between { from, to, port } = between;
        if !row.sources.is_empty() {
            let mut asked = self.probes(row, between);
            let egress = asked.find_map(|probe| self.evaluator.evaluate(&probe).egress.why());
            let at_server = || {
                let mut asked = self.at_server(row, to, port);
                asked.find_map(|probe| self.evaluator.evaluate(&probe).ingress.why())
            };
            return egress.or_else(at_server).unwrap_or_default();
        }
        let ask = || self.probes(row, between).find_map(|probe| self.evaluator.evaluate(&probe).reason());
        let options = self.evaluator.options;
        // where addresses decide, each end has a sentence of its own
        if options.ipblock_matches_pods || options.dnat == Dnat::Before || self.is_by_dialling(row) {
            return ask().unwrap_or_default();
        }
        let key = (self.likes[from], self.likes[to], row.protocol, port);
        if let Some(known) = self.reasons.get(&key) {
            return known.clone();
        }
        let reason = ask().unwrap_or_default();
        self.reasons.insert(key, reason.clone());
        reason
    }
}

/// A client by its name and, where it is a workload, its owner's kind.
fn from<S: Serializer>(party: &PartyKey, serializer: S) -> Result<S::Ok, S::Error> {
    end(["from", "from_owner"], party, serializer)
}

/// A server by its name and, where it is a workload, its owner's kind.
fn to<S: Serializer>(party: &PartyKey, serializer: S) -> Result<S::Ok, S::Error> {
    end(["to", "to_owner"], party, serializer)
}

fn end<S: Serializer>([name, owner]: [&str; 2], party: &PartyKey, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_map(None)?;
    fields.serialize_entry(name, &party.name)?;
    if let Some(kind) = &party.owner {
        fields.serialize_entry(owner, kind)?;
    }
    fields.end()
}

fn finding(dependency: &Dependency, verdict: Ruling, reason: String) -> Finding {
    Finding {
        from: (&dependency.client).into(),
        to: (&dependency.server).into(),
        protocol: dependency.protocol,
        port: dependency.port,
        connections: dependency.connections,
        verdict,
        reason,
    }
}
