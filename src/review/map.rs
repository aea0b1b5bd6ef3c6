//! The map as the page's script draws it.

use serde_json::{Value, json};

use crate::{
    graph::{Edge, Fold, Layer, Map, PortCounts, Sight, Verdict},
    review::words::{port, shown},
};

/// Boxes and lines of a drawing: more would not be drawn in a time that anybody waits.
const MAX_NODES: usize = 600;
const MAX_EDGES: usize = 3_000;

/// How much is put together, as it is asked for.
pub(super) const FOLDS: [(&str, Fold); 3] =
    [("workload", Fold::Nothing), ("tier", Fold::Tier), ("namespace", Fold::Namespace)];

/// What was asked for; none where nobody says.
pub(super) fn fold(word: &str) -> Option<Fold> {
    FOLDS.into_iter().find(|(name, _)| *name == word).map(|(_, fold)| fold)
}

/// The lines of a map, those first that matter most.
pub(super) fn lines(map: &Map) -> Vec<&Edge> {
    let mut lines: Vec<&Edge> = map.edges.iter().collect();
    lines.sort_by_key(|edge| (std::cmp::Reverse((edge.verdict, edge.connections)), edge.from, edge.to));
    lines
}

/// What a box is called.
pub(super) fn name(map: &Map, place: usize) -> String {
    let Some(node) = map.nodes.get(place) else { return String::new() };
    let group = if node.group.is_empty() { String::new() } else { format!("{}/", node.group) };
    shown(&format!("{group}{}", node.label))
}

/// Ports in words, the first of them.
pub(super) fn ports(ports: &PortCounts, most: usize) -> String {
    let all: Vec<String> = ports.keys().take(most).map(|(protocol, number)| port(*protocol, *number)).collect();
    let more = ports.len() - all.len();
    if more > 0 { format!("{} and {more} more", all.join(", ")) } else { all.join(", ") }
}

/// As the script takes it.
pub(super) fn json(map: &Map) -> Value {
    let mut places: Vec<Option<usize>> = vec![None; map.nodes.len()];
    let (mut nodes, mut edges) = (Vec::new(), Vec::new());
    for edge in lines(map).into_iter().take(MAX_EDGES) {
        let ends = [edge.from, edge.to];
        let news = ends.iter().filter(|place| places.get(**place).is_some_and(Option::is_none)).count();
        if nodes.len() + news > MAX_NODES {
            continue;
        }
        for place in ends {
            if let (Some(slot @ None), Some(node)) = (places.get_mut(place), map.nodes.get(place)) {
                *slot = Some(nodes.len());
                nodes.push(json!({
                    "id": nodes.len(), "name": name(map, place), "what": shown(&node.what),
                    "tier": tier(node.layer), "open": node.is_open,
                }));
            }
        }
        let [from, to] = ends.map(|place| places.get(place).copied().flatten());
        edges.push(json!({
            "from": from, "to": to, "short": ports(&edge.ports, 3), "ports": ports(&edge.ports, 12),
            "connections": edge.connections, "denied": edge.verdict == Verdict::Denied,
            "uncertain": edge.verdict == Verdict::Uncertain, "faint": edge.sight != Sight::Plain,
        }));
    }
    let left = map.edges.len() - edges.len();
    json!({"nodes": nodes, "edges": edges, "left": left})
}

fn tier(layer: Layer) -> &'static str {
    match layer {
        Layer::Tier(tier) => tier.as_str(),
        Layer::Callers | Layer::Other | Layer::Outside => "outside",
    }
}
