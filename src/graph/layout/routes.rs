//! The ways of lines: from box to box, past others in lanes.

use std::collections::BTreeMap;

use super::{BOX_HEIGHT, Drawing, Item, PORT_GAP, PORT_ROOM, Placed, Route, way};
use crate::graph::Edge;

impl Drawing<'_> {
    pub(super) fn routes(&self, nodes: &[Placed], lefts: &[i32], widths: &[i32], shift: i32) -> Vec<Route> {
        let ports = self.ports(nodes, shift);
        let centre = |item: Item, column: usize| self.centres[column].get(&item).copied().unwrap_or_default() + shift;
        let route = |(edge, is_from): (&Edge, &bool)| {
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
