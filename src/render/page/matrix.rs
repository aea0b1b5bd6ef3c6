//! Who can reach whom, by tier: pairs of workloads, before and after.

use std::collections::BTreeMap;

use super::{Material, grouped};

/// Pairs of one tier with another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Open pairs before.
    pub before: usize,
    /// And after.
    pub after: usize,
    /// From 0, nothing is open, to 4, all that was open before still is.
    pub heat: usize,
}

/// Rows are who calls, columns who is called.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// The names of rows and columns.
    pub names: Vec<String>,
    /// The pairs.
    pub rows: Vec<Vec<Cell>>,
    /// All pairs before and after, but those with the outside.
    pub total: [String; 2],
}

impl Matrix {
    /// Rows with their names.
    pub fn named(&self) -> impl Iterator<Item = (&String, &Vec<Cell>)> {
        self.names.iter().zip(&self.rows)
    }
}

/// Workloads of other namespaces, which the proposal does not close.
const ELSEWHERE: &str = "other namespaces";
const NO_TIER: &str = "no tier";
const OUTSIDE: &str = "outside";

pub(super) fn matrix(material: &Material<'_>) -> Matrix {
    let namespaces = &material.recommendation.namespaces;
    let tier_of: BTreeMap<String, String> =
        material.tiers.iter().map(|(workload, tier)| (workload.to_string(), tier.to_string())).collect();
    let mut parts: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for workload in material.facts.measured.reach.keys() {
        let is_in = workload.split_once('/').is_some_and(|(name, _)| namespaces.iter().any(|it| it.namespace == name));
        let tier = tier_of.get(workload).map(String::as_str);
        let key = match tier {
            _ if !is_in => (9, ELSEWHERE),
            Some(tier) => (
                ["edge", "application", "data", "infrastructure", "client"]
                    .iter()
                    .position(|it| *it == tier)
                    .unwrap_or(5),
                tier,
            ),
            None => (6, NO_TIER),
        };
        parts.entry(key).or_default().push(workload.clone());
    }
    let mut names: Vec<String> = parts.keys().map(|(_, name)| (*name).to_owned()).collect();
    names.push(OUTSIDE.to_owned());
    let members: Vec<Vec<String>> = parts.into_values().collect();
    let [before, after] = (material.ways)(&members);
    let cell = |before: usize, after: usize| {
        let heat = if after == 0 { 0 } else { (after * 4).div_ceil(before.max(1)).clamp(1, 4) };
        Cell { before, after, heat }
    };
    let rows: Vec<Vec<Cell>> = before
        .iter()
        .zip(&after)
        .map(|(before, after)| before.iter().zip(after).map(|(before, after)| cell(*before, *after)).collect())
        .collect();
    let inside = members.len();
    let sum = |all: &[Vec<usize>]| -> usize { all.iter().take(inside).flat_map(|row| row.iter().take(inside)).sum() };
    Matrix { names, rows, total: [sum(&before), sum(&after)].map(|pairs| grouped(pairs as u64)) }
}
