//! Where things are: a layered drawing (Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
//! structures", 1981) from left to right, whose layers are given by the tiers.
//!
//! ```text
//! columns   each layer is a column; several, where its boxes call each other or are too many          rank
//! ordering  barycentres, up and down, namespaces kept together; the order with fewest crossings stays  order
//! heights   each box as near to those it is joined with as order and distances allow                   heights
//! lines     past boxes they run in a lane of their own, so that no line crosses a box                  here
//! ```
//!
//! All of it is a function of the map: no chance, no clock. Places are whole pixels.

mod heights;
mod order;
mod rank;

use std::collections::{BTreeMap, BTreeSet};

pub use super::Layer;
use super::{Map, text};

/// Letters of a name that are written on a box.
pub(super) const LABEL_LETTERS: usize = 26;
/// Letters of what is below it.
pub(super) const WHAT_LETTERS: usize = 30;
/// How much wider bold letters are.
const BOLD: f64 = 1.08;
/// Sizes of both kinds of text.
pub(super) const LABEL_PX: f64 = 13.0;
pub(super) const WHAT_PX: f64 = 11.0;

const BOX_HEIGHT: i32 = 44;
const BOX_PADDING: i32 = 12;
const BOX_MIN_WIDTH: i32 = 112;
/// Between boxes of one column.
const BOX_GAP: i32 = 14;
/// Between the frame of a namespace and its boxes; its name stands above them.
const FRAME_PADDING: i32 = 10;
pub(super) const FRAME_CAPTION: i32 = 20;
/// Half of the room of a line that passes boxes.
const LANE: i32 = 5;
/// Between columns, where lines bend, and more where there are many.
const COLUMN_GAP: i32 = 84;
const COLUMN_GAP_MOST: i32 = 170;
/// Round everything, and above for the names of the layers.
const MARGIN: i32 = 20;
pub(super) const HEADER: i32 = 40;
/// How far apart lines meet a box, and in how much of its height.
const PORT_GAP: i32 = 6;
const PORT_ROOM: i32 = 28;

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Its left end.
    pub x: i32,
    /// Its top.
    pub y: i32,
    /// How wide it is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
}

/// A line: the points it passes. Between two of them it bends where `is_bend` is true, else it is straight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Where it goes.
    pub points: Vec<(i32, i32)>,
    /// A line whose ends are in one column leaves and comes back on the right.
    pub is_loop: bool,
}

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The whole picture.
    pub width: i32,
    /// How high it is.
    pub height: i32,
    /// The boxes, in the order of the map.
    pub nodes: Vec<Placed>,
    /// The lines, in the order of the map.
    pub edges: Vec<Route>,
    /// Each layer with its band.
    pub bands: Vec<(Layer, Placed)>,
    /// Frames round boxes of one namespace, with its name.
    pub frames: Vec<(String, Placed)>,
}

/// What stands in a column: a box, or the lane of the lines to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Node(usize),
    /// The lane of the lines to a box, or of those from it: whichever is more, so that they run as one past others.
    Lane {
        of: usize,
        is_from: bool,
    },
}

/// Columns of items, and what is joined with what in the next one.
struct Columns {
    /// Each column from top to bottom.
    items: Vec<Vec<Item>>,
    /// The layer of each column.
    layers: Vec<Layer>,
    /// For each gap the pairs of places, left and right, that are joined.
    joints: Vec<Vec<(Item, Item)>>,
    /// The namespaces of boxes, for keeping them together.
    groups: Vec<String>,
    /// For each line whether it runs with the others from its client, and not with those to its server.
    is_from: Vec<bool>,
}

/// Lays a map out.
#[must_use]
pub fn layout(map: &Map) -> Layout {
    let column_of = rank::columns(map);
    let mut columns = Columns::new(map, &column_of);
    order::order(&mut columns);
    let centres = heights::heights(&columns);
    Drawing { map, below: text::below(map, WHAT_LETTERS), column_of: &column_of, columns: &columns, centres: &centres }
        .draw()
}

impl Columns {
    fn new(map: &Map, (column_of, layers): &(Vec<usize>, Vec<Layer>)) -> Self {
        let mut items: Vec<Vec<Item>> = vec![Vec::new(); layers.len()];
        for (node, column) in column_of.iter().enumerate() {
            items[*column].push(Item::Node(node));
        }
        let mut joints: Vec<BTreeSet<(Item, Item)>> = vec![BTreeSet::new(); layers.len()];
        let is_from = are_from(map);
        for (edge, is_from) in map.edges.iter().zip(&is_from) {
            for step in way(column_of, (edge.from, edge.to), *is_from).windows(2) {
                let [(from, left), (to, right)] = step else { continue };
                let (column, pair) = if left < right { (*left, (*from, *to)) } else { (*right, (*to, *from)) };
                joints[column].insert(pair);
                for (item, column) in [(from, left), (to, right)] {
                    if matches!(item, Item::Lane { .. }) && !items[*column].contains(item) {
                        items[*column].push(*item);
                    }
                }
            }
        }
        let groups = map.nodes.iter().map(|node| node.group.clone()).collect();
        let joints = joints.into_iter().map(|all| all.into_iter().collect()).collect();
        Self { items, layers: layers.clone(), joints, groups, is_from }
    }

    fn group(&self, item: Item) -> &str {
        match item {
            Item::Node(node) => self.groups.get(node).map_or("", String::as_str),
            Item::Lane { .. } => "",
        }
    }

    /// Whether two items of a column are in one frame.
    fn are_together(&self, above: Item, below: Item) -> bool {
        self.is_framed(above) && self.is_framed(below) && self.group(above) == self.group(below)
    }

    fn is_framed(&self, item: Item) -> bool {
        !self.group(item).is_empty()
    }

    /// The room that an item takes above and below its centre.
    fn room(item: Item) -> i32 {
        if matches!(item, Item::Node(_)) { BOX_HEIGHT / 2 } else { LANE }
    }

    /// How far apart the centres of two items must be that follow each other.
    fn distance(&self, above: Item, below: Item) -> i32 {
        let gap = if self.are_together(above, below) {
            BOX_GAP
        } else {
            let end = if self.is_framed(above) { FRAME_PADDING } else { 0 };
            let start = if self.is_framed(below) { FRAME_CAPTION + FRAME_PADDING / 2 } else { 0 };
            end + start + if matches!((above, below), (Item::Lane { .. }, Item::Lane { .. })) { 2 } else { BOX_GAP }
        };
        Self::room(above) + gap + Self::room(below)
    }
}

/// For each line whether its client has more lines than its server.
fn are_from(map: &Map) -> Vec<bool> {
    let (mut leaving, mut coming) = (vec![0_usize; map.nodes.len()], vec![0_usize; map.nodes.len()]);
    for edge in &map.edges {
        leaving[edge.from] += 1;
        coming[edge.to] += 1;
    }
    map.edges.iter().map(|edge| leaving[edge.from] > coming[edge.to]).collect()
}

/// The items a line passes with their columns, from the client to the server.
fn way(column_of: &[usize], (from, to): (usize, usize), is_from: bool) -> Vec<(Item, usize)> {
    let (start, end) = (column_of[from], column_of[to]);
    let between: Vec<usize> = if start < end { (start + 1..end).collect() } else { (end + 1..start).rev().collect() };
    let of = if is_from { from } else { to };
    let lanes = between.into_iter().map(|column| (Item::Lane { of, is_from }, column));
    std::iter::once((Item::Node(from), start)).chain(lanes).chain([(Item::Node(to), end)]).collect()
}

struct Drawing<'a> {
    map: &'a Map,
    /// What is written below the names.
    below: Vec<String>,
    column_of: &'a (Vec<usize>, Vec<Layer>),
    columns: &'a Columns,
    /// For each column the centre of each item.
    centres: &'a [BTreeMap<Item, i32>],
}

impl Drawing<'_> {
    fn draw(&self) -> Layout {
        let (lefts, widths, width) = self.across();
        let rooms = self.centres.iter().zip(&self.columns.items);
        let top = |(centres, items): (&BTreeMap<Item, i32>, &Vec<Item>)| {
            let above = |item: &Item| {
                let caption = if self.columns.is_framed(*item) { FRAME_CAPTION } else { 0 };
                centres.get(item).map(|centre| centre - Columns::room(*item) - caption)
            };
            items.iter().filter_map(above).min()
        };
        let bottom = |(centres, items): (&BTreeMap<Item, i32>, &Vec<Item>)| {
            items.iter().filter_map(|item| centres.get(item).map(|centre| centre + Columns::room(*item))).max()
        };
        let first = rooms.clone().filter_map(top).min().unwrap_or_default();
        let last = rooms.filter_map(bottom).max().unwrap_or_default();
        let shift = MARGIN + HEADER + FRAME_PADDING - first;
        let height = last + shift + FRAME_PADDING + MARGIN;
        let nodes: Vec<Placed> = (0..self.map.nodes.len())
            .map(|node| {
                let column = self.column_of.0[node];
                let centre = self.centres[column].get(&Item::Node(node)).copied().unwrap_or_default() + shift;
                Placed { x: lefts[column], y: centre - BOX_HEIGHT / 2, width: widths[column], height: BOX_HEIGHT }
            })
            .collect();
        let edges = self.routes(&nodes, &lefts, &widths, shift);
        let bands = self.bands(&lefts, &widths, height);
        let frames = self.frames(&nodes);
        Layout { width, height, nodes, edges, bands, frames }
    }

    /// The left end and the width of each column, and the width of all.
    fn across(&self) -> (Vec<i32>, Vec<i32>, i32) {
        let mut x = MARGIN + FRAME_PADDING;
        let (mut lefts, mut widths) = (Vec::new(), Vec::new());
        for (column, items) in self.columns.items.iter().enumerate() {
            let width = items.iter().filter_map(|item| self.box_width(*item)).max().unwrap_or(BOX_MIN_WIDTH);
            lefts.push(x);
            widths.push(width);
            let lines = i32::try_from(self.columns.joints[column].len()).unwrap_or(i32::MAX);
            x += width + COLUMN_GAP.saturating_add(lines).min(COLUMN_GAP_MOST);
        }
        let last = lefts.last().zip(widths.last()).map_or(0, |(left, width)| left + width);
        // a line that returns into the last column needs room beside it
        (lefts, widths, last + FRAME_PADDING + MARGIN + COLUMN_GAP / 2)
    }

    fn box_width(&self, item: Item) -> Option<i32> {
        let Item::Node(node) = item else { return None };
        let (node, below) = (self.map.nodes.get(node)?, self.below.get(node)?);
        let label = text::width(&text::shortened(&node.label, LABEL_LETTERS), LABEL_PX) * BOLD;
        let what = text::width(below, WHAT_PX);
        #[expect(clippy::cast_possible_truncation, reason = "some hundred pixels")]
        let text = label.max(what).ceil() as i32;
        Some((text + 2 * BOX_PADDING).max(BOX_MIN_WIDTH))
    }

    /// Columns of one layer side by side are one band.
    fn bands(&self, lefts: &[i32], widths: &[i32], height: i32) -> Vec<(Layer, Placed)> {
        let mut bands: Vec<(Layer, Placed)> = Vec::new();
        for ((layer, left), width) in self.columns.layers.iter().zip(lefts).zip(widths) {
            let right = left + width + FRAME_PADDING + FRAME_PADDING / 2;
            match bands.last_mut() {
                Some((last, band)) if last == layer => band.width = right - band.x,
                _ => {
                    let x = left - FRAME_PADDING - FRAME_PADDING / 2;
                    bands.push((*layer, Placed { x, y: MARGIN, width: right - x, height: height - 2 * MARGIN }));
                }
            }
        }
        bands
    }

    fn frames(&self, nodes: &[Placed]) -> Vec<(String, Placed)> {
        let mut frames: Vec<(String, Placed)> = Vec::new();
        for items in &self.columns.items {
            let mut above: Option<Item> = None;
            for item in items {
                let Item::Node(node) = *item else {
                    above = None;
                    continue;
                };
                let Some(place) = nodes.get(node).filter(|_| self.columns.is_framed(*item)) else {
                    above = None;
                    continue;
                };
                match frames.last_mut() {
                    Some((_, frame)) if above.is_some_and(|above| self.columns.are_together(above, *item)) => {
                        frame.height = place.y + place.height + FRAME_PADDING / 2 - frame.y;
                    }
                    _ => {
                        let y = place.y - FRAME_CAPTION;
                        let frame = Placed {
                            x: place.x - FRAME_PADDING,
                            y,
                            width: place.width + 2 * FRAME_PADDING,
                            height: place.height + FRAME_CAPTION + FRAME_PADDING / 2,
                        };
                        frames.push((self.columns.group(*item).to_owned(), frame));
                    }
                }
                above = Some(*item);
            }
        }
        frames
    }

    fn routes(&self, nodes: &[Placed], lefts: &[i32], widths: &[i32], shift: i32) -> Vec<Route> {
        let ports = self.ports(nodes, shift);
        let centre = |item: Item, column: usize| self.centres[column].get(&item).copied().unwrap_or_default() + shift;
        let route = |(edge, is_from): (&super::Edge, &bool)| {
            let way = way(&self.column_of.0, (edge.from, edge.to), *is_from);
            let Some((from, to)) = nodes.get(edge.from).zip(nodes.get(edge.to)) else { return Route::default() };
            let right = |place: &Placed| place.x + place.width;
            let (first, last) = (self.column_of.0[edge.from], self.column_of.0[edge.to]);
            if first == last {
                let is_self = edge.from == edge.to;
                let at = |place: &Placed, by: i32| (right(place), place.y + place.height / 2 + by);
                let apart = if is_self { BOX_HEIGHT / 4 } else { 0 };
                return Route { points: vec![at(from, -apart), at(to, apart)], is_loop: true };
            }
            let is_rightwards = first < last;
            let port = |node: usize, other: (Item, usize), is_right: bool| {
                let place = nodes.get(node).copied().unwrap_or_default();
                let y = ports.get(&(node, is_right, other.0)).copied().unwrap_or(place.y + place.height / 2);
                (if is_right { right(&place) } else { place.x }, y)
            };
            let mut points = vec![port(edge.from, way[1], is_rightwards)];
            for (lane, column) in &way[1..way.len() - 1] {
                let y = centre(*lane, *column);
                let ends = [(lefts[*column], y), (lefts[*column] + widths[*column], y)];
                points.extend(if is_rightwards { ends } else { [ends[1], ends[0]] });
            }
            points.push(port(edge.to, way[way.len() - 2], !is_rightwards));
            Route { points, is_loop: false }
        };
        self.map.edges.iter().zip(&self.columns.is_from).map(route).collect()
    }

    /// Where lines meet boxes: by box, side (right or not) and the item next on the way, in the order of heights.
    fn ports(&self, nodes: &[Placed], shift: i32) -> BTreeMap<(usize, bool, Item), i32> {
        let mut meetings: BTreeMap<(usize, bool), Vec<(i32, Item)>> = BTreeMap::new();
        for (column, joints) in self.columns.joints.iter().enumerate() {
            for (left, right) in joints {
                let centre = |item: &Item, column: usize| {
                    self.centres.get(column).and_then(|it| it.get(item)).copied().unwrap_or_default() + shift
                };
                if let Item::Node(node) = left {
                    meetings.entry((*node, true)).or_default().push((centre(right, column + 1), *right));
                }
                if let Item::Node(node) = right {
                    meetings.entry((*node, false)).or_default().push((centre(left, column), *left));
                }
            }
        }
        let mut ports = BTreeMap::new();
        for ((node, is_right), mut others) in meetings {
            others.sort_unstable();
            let count = i32::try_from(others.len()).unwrap_or(i32::MAX).max(1);
            let gap = (PORT_ROOM / count).min(PORT_GAP);
            let place = nodes.get(node).copied().unwrap_or_default();
            let start = place.y + place.height / 2 - gap * (count - 1) / 2;
            for ((_, other), n) in others.into_iter().zip(0..) {
                ports.insert((node, is_right, other), start + gap * n);
            }
        }
        ports
    }
}
