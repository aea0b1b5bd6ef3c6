//! The order within columns: each item at the mean of those it is joined with in the next column (the barycentre of
//! Sugiyama, Tagawa and Toda, 1981), one way and then the other, as long as it helps. A namespace is moved as a whole.

use std::collections::BTreeMap;

use super::{Columns, Item};

/// Ways there and back; more hardly help (Gansner and others, "A technique for drawing directed graphs", 1993).
const SWEEPS: usize = 12;

/// Puts items into the order with the fewest crossings that was met.
pub(super) fn order(columns: &mut Columns) {
    for column in 0..columns.items.len() {
        regroup(columns, column, &BTreeMap::new());
    }
    let mut best = (crossings(columns), columns.items.clone());
    for sweep in 0..SWEEPS {
        let count = columns.items.len();
        if sweep % 2 == 0 {
            (1..count).for_each(|column| settle(columns, column, column - 1));
        } else {
            (0..count.saturating_sub(1)).rev().for_each(|column| settle(columns, column, column + 1));
        }
        let now = crossings(columns);
        if now < best.0 {
            best = (now, columns.items.clone());
        }
    }
    columns.items = best.1;
}

/// Orders a column by the barycentres towards another.
fn settle(columns: &mut Columns, column: usize, other: usize) {
    let places: BTreeMap<Item, usize> = columns.items[other].iter().copied().zip(0..).collect();
    let mut sums: BTreeMap<Item, (usize, usize)> = BTreeMap::new();
    for (left, right) in &columns.joints[column.min(other)] {
        let (own, fixed) = if other < column { (right, left) } else { (left, right) };
        if let Some(place) = places.get(fixed) {
            let (sum, count) = sums.entry(*own).or_default();
            *sum += place;
            *count += 1;
        }
    }
    let (here, there) = (columns.items[column].len().max(1), columns.items[other].len().max(1));
    #[expect(clippy::cast_precision_loss, reason = "places in a column")]
    let centre = |(n, item): (usize, &Item)| match sums.get(item) {
        Some((sum, count)) => (*item, (*sum as f64 / *count as f64 + 0.5) / there as f64),
        None => (*item, (n as f64 + 0.5) / here as f64),
    };
    let centres: BTreeMap<Item, f64> = columns.items[column].iter().enumerate().map(centre).collect();
    regroup(columns, column, &centres);
}

/// Sorts a column by these centres, items of one namespace side by side at the mean of theirs.
fn regroup(columns: &mut Columns, column: usize, centres: &BTreeMap<Item, f64>) {
    let mut blocks: BTreeMap<String, Vec<(f64, Item)>> = BTreeMap::new();
    for item in &columns.items[column] {
        let centre = centres.get(item).copied().unwrap_or_default();
        let group = columns.group(*item);
        let key = if group.is_empty() { format!("\u{0}{item:?}") } else { group.to_owned() };
        blocks.entry(key).or_default().push((centre, *item));
    }
    let mut blocks: Vec<(f64, Vec<(f64, Item)>)> = blocks
        .into_values()
        .map(|mut block| {
            block.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            #[expect(clippy::cast_precision_loss, reason = "boxes in a column")]
            let mean = block.iter().map(|(centre, _)| centre).sum::<f64>() / block.len() as f64;
            (mean, block)
        })
        .collect();
    blocks.sort_by(|a, b| a.0.total_cmp(&b.0));
    columns.items[column] = blocks.into_iter().flat_map(|(_, block)| block).map(|(_, item)| item).collect();
}

/// How often lines between neighbouring columns cross: inversions, counted by a tree of sums (Barth, Mutzel and Jünger,
/// "Simple and efficient bilayer cross counting", 2002).
fn crossings(columns: &Columns) -> usize {
    let mut crossings = 0;
    for (column, joints) in columns.joints.iter().enumerate() {
        let Some(right_items) = columns.items.get(column + 1) else { continue };
        let places = |items: &[Item]| -> BTreeMap<Item, usize> { items.iter().copied().zip(0..).collect() };
        let (left, right) = (places(&columns.items[column]), places(right_items));
        let place = |(from, to): &(Item, Item)| Some((*left.get(from)?, *right.get(to)?));
        let mut pairs: Vec<(usize, usize)> = joints.iter().filter_map(place).collect();
        pairs.sort_unstable();
        let mut tree = vec![0_usize; right_items.len() + 1];
        for (seen, (_, to)) in pairs.iter().enumerate() {
            crossings += seen - sum(&tree, to + 1);
            add(&mut tree, to + 1);
        }
    }
    crossings
}

fn sum(tree: &[usize], mut place: usize) -> usize {
    let mut sum = 0;
    while place > 0 {
        sum += tree[place];
        place &= place - 1;
    }
    sum
}

fn add(tree: &mut [usize], mut place: usize) {
    while place < tree.len() {
        tree[place] += 1;
        place += place & place.wrapping_neg();
    }
}
