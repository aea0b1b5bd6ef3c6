//! Several boxes as one, where a picture would have too many.

use std::collections::BTreeMap;

use super::{Area, Edge, Layer, Map, Node};
use crate::model::{PartyKey, PartyKind};

/// What is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fold {
    /// Nothing.
    Nothing,
    /// What is in one namespace and one tier.
    Tier,
    /// What is in one namespace: in the tier that most of it is in.
    Namespace,
}

/// More boxes than this are folded, where nobody says how: a page holds them, and names can be read.
const MOST_BOXES: usize = 80;

/// The map with boxes put together; without a word on how, as far as needed.
#[must_use]
pub fn fold(map: Map, how: Option<Fold>) -> (Map, Fold) {
    let folds = match how {
        Some(one) => vec![one],
        None if map.nodes.len() <= MOST_BOXES => vec![Fold::Nothing],
        None => vec![Fold::Tier, Fold::Namespace],
    };
    let mut result = (map, Fold::Nothing);
    for how in folds {
        if how != Fold::Nothing {
            result = (folded(&result.0, &|_| how), how);
        }
        if result.0.nodes.len() <= MOST_BOXES {
            break;
        }
    }
    result
}

/// The map with boxes put together, each as it is told.
pub(super) fn folded(map: &Map, how: &dyn Fn(&Node) -> Fold) -> Map {
    let homes = homes(map, how);
    let mut members: BTreeMap<(usize, &str, Layer, Option<usize>), Vec<usize>> = BTreeMap::new();
    for (place, (node, layer)) in map.nodes.iter().zip(&homes).enumerate() {
        let alone = (how(node) == Fold::Nothing).then_some(place);
        members.entry((layer.place(), &node.group, *layer, alone)).or_default().push(place);
    }
    let mut new_places = vec![0; map.nodes.len()];
    let mut nodes = Vec::new();
    for ((_, group, layer, _), places) in members {
        for place in &places {
            if let Some(new) = new_places.get_mut(*place) {
                *new = nodes.len();
            }
        }
        let inside: Vec<&Node> = places.iter().filter_map(|place| map.nodes.get(*place)).collect();
        nodes.push(together(&inside, group, layer, inside.first().map_or(Fold::Nothing, |node| how(node))));
    }
    let edges = lines(&map.edges, &new_places);
    Map { nodes, edges, not_drawn: map.not_drawn }
}

/// The layer of each box: its own, or that which most of its namespace is in.
fn homes(map: &Map, how: &dyn Fn(&Node) -> Fold) -> Vec<Layer> {
    let mut votes: BTreeMap<&str, BTreeMap<Layer, usize>> = BTreeMap::new();
    for node in &map.nodes {
        *votes.entry(&node.group).or_default().entry(node.layer).or_default() += node.members.len();
    }
    let home = |node: &Node| {
        if how(node) != Fold::Namespace || node.group.is_empty() {
            return node.layer;
        }
        let most = votes
            .get(node.group.as_str())
            .and_then(|of| of.iter().max_by_key(|(layer, votes)| (**votes, std::cmp::Reverse(**layer))));
        most.map_or(node.layer, |(layer, _)| *layer)
    };
    map.nodes.iter().map(home).collect()
}

fn together(inside: &[&Node], group: &str, layer: Layer, how: Fold) -> Node {
    if let [one] = inside {
        return Node { layer, ..(*one).clone() };
    }
    let members: Vec<PartyKey> = inside.iter().flat_map(|node| node.members.iter().cloned()).collect();
    let is_workloads = inside.iter().all(|node| node.kind == PartyKind::Workload);
    let what = format!("{} {}", members.len(), if is_workloads { "workloads" } else { "endpoints" });
    let label = match how {
        Fold::Namespace if !group.is_empty() => group.to_owned(),
        _ => layer.to_string(),
    };
    let kind = inside.first().map_or(PartyKind::Unknown, |node| node.kind);
    let is_whole = how == Fold::Namespace && !group.is_empty();
    let area = Area { group: group.to_owned(), layer: (!is_whole).then_some(layer), label: None, owner: None };
    // a namespace that is one box needs no frame round it
    let group = if how == Fold::Namespace { String::new() } else { group.to_owned() };
    Node { kind, layer, group, label, what, members, area, is_open: inside.iter().any(|node| node.is_open) }
}

/// The lines between boxes as they are now. What stays within a box is seen as a line to itself.
fn lines(edges: &[Edge], new_places: &[usize]) -> Vec<Edge> {
    let mut lines: BTreeMap<(usize, usize), Edge> = BTreeMap::new();
    let place = |old: usize| new_places.get(old).copied().unwrap_or_default();
    for edge in edges {
        let (from, to) = (place(edge.from), place(edge.to));
        let Some(line) = lines.get_mut(&(from, to)) else {
            lines.insert((from, to), Edge { from, to, ..edge.clone() });
            continue;
        };
        for (port, count) in &edge.ports {
            line.ports.entry(*port).or_default().add(*count);
        }
        line.connections = line.connections.saturating_add(edge.connections);
        line.ways += edge.ways;
        // the best seen of them counts: a dashed line says that none was seen better
        line.sight = line.sight.min(edge.sight);
        line.verdict = line.verdict.max(edge.verdict);
    }
    lines.into_values().collect()
}

impl Fold {
    /// As a flag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Tier => "tier",
            Self::Namespace => "namespace",
        }
    }

    /// Whether anything is put together.
    #[must_use]
    pub fn is_any(self) -> bool {
        self != Self::Nothing
    }
}
