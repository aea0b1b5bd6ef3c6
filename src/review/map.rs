//! The map as the page and its script draw it: which part of it is asked for, and where its boxes and lines lead.

use serde_json::{Value, json};

use super::{
    fields::Fields,
    view::View,
    words::{port, shown},
};
use crate::{
    graph::{self, Area, Edge, Fold, Layer, Links, Map, Node, PortCounts, Sight, Verdict},
    model::{PartyKey, PartyKind},
};

/// Boxes and lines of a drawing: more would not be drawn in a time that anybody waits.
const MAX_NODES: usize = 600;
const MAX_EDGES: usize = 3_000;

/// How much is put together, as it is asked for: the coarsest first.
pub(super) const FOLDS: [(&str, Fold); 3] =
    [("namespace", Fold::Namespace), ("tier", Fold::Tier), ("workload", Fold::Nothing)];

/// What is drawn.
pub(super) struct Drawn {
    pub map: Map,
    /// How much is put together, where all is drawn.
    pub fold: Option<Fold>,
    /// The part that is looked into.
    pub area: Area,
    /// Words that are looked for.
    pub sought: Vec<String>,
}

impl Drawn {
    /// What the fields ask for of the whole map: a part, or all of it, put together as far as needed where nobody says how.
    pub fn new(whole: Map, fields: &Fields) -> Self {
        let area = Area::read(fields.get("at")).unwrap_or_default();
        let (map, fold) = if area.is_all() {
            let by = FOLDS.into_iter().find(|(name, _)| *name == fields.get("by"));
            let (map, fold) = graph::fold(whole, by.map(|(_, fold)| fold));
            (map, Some(fold))
        } else {
            (graph::focus(whole, &area), None)
        };
        Self { map, fold, area, sought: sought(fields) }
    }

    /// What asks for the same again.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let by = FOLDS.iter().find(|(_, fold)| Some(*fold) == self.fold).map(|(name, _)| ("by", (*name).to_owned()));
        let at = (!self.area.is_all()).then(|| ("at", self.area.text()));
        by.into_iter().chain(at).collect()
    }

    /// Where everything leads.
    pub fn links(&self, view: &View) -> Links {
        let nodes = self.map.nodes.iter().map(|node| node_link(view, node)).collect();
        Links { nodes, edges: self.map.edges.iter().map(|edge| edge_link(view, &self.map, edge)).collect() }
    }
}

/// Whether all of a map can be drawn.
pub(super) fn is_drawable(map: &Map) -> bool {
    map.nodes.len() <= MAX_NODES && map.edges.len() <= MAX_EDGES
}

/// The words of a search.
pub(super) fn sought(fields: &Fields) -> Vec<String> {
    fields.get("q").to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// Whether anybody that a box stands for has every word in its name.
pub(super) fn is_sought(node: &Node, words: &[String]) -> bool {
    let has_all = |name: &str| words.iter().all(|word| name.to_lowercase().contains(word));
    !words.is_empty() && (node.members.iter().any(|it| has_all(&it.name)) || has_all(&node.label))
}

/// What a box opens: what it is put together from, whoever it is, or what is seen of the addresses that it stands for.
pub(super) fn node_link(view: &View, node: &Node) -> String {
    let asking = &view.asking;
    match &node.members[..] {
        [one] => format!("/endpoint?{}", asking.query(&[("name", &view.called(one))])),
        _ if node.area.label.is_some() => format!("/dependencies?{}", asking.query(&[("end", &node.area.text())])),
        _ => format!("/map?{}", asking.query(&[("at", &node.area.text())])),
    }
}

/// What a line opens: the dependency, where it is one, else all of them.
pub(super) fn edge_link(view: &View, map: &Map, edge: &Edge) -> String {
    let [from, to] = [edge.from, edge.to].map(|place| map.nodes.get(place));
    let (Some(from), Some(to)) = (from, to) else { return String::new() };
    let mut ports = edge.ports.keys();
    let of_one = (&from.members[..], &to.members[..], ports.next(), ports.next());
    if let ([client], [server], Some((protocol, port)), None) = of_one {
        return format!("/dependency?{}", view.dependency_query((client, server), *protocol, *port));
    }
    let pairs = [("clients", &*from.area.text()), ("servers", &*to.area.text())];
    format!("/dependencies?{}", view.asking.query(&pairs))
}

/// The lines of a map, those first that matter most.
pub(super) fn lines(map: &Map) -> Vec<&Edge> {
    let mut lines: Vec<&Edge> = map.edges.iter().collect();
    lines.sort_by_key(|edge| (std::cmp::Reverse((edge.verdict, edge.connections)), edge.from, edge.to));
    lines
}

/// What a box is called.
pub(super) fn name(map: &Map, place: usize) -> String {
    map.nodes.get(place).map(called).unwrap_or_default()
}

/// The name that a box bears, behind that of its group.
pub(super) fn called(node: &Node) -> String {
    let group = if node.group.is_empty() { String::new() } else { format!("{}/", node.group) };
    shown(&format!("{group}{}", node.label))
}

/// A part of the map in words.
pub(super) fn place(view: &View, area: &Area) -> String {
    if let Area { label: Some(label), owner: owner @ Some(_), group, .. } = area {
        let (name, owner) = (format!("{group}/{label}"), owner.clone());
        return shown(&view.called(&PartyKey { name, kind: PartyKind::Workload, owner }));
    }
    let layer = area.layer.map(|layer| layer.to_string()).unwrap_or_default();
    match (&*area.group, &area.label) {
        ("", None) => layer,
        (group, None) if layer.is_empty() => shown(group),
        (group, None) => shown(&format!("{group}, {layer}")),
        ("", Some(label)) => shown(&format!("{label}, {layer}")),
        (group, Some(label)) => shown(&format!("{group}/{label}")),
    }
}

/// Ports in words, the first of them.
pub(super) fn ports(ports: &PortCounts, most: usize) -> String {
    let all: Vec<String> = ports.keys().take(most).map(|(protocol, number)| port(*protocol, *number)).collect();
    let more = ports.len() - all.len();
    if more > 0 { format!("{} and {more} more", all.join(", ")) } else { all.join(", ") }
}

/// As the script takes it: whoever was looked for, the lines that matter most with their ends, and whoever else has room.
pub(super) fn json(drawn: &Drawn, view: &View) -> Value {
    let map = &drawn.map;
    let mut script =
        Script { drawn, view, degrees: degrees(map), places: vec![None; map.nodes.len()], nodes: Vec::new() };
    for (place, _) in map.nodes.iter().enumerate().filter(|(_, node)| is_sought(node, &drawn.sought)) {
        script.enter(place);
    }
    let mut edges = Vec::new();
    for edge in lines(map) {
        // one that has no room leaves it to such as have their ends there already
        if edges.len() < MAX_EDGES && script.has_room(edge) {
            let [from, to] = [edge.from, edge.to].map(|place| script.enter(place));
            edges.push(script.line(edge, (from, to)));
        }
    }
    for place in 0..map.nodes.len() {
        script.enter(place);
    }
    let left = map.edges.len() - edges.len();
    json!({"nodes": script.nodes, "edges": edges, "left": left})
}

/// What the script gets, of boxes as they come.
struct Script<'a> {
    drawn: &'a Drawn,
    view: &'a View,
    degrees: Vec<(usize, usize)>,
    /// Of each box of the map the number that the script knows it by.
    places: Vec<Option<usize>>,
    nodes: Vec<Value>,
}

impl Script<'_> {
    /// The number of a box, which is one more where there is room; none where there is not.
    fn enter(&mut self, place: usize) -> Option<usize> {
        let (slot, node) = (self.places.get_mut(place)?, self.drawn.map.nodes.get(place)?);
        if slot.is_none() && self.nodes.len() < MAX_NODES {
            let id = *slot.insert(self.nodes.len());
            let (callers, calls) = self.degrees.get(place).copied().unwrap_or_default();
            self.nodes.push(json!({
                "id": id, "name": called(node), "what": shown(&node.what), "tier": tier(node.layer),
                "layer": node.layer.to_string(), "open": node.is_open, "link": node_link(self.view, node),
                "callers": callers, "calls": calls, "several": node.members.len() > 1,
                "found": is_sought(node, &self.drawn.sought),
            }));
        }
        *slot
    }

    /// Whether both ends of a line are there, or may come.
    fn has_room(&self, edge: &Edge) -> bool {
        let is_new = |place: &usize| self.places.get(*place).is_some_and(Option::is_none);
        self.nodes.len() + [edge.from, edge.to].iter().filter(|place| is_new(place)).count() <= MAX_NODES
    }

    fn line(&self, edge: &Edge, (from, to): (Option<usize>, Option<usize>)) -> Value {
        json!({
            "from": from, "to": to, "short": ports(&edge.ports, 3), "ports": ports(&edge.ports, 12),
            "connections": edge.connections, "denied": edge.verdict == Verdict::Denied,
            "uncertain": edge.verdict == Verdict::Uncertain, "faint": edge.sight != Sight::Plain,
            "link": edge_link(self.view, &self.drawn.map, edge),
        })
    }
}

/// Of how many each box is called, and how many it calls, on the whole map.
fn degrees(map: &Map) -> Vec<(usize, usize)> {
    let mut degrees = vec![(0, 0); map.nodes.len()];
    for edge in &map.edges {
        if let Some((_, calls)) = degrees.get_mut(edge.from) {
            *calls += 1;
        }
        if let Some((callers, _)) = degrees.get_mut(edge.to) {
            *callers += 1;
        }
    }
    degrees
}

fn tier(layer: Layer) -> &'static str {
    match layer {
        Layer::Tier(tier) => tier.as_str(),
        Layer::Callers | Layer::Other | Layer::Outside => "outside",
    }
}
