//! Columns of boxes and lanes, and what is joined with what in the next one.

use std::collections::BTreeSet;

use super::{BOX_GAP, BOX_HEIGHT, FRAME_CAPTION, FRAME_PADDING, LANE, Layer};
use crate::graph::Map;

/// What stands in a column: a box, or the lane of the lines to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Node(usize),
    /// The lane of the lines to a box, or of those from it: whichever is more, so that they run as one past others.
    Lane {
        of: usize,
        is_from: bool,
    },
}

/// Columns of items, and what is joined with what in the next one.
pub(super) struct Columns {
    /// Each column from top to bottom.
    pub items: Vec<Vec<Item>>,
    /// The layer of each column.
    pub layers: Vec<Layer>,
    /// For each gap the pairs of places, left and right, that are joined.
    pub joints: Vec<Vec<(Item, Item)>>,
    /// The namespaces of boxes, for keeping them together.
    pub groups: Vec<String>,
    /// For each line whether it runs with the others from its client, and not with those to its server.
    pub is_from: Vec<bool>,
}

impl Columns {
    pub fn new(map: &Map, (column_of, layers): &(Vec<usize>, Vec<Layer>)) -> Self {
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

    pub fn group(&self, item: Item) -> &str {
        match item {
            Item::Node(node) => self.groups.get(node).map_or("", String::as_str),
            Item::Lane { .. } => "",
        }
    }

    /// Whether two items of a column are in one frame.
    pub fn are_together(&self, above: Item, below: Item) -> bool {
        self.is_framed(above) && self.is_framed(below) && self.group(above) == self.group(below)
    }

    pub fn is_framed(&self, item: Item) -> bool {
        !self.group(item).is_empty()
    }

    /// The room that an item takes above and below its centre.
    pub fn room(item: Item) -> i32 {
        if matches!(item, Item::Node(_)) { BOX_HEIGHT / 2 } else { LANE }
    }

    /// How far apart the centres of two items must be that follow each other.
    pub fn distance(&self, above: Item, below: Item) -> i32 {
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
pub(super) fn way(column_of: &[usize], (from, to): (usize, usize), is_from: bool) -> Vec<(Item, usize)> {
    let (start, end) = (column_of[from], column_of[to]);
    let between: Vec<usize> = if start < end { (start + 1..end).collect() } else { (end + 1..start).rev().collect() };
    let of = if is_from { from } else { to };
    let lanes = between.into_iter().map(|column| (Item::Lane { of, is_from }, column));
    std::iter::once((Item::Node(from), start)).chain(lanes).chain([(Item::Node(to), end)]).collect()
}
