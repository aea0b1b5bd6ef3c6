//! Dependencies to boxes and lines. Addresses outside become two boxes, one for those who call and one for those who are
//! called; the cluster's nodes become one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Area, Count, Edge, Layer, Map, Node, NotDrawn, Sight, Verdict};
use crate::{
    model::{Dependency, Direction, Hour, Mark, Outcome, Party, PartyKey, PartyKind, Protocol, words},
    tier::Tier,
};

/// Verdicts by client, server, protocol and port; all others are allowed.
pub type Judged = BTreeMap<(PartyKey, PartyKey, Protocol, u16), Verdict>;

/// Seen in one hour alone is rare only where there were so many.
const RARE_OF_HOURS: usize = 6;

/// Who a box stands for, in the order of the picture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    place: usize,
    layer: Layer,
    group: String,
    name: String,
    owner: String,
}

struct Builder<'a> {
    tier: &'a dyn Fn(&Party) -> Option<Tier>,
    boxes: BTreeMap<Key, (PartyKind, BTreeSet<PartyKey>)>,
    lines: BTreeMap<(Key, Key), Line>,
    not_drawn: NotDrawn,
    hours: BTreeSet<Hour>,
}

#[derive(Default)]
struct Line {
    ports: super::PortCounts,
    connections: u64,
    hours: BTreeSet<Hour>,
    is_two_sided: bool,
}

/// The map of dependencies, with the tier of each endpoint and what policies say.
pub fn build<'d>(
    dependencies: impl IntoIterator<Item = &'d Dependency>,
    tier: &dyn Fn(&Party) -> Option<Tier>,
    judged: &Judged,
) -> Map {
    let mut builder = Builder {
        tier,
        boxes: BTreeMap::new(),
        lines: BTreeMap::new(),
        not_drawn: NotDrawn::default(),
        hours: BTreeSet::new(),
    };
    for dependency in dependencies {
        builder.add(dependency, judged);
    }
    builder.finish()
}

impl Builder<'_> {
    fn add(&mut self, dependency: &Dependency, judged: &Judged) {
        self.hours.extend(dependency.history.keys());
        if dependency.unneeded().is_some() {
            self.not_drawn.unneeded += dependency.connections;
            return;
        }
        if dependency.marks.contains(&Mark::Node) {
            self.not_drawn.own_node += dependency.connections;
            return;
        }
        let (from, to) = (self.enter(&dependency.client, true), self.enter(&dependency.server, false));
        let line = self.lines.entry((from, to)).or_default();
        let Dependency { client, server, protocol, port, connections, .. } = dependency;
        let verdict = judged.get(&(client.into(), server.into(), *protocol, *port)).copied();
        let count = Count::new(*connections, verdict.unwrap_or_default());
        line.ports.entry((*protocol, *port)).or_default().add(count);
        line.connections = line.connections.saturating_add(*connections);
        line.hours.extend(dependency.history.keys());
        line.is_two_sided |= dependency.outcome != Outcome::Oneway && dependency.direction != Direction::Unknown;
    }

    /// The box of a party, made where there is none.
    fn enter(&mut self, party: &Party, is_client: bool) -> Key {
        let tier = (self.tier)(party);
        let key = key(party, tier, is_client);
        let (_, members) = self.boxes.entry(key.clone()).or_insert_with(|| (party.kind, BTreeSet::new()));
        members.insert(party.into());
        key
    }

    fn finish(self) -> Map {
        let places: BTreeMap<Key, usize> = self.boxes.keys().cloned().zip(0..).collect();
        let mut nodes: Vec<Node> =
            self.boxes.into_iter().map(|(key, (kind, members))| node(key, kind, members)).collect();
        tell_namesakes_apart(&mut nodes);
        let is_long = self.hours.len() >= RARE_OF_HOURS;
        let edge = |((from, to), line): ((Key, Key), Line)| {
            let sight = match line {
                Line { is_two_sided: false, .. } => Sight::OneSided,
                Line { ref hours, .. } if is_long && hours.len() == 1 => Sight::Rare,
                _ => Sight::Plain,
            };
            let Line { ports, connections, .. } = line;
            let verdict = super::worst(&ports);
            Some(Edge { from: *places.get(&from)?, to: *places.get(&to)?, ports, connections, ways: 0, sight, verdict })
        };
        let edges = self.lines.into_iter().filter_map(edge).collect();
        Map { nodes, edges, not_drawn: self.not_drawn }
    }
}

/// Which box a party is in, as client or as server.
#[must_use]
pub fn place(party: &Party, tier: Option<Tier>, is_client: bool) -> Area {
    key(party, tier, is_client).area()
}

impl Key {
    fn area(&self) -> Area {
        let owner = Some(self.owner.clone()).filter(|owner| !owner.is_empty());
        Area { group: self.group.clone(), layer: Some(self.layer), label: Some(self.name.clone()), owner }
    }
}

fn key(party: &Party, tier: Option<Tier>, is_client: bool) -> Key {
    let alone = |layer: Layer, name: &str| Key {
        place: layer.place(),
        layer,
        group: String::new(),
        name: name.to_owned(),
        owner: String::new(),
    };
    let own_layer = tier.map_or(Layer::Other, Layer::Tier);
    match party.kind {
        PartyKind::External if tier.is_none() && is_client => alone(Layer::Callers, "outside"),
        PartyKind::External if tier.is_none() => alone(Layer::Outside, "outside"),
        PartyKind::Node => alone(Layer::Other, "nodes"),
        PartyKind::Multicast => alone(Layer::Other, "multicast"),
        _ => {
            match party.name.split_once('/').filter(|_| matches!(party.kind, PartyKind::Workload | PartyKind::Service))
            {
                Some((namespace, name)) => Key {
                    group: namespace.to_owned(),
                    owner: party.owner.clone().unwrap_or_default(),
                    ..alone(own_layer, name)
                },
                None => alone(own_layer, &party.name),
            }
        }
    }
}

/// Writes on boxes of one name also what they are.
fn tell_namesakes_apart(nodes: &mut [Node]) {
    let mut count: BTreeMap<(String, String), usize> = BTreeMap::new();
    let name = |node: &Node| (node.group.clone(), node.label.clone());
    // outside of namespaces several boxes are called alike where they stand apart: who calls from outside, and who is called
    let is_of_one = |node: &&Node| !node.group.is_empty();
    for node in nodes.iter().filter(is_of_one) {
        *count.entry(name(node)).or_default() += 1;
    }
    for node in nodes.iter_mut().filter(|node| count.get(&name(node)).is_some_and(|count| *count > 1)) {
        node.label = format!("{} ({})", node.label, node.what);
    }
}

fn node(key: Key, kind: PartyKind, members: BTreeSet<PartyKey>) -> Node {
    let count = |one: &str| words::count(members.len() as u64, one);
    let what = match kind {
        PartyKind::Workload if !key.owner.is_empty() => key.owner.clone(),
        PartyKind::External if key.layer == Layer::Callers || key.layer == Layer::Outside => count("address"),
        PartyKind::Node => count("node"),
        PartyKind::Multicast => count("address"),
        PartyKind::Service => "Service without a backend".into(),
        PartyKind::Host => "host".into(),
        PartyKind::Unknown => "owner not known".into(),
        PartyKind::Workload | PartyKind::External => kind.as_str().into(),
    };
    let members = members.into_iter().collect();
    let area = key.area();
    Node { kind, layer: key.layer, group: key.group, label: key.name, what, members, area, is_open: false }
}
