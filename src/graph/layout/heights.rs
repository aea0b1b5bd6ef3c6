//! How high each item stands: as near to the mean of those it is joined with as the order and the distances allow. For one
//! column that is least squares under an order, which pooling neighbours that are in each other's way solves exactly
//! (Ayer and others, "An empirical distribution function for sampling with incomplete information", 1955; for drawings:
//! Dwyer, Marriott and Stuckey, "Fast node overlap removal", 2005).

use std::collections::BTreeMap;

use super::{Columns, Item};

/// Ways through all columns, there and back.
const SWEEPS: usize = 16;
/// A line that passes boxes is to be straight rather than boxes in the middle of theirs.
const LANE_WEIGHT: f64 = 4.0;

type Joined = Vec<BTreeMap<Item, Vec<(usize, Item)>>>;

/// For each column the centre of each item, in pixels.
pub(super) fn heights(columns: &Columns) -> Vec<BTreeMap<Item, i32>> {
    let joined = joined(columns);
    let mut centres: Vec<BTreeMap<Item, f64>> = columns.items.iter().map(|items| stacked(columns, items)).collect();
    let count = columns.items.len();
    for sweep in 0..SWEEPS {
        for n in 0..count {
            let column = if sweep % 2 == 0 { n } else { count - 1 - n };
            let items = &columns.items[column];
            let wish_of = |item: &Item| wish(&centres, *item, column, &joined);
            let wishes: Vec<(f64, f64)> = items.iter().map(wish_of).collect();
            centres[column] = pooled(columns, items, &wishes);
        }
    }
    let whole = |column: &BTreeMap<Item, f64>, items: &[Item]| snapped(columns, items, column);
    centres.iter().zip(&columns.items).map(|(column, items)| whole(column, items)).collect()
}

fn joined(columns: &Columns) -> Joined {
    let mut joined: Joined = vec![BTreeMap::new(); columns.items.len()];
    for (column, joints) in columns.joints.iter().enumerate() {
        for (left, right) in joints {
            joined[column].entry(*left).or_default().push((column + 1, *right));
            if let Some(next) = joined.get_mut(column + 1) {
                next.entry(*right).or_default().push((column, *left));
            }
        }
    }
    joined
}

/// Items one below the other, around zero.
fn stacked(columns: &Columns, items: &[Item]) -> BTreeMap<Item, f64> {
    let offsets = offsets(columns, items);
    let middle = offsets.last().copied().unwrap_or_default() / 2.0;
    items.iter().copied().zip(offsets).map(|(item, offset)| (item, offset - middle)).collect()
}

/// How far each item is below the first, where all are as near as they may be.
fn offsets(columns: &Columns, items: &[Item]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut above = None;
    let mut next = |item: &Item| {
        offset += above.map_or(0.0, |above| f64::from(columns.distance(above, *item)));
        above = Some(*item);
        offset
    };
    items.iter().map(&mut next).collect()
}

/// Where an item would be, and how much that counts.
fn wish(centres: &[BTreeMap<Item, f64>], item: Item, column: usize, joined: &Joined) -> (f64, f64) {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (other, neighbour) in joined[column].get(&item).into_iter().flatten() {
        let is_lane = matches!((item, neighbour), (Item::Lane { .. }, Item::Lane { .. }));
        let own = if is_lane { LANE_WEIGHT } else { 1.0 };
        if let Some(centre) = centres.get(*other).and_then(|of| of.get(neighbour)) {
            sum += own * centre;
            weight += own;
        }
    }
    if weight > 0.0 {
        return (sum / weight, weight);
    }
    // who is joined with nobody stays, and gives way
    (centres[column].get(&item).copied().unwrap_or_default(), 0.1)
}

/// The heights nearest to the wishes that keep order and distances: neighbours that would come too near are moved as one.
fn pooled(columns: &Columns, items: &[Item], wishes: &[(f64, f64)]) -> BTreeMap<Item, f64> {
    let offsets = offsets(columns, items);
    // a pool: the sum of its wishes by weight, its weight, and how many items are in it
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(&offsets) {
        pools.push((weight * (wish - offset), *weight, 1));
        while let [.., before, last] = pools[..] {
            if before.0 / before.1 < last.0 / last.1 {
                break;
            }
            pools.truncate(pools.len() - 2);
            pools.push((before.0 + last.0, before.1 + last.1, before.2 + last.2));
        }
    }
    let bases = pools.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    items.iter().copied().zip(bases.zip(offsets)).map(|(item, (base, offset))| (item, base + offset)).collect()
}

/// The heights in whole pixels. Distances are whole, so rounding what is left without them keeps them.
fn snapped(columns: &Columns, items: &[Item], centres: &BTreeMap<Item, f64>) -> BTreeMap<Item, i32> {
    let offsets = offsets(columns, items);
    let snap = |(item, offset): (&Item, f64)| {
        let base = (centres.get(item).copied().unwrap_or_default() - offset + 1e-6).round();
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        (*item, (base + offset) as i32)
    };
    items.iter().zip(offsets).map(snap).collect()
}
