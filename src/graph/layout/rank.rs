//! In which column a box stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Layer, Map};

/// A layer whose boxes call each other is at most so many columns deep: chains are longer, but a page is not.
const MAX_DEPTH: usize = 4;
/// Boxes of a column; more stand in further columns.
const MAX_BOXES: usize = 22;

/// The column of each box, and the layer of each column. Columns of a layer stand side by side.
pub(super) fn columns(map: &Map) -> (Vec<usize>, Vec<Layer>) {
    let mut by_layer: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, of) in map.nodes.iter().enumerate() {
        by_layer.entry(of.layer.place()).or_default().push(node);
    }
    let mut column_of = vec![0; map.nodes.len()];
    let mut layers = Vec::new();
    for nodes in by_layer.values() {
        for column in split(depths(map, nodes)) {
            for node in &column {
                column_of[*node] = layers.len();
            }
            layers.extend(column.first().and_then(|node| map.nodes.get(*node)).map(|node| node.layer));
        }
    }
    (column_of, layers)
}

/// Boxes of a layer by the longest way of calls within it. A call that closes a circle counts for nothing.
fn depths(map: &Map, nodes: &[usize]) -> Vec<Vec<usize>> {
    let inside: BTreeSet<usize> = nodes.iter().copied().collect();
    let mut calls: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for edge in map.edges.iter().filter(|edge| edge.from != edge.to) {
        if inside.contains(&edge.from) && inside.contains(&edge.to) {
            calls.entry(edge.from).or_default().push(edge.to);
        }
    }
    let order = finished(nodes, &calls);
    let place: BTreeMap<usize, usize> = order.iter().rev().copied().zip(0..).collect();
    let mut depth: BTreeMap<usize, usize> = BTreeMap::new();
    for node in order.iter().rev() {
        let next = (depth.get(node).copied().unwrap_or_default() + 1).min(MAX_DEPTH - 1);
        // who comes earlier in this order closes a circle
        let onwards = calls.get(node).into_iter().flatten().filter(|called| place.get(called) > place.get(node));
        for called in onwards {
            let deeper = depth.entry(*called).or_default();
            *deeper = (*deeper).max(next);
        }
    }
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); MAX_DEPTH];
    for node in nodes {
        columns[depth.get(node).copied().unwrap_or_default()].push(*node);
    }
    columns.retain(|column| !column.is_empty());
    columns
}

/// Boxes in the order in which a depth-first search is done with them: backwards, callers come before whom they call, but
/// for circles (Tarjan, 1972). With a stack of its own, for chains may be long.
fn finished(nodes: &[usize], calls: &BTreeMap<usize, Vec<usize>>) -> Vec<usize> {
    let mut done = Vec::with_capacity(nodes.len());
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    for start in nodes {
        let mut stack = vec![(*start, 0)];
        if !seen.insert(*start) {
            continue;
        }
        while let Some((node, next)) = stack.pop() {
            match calls.get(&node).and_then(|of| of.get(next)) {
                Some(called) => {
                    stack.push((node, next + 1));
                    if seen.insert(*called) {
                        stack.push((*called, 0));
                    }
                }
                None => done.push(node),
            }
        }
    }
    done
}

/// Columns that are too high, in several of equal height.
fn split(columns: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut split = Vec::new();
    for column in columns {
        let parts = column.len().div_ceil(MAX_BOXES).max(1);
        split.extend(column.chunks(column.len().div_ceil(parts).max(1)).map(<[usize]>::to_vec));
    }
    split
}
