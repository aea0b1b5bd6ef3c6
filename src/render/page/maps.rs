//! The map before and after: what was seen, and what stays possible.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{Material, counted, grouped};
use crate::{
    graph::{self, Edge, Fold, Links, Map, Sight, Svg, Verdict},
    model::{PartyKey, WorkloadRef},
    render::words,
};

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
    let open = open(material);
    for node in &mut whole.nodes {
        node.is_open = node.members.iter().filter_map(PartyKey::workload).any(|it| open.contains(&it));
    }
    let (before, fold) = graph::fold(whole, None);
    let ways = Ways::new(material, &before);
    let after = After::new(&before, &ways);
    vec![
        view("seen", "What was seen", caption_before(&before, fold, &ways), &before),
        view("after", "What stays possible", caption_after(&after, &ways), &after.map),
    ]
}

fn view(id: &'static str, name: &'static str, caption: String, map: &Map) -> MapView {
    let options = Svg { title: name.into(), within_page: Some(format!("map-{id}")), links: Links::default() };
    let svg = graph::svg(map, &graph::layout(map), &options);
    MapView { id, name, caption, svg }
}

/// Workloads that the policies leave open.
fn open<'m>(material: &Material<'m>) -> BTreeSet<&'m WorkloadRef> {
    let groups = material.recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    groups.filter(|group| group.is_open).flat_map(|group| &group.members).collect()
}

/// Open pairs between the boxes of a map.
struct Ways {
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// Boxes that are workloads of the namespaces.
    is_closed: Vec<bool>,
}

/// The names of everybody that a box stands for.
fn names(node: &graph::Node) -> impl Iterator<Item = &String> {
    node.members.iter().map(|it| &it.name)
}

impl Ways {
    fn new(material: &Material<'_>, map: &Map) -> Self {
        // a name that two workloads share says of neither what it can
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for name in map.nodes.iter().flat_map(|node| &node.members) {
            *uses.entry(&name.name).or_default() += 1;
        }
        let members =
            |node: &graph::Node| names(node).filter(|it| uses.get(it.as_str()) == Some(&1)).cloned().collect();
        let parts: Vec<Vec<String>> = map.nodes.iter().map(members).collect();
        let [before, after] = (material.ways)(&parts);
        let namespaces: BTreeSet<&str> =
            material.recommendation.namespaces.iter().map(|plan| plan.namespace.as_str()).collect();
        let is_in = |name: &String| name.split_once('/').is_some_and(|(namespace, _)| namespaces.contains(namespace));
        let is_closed = map.nodes.iter().map(|node| !node.is_open && names(node).any(is_in)).collect();
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

/// What the policies let through.
struct After {
    /// Of what was seen all that is not denied, port by port, and lines that nobody was seen to need.
    map: Map,
    /// Such lines that are not drawn, for there are too many of them.
    hidden: usize,
    /// Lines between boxes of which the proposal closes neither: they are as possible as before, and not drawn.
    unclosed: usize,
}

impl After {
    fn new(before: &Map, ways: &Ways) -> Self {
        let mut edges: Vec<Edge> = before.edges.iter().filter_map(Edge::without_denied).collect();
        // of two boxes between which all that was seen is denied, something else may be allowed
        let seen: BTreeSet<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let all = (0..before.nodes.len()).flat_map(|from| (0..before.nodes.len()).map(move |to| (from, to)));
        let is_possible = |(from, to): &(usize, usize)| {
            from != to && !seen.contains(&(*from, *to)) && Ways::of(&ways.after, *from, *to) > 0
        };
        let is_closed = |node: usize| ways.is_closed.get(node).copied().unwrap_or_default();
        let (never, unclosed): (Vec<_>, Vec<_>) =
            all.filter(is_possible).partition(|(from, to)| is_closed(*from) || is_closed(*to));
        let hidden = if never.len() > MAX_NEVER { never.len() } else { 0 };
        if hidden == 0 {
            edges.extend(never.into_iter().map(|(from, to)| self::never(from, to, Ways::of(&ways.after, from, to))));
        }
        edges.sort_by_key(|edge| (edge.from, edge.to));
        Self { map: Map { edges, ..before.clone() }, hidden, unclosed: unclosed.len() }
    }
}

/// A line for what nobody was seen to need.
fn never(from: usize, to: usize, ways: usize) -> Edge {
    let (ports, verdict) = (graph::PortCounts::new(), Verdict::Allowed);
    Edge { from, to, ports, connections: 0, ways: ways as u64, sight: Sight::Never, verdict }
}

fn caption_before(map: &Map, fold: Fold, ways: &Ways) -> String {
    let mut text = match fold {
        Fold::Nothing => String::new(),
        Fold::Tier => "Each box is what one namespace has in one tier. ".into(),
        Fold::Namespace => "Each box is a namespace, in the tier that most of it is in. ".into(),
    };
    text += "Lines are as thick as they have connections";
    let has = |sight| map.edges.iter().any(|edge| edge.sight == sight);
    text += match (has(Sight::OneSided), has(Sight::Rare)) {
        (false, false) => "",
        (true, false) => "; dashed where one side alone was seen",
        (false, true) => "; dashed where they were seen in one hour alone, of many",
        (true, true) => "; dashed where one side alone was seen, or in one hour alone, of many",
    };
    text += if map.denied() > 0 { "; red is what would be denied. " } else { ". " };
    if let Some(not_drawn) = map.not_drawn.words() {
        let _ = write!(text, "Not drawn: {not_drawn}. ");
    }
    text + &format!(
        "Before, {} pairs of these workloads can open connections to each other.",
        grouped(ways.sum(&ways.before) as u64)
    )
}

fn caption_after(After { map, hidden, unclosed }: &After, ways: &Ways) -> String {
    let mut text = format!("After, {} pairs can.", grouped(ways.sum(&ways.after) as u64));
    let never = map.edges.iter().filter(|edge| edge.sight == Sight::Never).count() as u64;
    let _ = match (never, hidden, unclosed) {
        (0, 0, 0) => write!(text, " Nothing is allowed between boxes that was not seen."),
        (0, 0, _) => write!(text, " Nothing that was not seen is allowed to or from a box that is closed."),
        (_, 0, _) => {
            let lines = counted(never, "pale dashed line");
            write!(text, " {lines} stand for what is allowed though nobody was seen to need it.")
        }
        _ => write!(text, " Allowed and not drawn: {} that nobody was seen to need.", counted(*hidden as u64, "line")),
    };
    if *unclosed > 0 {
        let lines = counted(*unclosed as u64, "line");
        let _ =
            write!(text, " Possible as before and not drawn: {lines} between boxes that this proposal does not close.");
    }
    let open = map.nodes.iter().filter(|node| node.is_open).count() as u64;
    if open > 0 {
        let boxes = words::count(open, "box");
        let _ = write!(text, " Left open: {boxes}, with a dashed edge. They reach, and are reached by, everything.");
    }
    text
}
