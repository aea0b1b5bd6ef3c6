//! The map before and after: what was seen, and what stays possible.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{Material, grouped};
use crate::graph::{self, Edge, Fold, Map, Sight, Svg, Verdict};

/// A map with what there is to say of it.
#[derive(Clone, Debug)]
pub struct MapView {
    /// What its ids begin with.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub caption: String,
    /// The picture, as SVG for the page.
    pub svg: String,
}

/// Lines for what nobody was seen to need are drawn up to so many: more would hide what is.
const MAX_NEVER: usize = 60;

pub(super) fn maps(material: &Material<'_>) -> Vec<MapView> {
    let mut whole = material.map.clone();
    let open: BTreeSet<String> = open(material);
    for node in &mut whole.nodes {
        node.is_open = node.members.iter().any(|name| open.contains(name));
    }
    let (before, fold) = graph::fold(whole, None);
    let ways = Ways::new(material, &before);
    let after = after(&before, &ways);
    vec![
        view("seen", "What was seen", caption_before(&before, fold, &ways), &before),
        view("after", "What stays possible", caption_after(&after, &ways), &after.0),
    ]
}

fn view(id: &'static str, name: &'static str, caption: String, map: &Map) -> MapView {
    let options = Svg { title: name.into(), within_page: Some(format!("map-{id}")) };
    let svg = graph::svg(map, &graph::layout(map), &options);
    MapView { id, name, caption, svg }
}

/// Workloads that the policies leave open.
fn open(material: &Material<'_>) -> BTreeSet<String> {
    let groups = material.recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    groups.filter(|group| group.is_open).flat_map(|group| &group.members).map(ToString::to_string).collect()
}

/// Open pairs between the boxes of a map.
struct Ways {
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// Boxes that are workloads of the namespaces.
    is_closed: Vec<bool>,
}

impl Ways {
    fn new(material: &Material<'_>, map: &Map) -> Self {
        // a name that two workloads share says of neither what it can
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for name in map.nodes.iter().flat_map(|node| &node.members) {
            *uses.entry(name).or_default() += 1;
        }
        let members =
            |node: &graph::Node| node.members.iter().filter(|it| uses.get(it.as_str()) == Some(&1)).cloned().collect();
        let parts: Vec<Vec<String>> = map.nodes.iter().map(members).collect();
        let [before, after] = (material.ways)(&parts);
        let namespaces: BTreeSet<&str> =
            material.recommendation.namespaces.iter().map(|plan| plan.namespace.as_str()).collect();
        let is_in = |name: &String| name.split_once('/').is_some_and(|(namespace, _)| namespaces.contains(namespace));
        let is_closed = map.nodes.iter().map(|node| !node.is_open && node.members.iter().any(is_in)).collect();
        Self { before, after, is_closed }
    }

    fn of(ways: &[Vec<usize>], from: usize, to: usize) -> usize {
        ways.get(from).and_then(|row| row.get(to)).copied().unwrap_or_default()
    }

    /// Pairs among the boxes, without the outside.
    fn sum(&self, ways: &[Vec<usize>]) -> usize {
        let count = self.is_closed.len();
        ways.iter().take(count).flat_map(|row| row.iter().take(count)).sum()
    }
}

/// What the policies let through: of what was seen all that is not denied, port by port, and what nobody was seen to need.
/// The second value counts lines of the latter that are not drawn.
fn after(before: &Map, ways: &Ways) -> (Map, usize) {
    let mut edges: Vec<Edge> = before.edges.iter().filter_map(Edge::without_denied).collect();
    // of two boxes between which all that was seen is denied, something else may be allowed
    let seen: BTreeSet<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let mut never = Vec::new();
    for from in 0..before.nodes.len() {
        for to in (0..before.nodes.len()).filter(|to| *to != from && !seen.contains(&(from, *to))) {
            let count = Ways::of(&ways.after, from, to);
            let is_closed = |node: usize| ways.is_closed.get(node).copied().unwrap_or_default();
            if count > 0 && (is_closed(from) || is_closed(to)) {
                let ways = count as u64;
                let (ports, verdict) = (graph::PortCounts::new(), Verdict::Allowed);
                never.push(Edge { from, to, ports, connections: 0, ways, sight: Sight::Never, verdict });
            }
        }
    }
    let hidden = if never.len() > MAX_NEVER { never.len() } else { 0 };
    if hidden == 0 {
        edges.extend(never);
    }
    edges.sort_by_key(|edge| (edge.from, edge.to));
    (Map { edges, ..before.clone() }, hidden)
}

fn caption_before(map: &Map, fold: Fold, ways: &Ways) -> String {
    let mut text = match fold {
        Fold::Nothing => String::new(),
        Fold::Tier => "Each box is what one namespace has in one tier. ".into(),
        Fold::Namespace => "Each box is a namespace, in the tier that most of it is in. ".into(),
    };
    text += "Lines are as thick as they have connections; dashed where one side alone was seen, or in one hour alone";
    text += if map.denied() > 0 { "; red is what would be denied. " } else { ". " };
    let drawn = map.not_drawn.unneeded + map.not_drawn.own_node;
    if drawn > 0 {
        let _ = write!(text, "{} connections that need no rule are not drawn. ", grouped(drawn));
    }
    text + &format!(
        "Before, {} pairs of these workloads can open connections to each other.",
        grouped(ways.sum(&ways.before) as u64)
    )
}

fn caption_after((map, hidden): &(Map, usize), ways: &Ways) -> String {
    let mut text = format!("After, {} pairs can. ", grouped(ways.sum(&ways.after) as u64));
    let never = map.edges.iter().filter(|edge| edge.sight == Sight::Never).count();
    let beyond = match (never, hidden) {
        (0, 0) => "Nothing is allowed between boxes that was not seen.".to_owned(),
        (_, 0) => format!("{never} pale dashed lines are allowed though nobody was seen to need them."),
        _ => format!("{hidden} further lines that nobody was seen to need are allowed, and not drawn."),
    };
    text.push_str(&beyond);
    let open = map.nodes.iter().filter(|node| node.is_open).count();
    if open > 0 {
        let _ = write!(text, " {open} boxes with a dashed edge are left open: they reach, and are reached, as before.");
    }
    text
}
