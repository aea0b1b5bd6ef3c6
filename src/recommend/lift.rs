//! Edges of units to rules of groups: as a whole where enough of a group's pairs were seen, else for single units.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use ipnet::IpNet;

use super::{
    Access, Dns, Group, Options, Peer, PodPeer, Widened,
    access::Accesses,
    baseline::{self, Asker},
    churn,
    edge::{Edge, Far, Side, Support},
    gather::Gathering,
    grouping::{Cluster, Groups},
    prefixes,
    resolvers::DnsDraft,
    units::{UnitId, is_revision_of},
};
use crate::model::{Protocol, Watched, WorkloadRef};

/// The other end of a rule: a whole group, a unit, or none of the cluster's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum FarKey {
    Group(usize),
    Unit(UnitId),
    Other(Far),
}

/// What is seen of a pair of groups on one port, whichever side it was seen from.
type Pairs = HashMap<(usize, usize, Protocol, u16), BTreeSet<(UnitId, UnitId)>>;

/// The edges of one namespace, in order.
pub(super) type Edges = Vec<(Edge, Support)>;

/// Turns edges into groups with rules.
pub(super) struct Lifting<'a> {
    pub gathering: &'a Gathering<'a>,
    pub groups: &'a Groups,
    pub options: &'a Options,
    pub pairs: Pairs,
}

/// Whose rules: a group's, or those of one of its units besides.
type Subject = (usize, Option<UnitId>);

/// Rules while they are gathered, by side.
type Draft = BTreeMap<Side, BTreeMap<FarKey, Access>>;

/// The pairs of units that were seen within every pair of groups.
pub(super) fn pairs(edges: &HashMap<Edge, Support>, groups: &Groups) -> Pairs {
    let mut pairs = Pairs::default();
    for edge in edges.keys() {
        if let Far::Unit(far) = edge.far {
            let pair = if edge.side == Side::Egress { (edge.unit, far) } else { (far, edge.unit) };
            let key = (groups.of(pair.0), groups.of(pair.1), edge.protocol, edge.port);
            pairs.entry(key).or_default().insert(pair);
        }
    }
    pairs
}

/// One edge's worth of access.
pub(super) fn access(protocol: Protocol, port: u16, support: Support) -> Access {
    Access {
        ports: [(protocol, port.into())].into(),
        evidence: support.evidence.into_iter().collect(),
        purposes: support.purposes,
        widened: support.is_unseen.then_some(Widened::Unseen).into_iter().collect(),
    }
}

/// The other end as a peer.
pub(super) fn peer(far: FarKey, groups: Option<&Groups>, gathering: &Gathering<'_>) -> Peer {
    let pods = |namespace: &str, name: &str, selectors| {
        Peer::Pods(PodPeer { namespace: namespace.to_owned(), name: name.to_owned(), selectors })
    };
    match far {
        FarKey::Group(group) => match groups.and_then(|groups| groups.all.get(group)) {
            Some(group) => pods(&group.namespace, &group.name, group.selectors.clone()),
            None => pods("", "", Vec::new()),
        },
        FarKey::Unit(unit) | FarKey::Other(Far::Unit(unit)) => match gathering.units.all.get(unit) {
            Some(unit) => pods(&unit.namespace, &unit.name, vec![unit.selector.clone()]),
            None => pods("", "", Vec::new()),
        },
        FarKey::Other(Far::Address(address)) => Peer::Addresses(address.into()),
        FarKey::Other(Far::Node(address)) => Peer::NodeAddress(address),
        FarKey::Other(Far::Anyone(range)) => gathering.exposure.anyone(range),
        FarKey::Other(Far::EveryPod) => Peer::EveryPod,
    }
}

impl Lifting<'_> {
    /// The groups of a namespace with their rules, by name.
    pub fn groups(&self, namespace: &str, edges: Edges) -> Vec<Group> {
        let mut drafts: BTreeMap<Subject, Draft> = BTreeMap::new();
        for unit in self.gathering.units.within(namespace) {
            drafts.entry((self.groups.of(unit), None)).or_default();
        }
        for ((group, side, far, protocol, port), edges) in self.lines(namespace, edges) {
            self.rule(&mut drafts, (group, side, far, protocol, port), edges);
        }
        let mut found: Vec<Group> = drafts.into_iter().map(|(subject, draft)| self.group(subject, draft)).collect();
        found.extend(self.open_members(namespace));
        found.sort_by(|a, b| (&a.name, a.residue_of.is_some()).cmp(&(&b.name, b.residue_of.is_some())));
        found
    }

    /// Edges by what they would be as a rule of the group.
    fn lines(&self, namespace: &str, edges: Edges) -> BTreeMap<Line, Edges> {
        let mut lines: BTreeMap<Line, Edges> = BTreeMap::new();
        for (edge, support) in edges {
            let far = match edge.far {
                Far::Unit(unit) => self.groups.as_peer(unit, namespace).map_or(FarKey::Unit(unit), FarKey::Group),
                other => FarKey::Other(other),
            };
            let line = (self.groups.of(edge.unit), edge.side, far, edge.protocol, edge.port);
            lines.entry(line).or_default().push((edge, support));
        }
        lines
    }

    fn rule(&self, drafts: &mut BTreeMap<Subject, Draft>, line: Line, edges: Edges) {
        let (group, side, far, protocol, port) = line;
        let (seen, of) = self.seen(line, &edges);
        let mut add = |subject: Subject, far: FarKey, access: Access| {
            drafts.entry(subject).or_default().entry(side).or_default().entry(far).or_default().join(access);
        };
        #[expect(clippy::cast_precision_loss, reason = "shares of counts of workloads")]
        let is_supported = seen as f64 >= self.options.support * of as f64;
        let is_enough = match far {
            // a namespace is open to itself, and to the pods elsewhere that any of it talks to; what lies outside the cluster
            // is let in and reached by those alone whom it concerns
            FarKey::Other(_) if self.groups.is_namespace() => seen == of,
            _ => self.groups.is_namespace() || is_supported,
        };
        for (edge, support) in edges {
            let mut access = access(protocol, port, support);
            if is_enough {
                if seen < of {
                    access.widened.insert(Widened::Members { seen, of });
                }
                add((group, None), far, access);
            } else {
                // what is one unit alone has nobody whom the group's own policy would let in too
                let is_alone = self.groups.all.get(group).is_some_and(|it| it.units.len() == 1);
                add((group, Some(edge.unit).filter(|_| !is_alone)), edge.far.into(), access);
            }
        }
    }

    /// How many of the pairs that a rule would allow were seen, and how many there are.
    fn seen(&self, (group, side, far, protocol, port): Line, edges: &Edges) -> (usize, usize) {
        let count = |place: usize| self.groups.all.get(place).map_or(1, |known| known.units.len());
        let FarKey::Group(other) = far else {
            let units: BTreeSet<UnitId> = edges.iter().map(|(edge, _)| edge.unit).collect();
            return (units.len(), count(group));
        };
        let key = if side == Side::Egress { (group, other, protocol, port) } else { (other, group, protocol, port) };
        let pairs = self.pairs.get(&key);
        let seen = pairs.map_or(0, BTreeSet::len);
        let has_self = pairs.is_some_and(|pairs| pairs.iter().any(|(a, b)| a == b));
        // nobody needs to reach itself where nobody does
        let selves = if group == other && !has_self { count(group) } else { 0 };
        (seen, (count(group) * count(other)).saturating_sub(selves).max(seen))
    }

    fn group(&self, (group, unit): Subject, mut draft: Draft) -> Group {
        let ingress = self.finish(&(group, unit), draft.remove(&Side::Ingress).unwrap_or_default(), Side::Ingress);
        let egress = self.finish(&(group, unit), draft.remove(&Side::Egress).unwrap_or_default(), Side::Egress);
        let Some(whole) = self.groups.all.get(group) else { return empty() };
        let units: BTreeSet<UnitId> = unit.map_or_else(|| whole.units.clone(), |unit| [unit].into());
        let own = unit.and_then(|unit| self.gathering.units.all.get(unit));
        let is_open = whole.units.len() == 1 && units.iter().all(|unit| self.is_open(*unit));
        Group {
            name: own.map_or_else(|| whole.name.clone(), |own| own.name.clone()),
            selectors: own.map_or_else(|| whole.selectors.clone(), |own| vec![own.selector.clone()]),
            ingress,
            egress,
            is_open,
            residue_of: own.map(|_| whole.name.clone()),
            ..self.of_units(&units)
        }
    }

    /// Members of larger groups that are left open: the rest of their group is not.
    fn open_members(&self, namespace: &str) -> Vec<Group> {
        let is_single = |unit: &UnitId| self.groups.all.get(self.groups.of(*unit)).is_none_or(|it| it.units.len() == 1);
        let open = self.gathering.units.within(namespace).filter(|unit| !is_single(unit) && self.is_open(*unit));
        open.filter_map(|unit| {
            let own = self.gathering.units.all.get(unit)?;
            let whole = self.groups.all.get(self.groups.of(unit))?;
            let name = format!("{}-open", own.name);
            let selectors = vec![own.selector.clone()];
            let residue_of = Some(whole.name.clone());
            Some(Group { name, selectors, is_open: true, residue_of, ..self.of_units(&BTreeSet::from([unit])) })
        })
        .collect()
    }

    /// A group of units without rules yet.
    fn of_units(&self, units: &BTreeSet<UnitId>) -> Group {
        let all = units.iter().filter_map(|unit| self.gathering.units.all.get(*unit));
        Group {
            members: all.clone().flat_map(|unit| unit.members.iter().cloned()).collect(),
            is_seen: units.iter().any(|unit| self.is_seen(*unit)),
            watched: units.iter().map(|unit| self.watched(*unit)).min().unwrap_or_default(),
            missing: all.filter_map(|unit| unit.missing.clone()).collect(),
            ..empty()
        }
    }

    /// Name resolution for a namespace: for whole groups, where they are meant to be treated alike.
    pub fn dns(&self, namespace: &str, draft: DnsDraft) -> Option<Dns> {
        if !self.options.directions.has_egress() {
            return None;
        }
        let groups = self.groups.all.iter().filter(|group| group.namespace == namespace);
        let asker = |group: &Cluster| Asker {
            name: group.name.clone(),
            units: group.units.clone(),
            selectors: group.selectors.clone(),
        };
        let mut askers: Vec<Asker> = groups.map(asker).collect();
        askers.retain(|asker| !asker.units.iter().all(|unit| self.is_open(*unit)));
        askers.sort_by(|a, b| a.name.cmp(&b.name));
        baseline::dns(draft, &askers, self.gathering)
    }

    fn watched(&self, unit: UnitId) -> Watched {
        let coverage = self.gathering.input.coverage;
        self.gathering.members(unit).iter().map(|member| coverage.state(member)).min().unwrap_or_default()
    }

    fn is_seen(&self, unit: UnitId) -> bool {
        self.gathering.seen.get(unit).copied().unwrap_or_default()
    }

    /// Whether a unit is left as it is: captures could see too little of what it does. One of two replicas that nobody
    /// watched may have the one long-lived connection that the other has not.
    pub fn is_open(&self, unit: UnitId) -> bool {
        /// Watched for a smaller share of its time, or of its replicas' time, it may need anything.
        const MIN_SHARE: f64 = 0.9;
        let coverage = self.gathering.input.coverage;
        let share = |member| coverage.workloads.get(member).map_or(0.0, |cover| cover.share);
        let (members, cluster) = (self.gathering.members(unit), self.gathering.input.cluster);
        // what was there before, and has no pods any more, needs what its next revision was seen to need
        let is_past = |member: &WorkloadRef| members.len() > 1 && is_revision_of(cluster, member, members);
        !self.options.isolate_unseen && members.iter().any(|member| share(member) < MIN_SHARE && !is_past(member))
    }

    fn finish(&self, subject: &Subject, fars: BTreeMap<FarKey, Access>, side: Side) -> Accesses {
        let is_closed = match side {
            Side::Ingress => self.options.directions.has_ingress(),
            Side::Egress => self.options.directions.has_egress(),
        };
        if !is_closed {
            return Accesses::new();
        }
        let own = self.units_of(FarKey::Group(subject.0), subject.1);
        let mut accesses = Accesses::new();
        for (far, mut access) in fars {
            let servers = if side == Side::Egress { self.units_of(far, None) } else { own.clone() };
            let other = peer(far, Some(self.groups), self.gathering);
            if other == Peer::EveryPod {
                access.widened = BTreeSet::from([Widened::EveryPod]);
            }
            if churn::may_hand_out(&other) {
                churn::widen(&mut access, &self.declared(&servers));
            }
            accesses.entry(other).or_default().join(access);
        }
        let (known, cluster) = (self.gathering.known, self.gathering.input.cluster);
        match side {
            Side::Egress => baseline::whole_api_server(&mut accesses, known, cluster),
            Side::Ingress if subject.1.is_none() => {
                for unit in &own {
                    baseline::webhooks(&mut accesses, *unit, known, cluster);
                }
            }
            Side::Ingress => {}
        }
        let is_forbidden =
            |range: IpNet| self.gathering.exposure.overlaps(range) || self.gathering.is_of_cluster(range);
        prefixes::put_together(accesses, self.options.cidr, &is_forbidden, &self.gathering.neighbours)
    }

    fn units_of(&self, far: FarKey, unit: Option<UnitId>) -> BTreeSet<UnitId> {
        match (unit, far) {
            (Some(unit), _) | (None, FarKey::Unit(unit)) => [unit].into(),
            (None, FarKey::Group(group)) => self.groups.all.get(group).map(|it| it.units.clone()).unwrap_or_default(),
            (None, FarKey::Other(_)) => BTreeSet::new(),
        }
    }

    fn declared(&self, units: &BTreeSet<UnitId>) -> BTreeSet<(Protocol, u16)> {
        units.iter().filter_map(|unit| self.gathering.declared.get(unit)).flatten().copied().collect()
    }
}

/// A rule of a group, as it would be.
type Line = (usize, Side, FarKey, Protocol, u16);

fn empty() -> Group {
    Group {
        name: String::new(),
        members: Vec::new(),
        selectors: Vec::new(),
        ingress: Accesses::new(),
        egress: Accesses::new(),
        is_open: false,
        is_seen: false,
        watched: Watched::default(),
        missing: Vec::new(),
        residue_of: None,
    }
}
