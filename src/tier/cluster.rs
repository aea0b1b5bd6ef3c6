//! Classes to roles: average-linkage clustering, cut where roles stop being alike.
//!
//! The nearest-neighbour chain (Benzécri 1982; Murtagh, "A survey of recent advances in hierarchical clustering
//! algorithms", 1983) needs a time and a memory of n² and finds the same tree as merging the nearest pair each time, for
//! average linkage is reducible. Sums of whole numbers stand for the averages, so that the order of merges cannot change
//! them.

use foldhash::HashMap;

use super::{
    signature::Signatures,
    similarity::{ONE, Weighted},
    token::Token,
};

/// So many classes are compared each with each: the sums take 8 bytes a pair, 144 MB.
const MAX_DENSE: usize = 6_000;

/// Groups of classes by their numbers, each sorted, in the order of their first.
pub(super) fn cluster(signatures: &Signatures, weighted: &[Weighted], cut: u64) -> Vec<Vec<u32>> {
    let mut pens: HashMap<u32, Vec<u32>> = HashMap::default();
    for (number, class) in (0u32..).zip(&signatures.classes) {
        pens.entry(class.pen).or_default().push(number);
    }
    let mut pens: Vec<Vec<u32>> = pens.into_values().collect();
    pens.sort_unstable();
    let mut groups: Vec<Vec<u32>> = pens.iter().flat_map(|pen| in_pen(pen, signatures, weighted, cut)).collect();
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    groups
}

fn in_pen(pen: &[u32], signatures: &Signatures, weighted: &[Weighted], cut: u64) -> Vec<Vec<u32>> {
    if pen.len() <= MAX_DENSE {
        return dense(pen, signatures, weighted, cut);
    }
    // the classes with most members make the roles, and the others join the one they are most like
    let mut by_size = pen.to_vec();
    by_size.sort_by_key(|class| (usize::MAX - size(signatures, *class), *class));
    let (mut first, rest) = (by_size.clone(), by_size.split_off(MAX_DENSE));
    first.truncate(MAX_DENSE);
    first.sort_unstable();
    let mut groups = dense(&first, signatures, weighted, cut);
    let seeds: Vec<u32> = groups.iter().filter_map(|group| largest(group, signatures)).collect();
    let index = Index::new(&seeds, signatures);
    for class in rest {
        match index.nearest(class, signatures, weighted).filter(|(similarity, _)| *similarity >= cut) {
            Some((_, n)) => groups[n].push(class),
            None => groups.push(vec![class]),
        }
    }
    groups
}

fn size(signatures: &Signatures, class: u32) -> usize {
    signatures.classes.get(class as usize).map_or(0, |class| class.members.len())
}

/// The class with most members.
fn largest(group: &[u32], signatures: &Signatures) -> Option<u32> {
    group.iter().copied().max_by_key(|class| (size(signatures, *class), u32::MAX - class))
}

/// Finds what shares a token.
struct Index<'s> {
    seeds: &'s [u32],
    by_token: HashMap<Token, Vec<usize>>,
}

/// A token of more seeds than this leads to too many.
const MAX_SHARED: usize = 256;

impl<'s> Index<'s> {
    fn new(seeds: &'s [u32], signatures: &Signatures) -> Self {
        let mut by_token: HashMap<Token, Vec<usize>> = HashMap::default();
        for (n, seed) in seeds.iter().enumerate() {
            for has in signatures.classes.get(*seed as usize).into_iter().flat_map(|class| &class.has) {
                by_token.entry(has.token).or_default().push(n);
            }
        }
        by_token.retain(|_, seeds| seeds.len() <= MAX_SHARED);
        Self { seeds, by_token }
    }

    fn nearest(&self, class: u32, signatures: &Signatures, weighted: &[Weighted]) -> Option<(u64, usize)> {
        let has = signatures.classes.get(class as usize).into_iter().flat_map(|class| &class.has);
        let mut near: Vec<usize> = has.filter_map(|has| self.by_token.get(&has.token)).flatten().copied().collect();
        near.sort_unstable();
        near.dedup();
        let this = weighted.get(class as usize)?;
        let similarity = |n: usize| weighted.get(self.seeds[n] as usize).map_or(0, |seed| this.similarity(seed));
        near.into_iter().map(|n| (similarity(n), n)).max_by_key(|(similarity, n)| (*similarity, usize::MAX - n))
    }
}

/// The pairs of a partition that share something telling, and those that do nothing telling: no others are alike.
struct Likely {
    telling: Vec<Vec<Token>>,
    by_token: HashMap<Token, Vec<usize>>,
    without: Vec<usize>,
    at: usize,
    near: Vec<usize>,
}

impl Likely {
    fn new(pen: &[u32], weighted: &[Weighted]) -> Self {
        let telling = |class: &u32| weighted.get(*class as usize).map(|it| it.telling().collect()).unwrap_or_default();
        let telling: Vec<Vec<Token>> = pen.iter().map(telling).collect();
        Self { telling, by_token: HashMap::default(), without: Vec::new(), at: 0, near: Vec::new() }
    }

    /// Goes on to the next class: those before it that are near are compared with it.
    fn advance(&mut self) -> Option<()> {
        let tokens = self.telling.get(self.at)?;
        if tokens.is_empty() {
            self.near.clone_from(&self.without);
            self.without.push(self.at);
        }
        for token in tokens {
            let before = self.by_token.entry(*token).or_default();
            self.near.extend(before.iter());
            before.push(self.at);
        }
        self.near.sort_unstable();
        self.near.dedup();
        self.at += 1;
        Some(())
    }
}

impl Iterator for Likely {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        while self.near.is_empty() {
            self.advance()?;
        }
        self.near.pop().map(|before| (self.at - 1, before))
    }
}

/// Sums of similarities between the groups of a partition.
struct Sums {
    count: usize,
    /// For each pair, the lower place within the higher.
    pairs: Vec<u64>,
    sizes: Vec<u64>,
}

impl Sums {
    fn new(pen: &[u32], signatures: &Signatures, weighted: &[Weighted]) -> Self {
        let sizes: Vec<u64> = pen.iter().map(|class| size(signatures, *class) as u64).collect();
        let mut pairs = vec![0; pen.len() * pen.len().saturating_sub(1) / 2];
        for (i, j) in Likely::new(pen, weighted) {
            let pair = weighted.get(pen[i] as usize).zip(weighted.get(pen[j] as usize));
            pairs[Self::place(i, j)] = pair.map_or(0, |(a, b)| a.similarity(b)) * sizes[i] * sizes[j];
        }
        Self { count: pen.len(), pairs, sizes }
    }

    fn place(i: usize, j: usize) -> usize {
        let (high, low) = if i > j { (i, j) } else { (j, i) };
        high * (high - 1) / 2 + low
    }

    /// The mean similarity of the members of two groups.
    fn mean(&self, i: usize, j: usize) -> u64 {
        self.pairs[Self::place(i, j)] / (self.sizes[i] * self.sizes[j]).max(1)
    }

    /// Takes the second group into the first.
    fn merge(&mut self, i: usize, j: usize) {
        for k in (0..self.count).filter(|k| *k != i && *k != j && self.sizes[*k] > 0) {
            let more = self.pairs[Self::place(j, k)];
            self.pairs[Self::place(i, k)] += more;
        }
        self.sizes[i] += self.sizes[j];
        self.sizes[j] = 0;
    }

    /// The group most like this one; of equals the first, but for `before`, which breaks ties so that chains end.
    fn nearest(&self, i: usize, before: Option<usize>) -> Option<(u64, usize)> {
        let others = (0..self.count).filter(|j| *j != i && self.sizes[*j] > 0);
        others.map(|j| (self.mean(i, j), j)).max_by_key(|(mean, j)| (*mean, Some(*j) == before, usize::MAX - j))
    }
}

fn dense(pen: &[u32], signatures: &Signatures, weighted: &[Weighted], cut: u64) -> Vec<Vec<u32>> {
    let mut sums = Sums::new(pen, signatures, weighted);
    let mut groups: Vec<Vec<u32>> = pen.iter().map(|class| vec![*class]).collect();
    let mut is_done = vec![false; pen.len()];
    let mut chain: Vec<usize> = Vec::new();
    let mut start = 0;
    loop {
        if chain.is_empty() {
            match (start..pen.len()).find(|n| sums.sizes[*n] > 0 && !is_done[*n]) {
                Some(n) => (start, chain) = (n, vec![n]),
                None => break,
            }
        }
        let [.., top] = chain[..] else { break };
        let before = chain.len().checked_sub(2).map(|n| chain[n]);
        match sums.nearest(top, before).filter(|(mean, _)| *mean >= cut.clamp(1, ONE)) {
            // nothing is like it any more, and no merge of others changes that
            None => {
                is_done[top] = true;
                chain.pop();
            }
            Some((_, near)) if Some(near) == before => {
                chain.truncate(chain.len() - 2);
                let (keep, gone) = (top.min(near), top.max(near));
                sums.merge(keep, gone);
                let mut moved = std::mem::take(&mut groups[gone]);
                groups[keep].append(&mut moved);
                start = 0;
            }
            Some((_, near)) => chain.push(near),
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}
