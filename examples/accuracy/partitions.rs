//! Groupings and how well they agree; and the groupings that others would make, for comparison.

use std::collections::{BTreeMap, BTreeSet};

use crate::roles::Flow;

/// The group of each endpoint.
pub type Labels = BTreeMap<String, usize>;

type Names = BTreeSet<String>;

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn pairs(count: usize) -> f64 {
    (count * count.saturating_sub(1)) as f64 / 2.0
}

/// How many endpoints are in each pair of groups.
fn table(a: &Labels, b: &Labels, scope: &Names) -> BTreeMap<(usize, usize), usize> {
    let mut table = BTreeMap::new();
    for pair in scope.iter().filter_map(|name| Some((*a.get(name)?, *b.get(name)?))) {
        *table.entry(pair).or_insert(0) += 1;
    }
    table
}

fn sums(table: &BTreeMap<(usize, usize), usize>) -> (Vec<usize>, Vec<usize>) {
    let (mut a, mut b) = (BTreeMap::new(), BTreeMap::new());
    for ((x, y), count) in table {
        *a.entry(x).or_insert(0) += count;
        *b.entry(y).or_insert(0) += count;
    }
    (a.into_values().collect(), b.into_values().collect())
}

/// The adjusted Rand index (Hubert and Arabie, "Comparing partitions", 1985).
pub fn adjusted_rand(a: &Labels, b: &Labels, scope: &Names) -> f64 {
    let table = table(a, b, scope);
    let (of_a, of_b) = sums(&table);
    let total = |counts: Vec<usize>| counts.into_iter().map(pairs).sum::<f64>();
    let all = pairs(table.values().sum());
    let (index, a, b) = (total(table.into_values().collect()), total(of_a), total(of_b));
    let expected = a * b / all;
    let most = f64::midpoint(a, b);
    if (most - expected).abs() < f64::EPSILON { 1.0 } else { (index - expected) / (most - expected) }
}

/// Homogeneity and completeness (Rosenberg and Hirschberg, "V-Measure", EMNLP 2007).
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub fn homogeneity(found: &Labels, truth: &Labels, scope: &Names) -> (f64, f64) {
    let table = table(found, truth, scope);
    let (of_found, of_truth) = sums(&table);
    let total = table.values().sum::<usize>() as f64;
    let entropy = |counts: &mut dyn Iterator<Item = usize>| -> f64 {
        counts.map(|count| count as f64 / total).map(|share| -share * share.ln()).sum()
    };
    let (f, t) = (entropy(&mut of_found.into_iter()), entropy(&mut of_truth.into_iter()));
    let shared = f + t - entropy(&mut table.into_values());
    (if t > 0.0 { shared / t } else { 1.0 }, if f > 0.0 { shared / f } else { 1.0 })
}

/// Those who serve and call exactly the same ports.
pub fn signatures(flows: &[Flow], scope: &Names) -> Labels {
    let mut does: BTreeMap<&String, BTreeSet<(bool, &String)>> = BTreeMap::new();
    for (client, server, service) in flows {
        does.entry(client).or_default().insert((false, service));
        does.entry(server).or_default().insert((true, service));
    }
    let mut numbers = BTreeMap::new();
    let mut label = |name: &String| {
        let next = numbers.len();
        *numbers.entry(does.get(name).cloned().unwrap_or_default()).or_insert(next)
    };
    scope.iter().map(|name| (name.clone(), label(name))).collect()
}

/// Average linkage on the Jaccard index of neighbours, at each cut from 0.05 to 0.95.
pub fn neighbours(flows: &[Flow], scope: &Names) -> Vec<Labels> {
    let mut near: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (client, server, _) in flows {
        near.entry(client).or_default().insert(server);
        near.entry(server).or_default().insert(client);
    }
    let none = BTreeSet::new();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let similarity = |a: &String, b: &String| {
        let (a, b) = (near.get(a).unwrap_or(&none), near.get(b).unwrap_or(&none));
        a.intersection(b).count() as f64 / a.union(b).count().max(1) as f64
    };
    let names: Vec<&String> = scope.iter().collect();
    let matrix: Vec<Vec<f64>> = names.iter().map(|a| names.iter().map(|b| similarity(a, b)).collect()).collect();
    (1..20).map(|cut| linked(&names, &matrix, f64::from(cut) * 0.05)).collect()
}

fn linked(names: &[&String], matrix: &[Vec<f64>], cut: f64) -> Labels {
    let mut groups: Vec<Vec<usize>> = (0..names.len()).map(|n| vec![n]).collect();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let mean = |a: &[usize], b: &[usize]| {
        let sum: f64 = a.iter().flat_map(|x| b.iter().map(|y| matrix[*x][*y])).sum();
        sum / (a.len() * b.len()) as f64
    };
    loop {
        let mut best = (cut, None);
        for i in 0..groups.len() {
            for j in 0..i {
                let found = mean(&groups[i], &groups[j]);
                if found > best.0 {
                    best = (found, Some((i, j)));
                }
            }
        }
        let Some((i, j)) = best.1 else { break };
        let moved = groups.swap_remove(i);
        groups[j].extend(moved);
    }
    groups.iter().enumerate().flat_map(|(n, group)| group.iter().map(move |m| (names[*m].clone(), n))).collect()
}

/// Communities by modularity (Blondel and others, "Fast unfolding of communities in large networks", 2008): one level of
/// moves in the order of the names until none gains, then the same between the communities found.
pub fn louvain(flows: &[Flow], scope: &Names) -> Labels {
    let names: Vec<&String> = scope.iter().collect();
    let place = |name: &String| names.binary_search(&name).ok();
    let mut weights: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for (client, server, _) in flows {
        if let Some((a, b)) = place(client).zip(place(server)).filter(|(a, b)| a != b) {
            *weights.entry((a.min(b), a.max(b))).or_insert(0.0) += 1.0;
        }
    }
    let mut label: Vec<usize> = (0..names.len()).collect();
    loop {
        let moved = moves(&weights, label.iter().max().map_or(0, |most| most + 1));
        let is_done = moved.iter().enumerate().all(|(n, to)| n == *to);
        for community in &mut label {
            *community = moved[*community];
        }
        if is_done {
            break;
        }
        let mut merged: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for ((a, b), weight) in weights {
            let (a, b) = (moved[a], moved[b]);
            *merged.entry((a.min(b), a.max(b))).or_insert(0.0) += weight;
        }
        weights = merged;
    }
    names.into_iter().cloned().zip(label).collect()
}

fn moves(weights: &BTreeMap<(usize, usize), f64>, count: usize) -> Vec<usize> {
    let mut near: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    let mut degree = vec![0.0; count];
    for ((a, b), weight) in weights {
        degree[*a] += weight;
        degree[*b] += weight;
        if a != b {
            near[*a].push((*b, *weight));
            near[*b].push((*a, *weight));
        }
    }
    let twice: f64 = degree.iter().sum::<f64>().max(1.0);
    let mut community: Vec<usize> = (0..count).collect();
    let mut total = degree.clone();
    let mut is_moving = true;
    while is_moving {
        is_moving = false;
        for node in 0..count {
            let own = community[node];
            total[own] -= degree[node];
            let mut links: BTreeMap<usize, f64> = BTreeMap::from([(own, 0.0)]);
            for (other, weight) in &near[node] {
                *links.entry(community[*other]).or_insert(0.0) += weight;
            }
            let gain = |to: usize, link: f64| link - total[to] * degree[node] / twice;
            let stay = gain(own, links[&own]);
            let best = links.iter().map(|(to, link)| (gain(*to, *link), *to)).max_by(|a, b| a.0.total_cmp(&b.0));
            let to = best.filter(|(gained, _)| *gained > stay + 1e-9).map_or(own, |(_, to)| to);
            is_moving |= to != own;
            community[node] = to;
            total[to] += degree[node];
        }
    }
    community
}
