//! Second addresses: endpoints whose lack of tokens tells nothing, joined to the role that explains what they do.
//!
//! Hosts have addresses beside the one that they work with: in another network, or floating before a proxy. Such an
//! address shows a part of what its host does, and no similarity finds it.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use super::{
    signature::{Class, NOBODY, Signatures},
    similarity::Weights,
    token::{Service, Token},
};

/// A role does at least this share of all that an address does, in percent of its weight ...
const EXPLAINED_PERCENT: u64 = 80;
/// ... and no other role does more than this share of what the best does.
const SECOND_PERCENT: u64 = 50;
/// A virtual address serves at least this share, in percent of their weight, of the ports that its proxy calls elsewhere ...
const PASSED_PERCENT: u64 = 40;
/// ... and no other role calls more than this share of what the best does ...
const SECOND_PASSED_PERCENT: u64 = 80;
/// ... on no fewer ports than this ...
const MIN_PASSED: usize = 3;
/// ... at no fewer different servers.
const MIN_BEHIND: usize = 2;

/// Why a class joined a role that it is not like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// All that it does, the role does, and no other.
    Explained,
    /// It serves what the role calls at several servers.
    Passed,
    /// It copies one of the role, and nobody uses it.
    Copies,
}

/// Joins second addresses to the groups of their hosts. Gives the classes that were joined.
pub(super) fn attach(
    groups: &mut Vec<Vec<u32>>,
    signatures: &Signatures,
    weights: &Weights,
    copied: &[Option<u32>],
) -> HashMap<u32, Joined> {
    let mut joined = HashMap::default();
    join_copies(groups, signatures, copied, &mut joined);
    for is_exact in [true, false] {
        let owners = Owners::new(groups, signatures, is_exact);
        let mut apart: Vec<usize> = (0..groups.len()).filter(|n| is_apart(&groups[*n], signatures)).collect();
        apart.sort_by_key(|n| (tokens(&groups[*n], signatures, is_exact).len(), *n));
        let explained = |n: usize, groups: &[Vec<u32>]| owners.explain(n, groups, signatures, weights);
        join(groups, apart, Joined::Explained, &mut joined, explained);
    }
    let callers = Callers::new(groups, signatures, weights);
    let alone = (0..groups.len()).filter(|n| groups[*n].len() == 1).collect();
    join(groups, alone, Joined::Passed, &mut joined, |n, groups| callers.pass(n, groups, signatures));
    groups.retain(|group| !group.is_empty());
    joined
}

/// Copies join the group of what they copy.
fn join_copies(
    groups: &mut [Vec<u32>],
    signatures: &Signatures,
    copied: &[Option<u32>],
    joined: &mut HashMap<u32, Joined>,
) {
    let original = |class: &u32| {
        let member = signatures.classes.get(*class as usize)?.members.first()?;
        let original = copied.get(*member as usize).copied().flatten()?;
        signatures.class_of.get(original as usize).copied()
    };
    let copying: Vec<(usize, u32)> =
        groups.iter().enumerate().filter_map(|(n, group)| Some((n, original(group.first()?)?))).collect();
    for (n, class) in copying {
        let moved = std::mem::take(&mut groups[n]);
        joined.extend(moved.iter().map(|class| (*class, Joined::Copies)));
        // a class of originals is in a group that does not move
        if let Some(to) = groups.iter_mut().find(|group| group.contains(&class)) {
            to.extend(moved);
        }
    }
}

fn join(
    groups: &mut [Vec<u32>],
    candidates: Vec<usize>,
    why: Joined,
    joined: &mut HashMap<u32, Joined>,
    target: impl Fn(usize, &[Vec<u32>]) -> Option<usize>,
) {
    for n in candidates {
        // one that others have joined stays
        let is_free = groups[n].iter().all(|class| !joined.contains_key(class));
        let Some(to) = target(n, groups).filter(|to| is_free && *to != n && !groups[*to].is_empty()) else { continue };
        let moved = std::mem::take(&mut groups[n]);
        joined.extend(moved.iter().map(|class| (*class, why)));
        groups[to].extend(moved);
    }
}

fn classes<'s>(group: &'s [u32], signatures: &'s Signatures) -> impl Iterator<Item = &'s Class> {
    group.iter().filter_map(|class| signatures.classes.get(*class as usize))
}

/// Whether nothing was seen of it with anybody in scope, though something with others.
fn is_apart(group: &[u32], signatures: &Signatures) -> bool {
    let mut has = classes(group, signatures).flat_map(|class| &class.has).peekable();
    has.peek().is_some() && has.all(|has| has.token.is_outside())
}

fn tokens(group: &[u32], signatures: &Signatures, is_exact: bool) -> BTreeSet<Token> {
    let tokens = classes(group, signatures).flat_map(|class| &class.has).map(|has| has.token);
    tokens.map(|token| if is_exact { token } else { token.anywhere() }).collect()
}

fn pen(group: &[u32], signatures: &Signatures) -> Option<u32> {
    classes(group, signatures).next().map(|class| class.pen)
}

/// Which groups do what: at least half of their members.
struct Owners {
    by_token: HashMap<Token, Vec<usize>>,
    is_exact: bool,
}

impl Owners {
    fn new(groups: &[Vec<u32>], signatures: &Signatures, is_exact: bool) -> Self {
        let mut by_token: HashMap<Token, Vec<usize>> = HashMap::default();
        for (n, group) in groups.iter().enumerate() {
            let mut counts: HashMap<Token, usize> = HashMap::default();
            let mut size = 0;
            for class in classes(group, signatures) {
                size += class.members.len();
                for token in tokens(&class_only(class, signatures), signatures, is_exact) {
                    *counts.entry(token).or_default() += class.members.len();
                }
            }
            for (token, _) in counts.into_iter().filter(|(_, count)| count * 2 >= size) {
                by_token.entry(token).or_default().push(n);
            }
        }
        Self { by_token, is_exact }
    }

    /// The one group that does what this one does.
    fn explain(&self, n: usize, groups: &[Vec<u32>], signatures: &Signatures, weights: &Weights) -> Option<usize> {
        let mut sums: HashMap<usize, u64> = HashMap::default();
        let mut whole = 0;
        for token in tokens(&groups[n], signatures, self.is_exact) {
            // where the peers are does not make it rarer
            let weight = weights.rarity(token).min(weights.rarity_anywhere(token));
            whole += weight;
            for owner in self.by_token.get(&token).into_iter().flatten().filter(|owner| **owner != n) {
                *sums.entry(*owner).or_default() += weight;
            }
        }
        let is_in_pen = |m: &usize| pen(&groups[*m], signatures) == pen(&groups[n], signatures);
        sums.retain(|m, _| is_in_pen(m));
        let (best, second) = first_two(&sums)?;
        let is_explained = whole > 0 && best.0 * 100 >= whole * EXPLAINED_PERCENT;
        (is_explained && second * 100 <= best.0 * SECOND_PERCENT).then_some(best.1)
    }
}

fn class_only(class: &Class, signatures: &Signatures) -> Vec<u32> {
    let number = class.members.first().and_then(|member| signatures.class_of.get(*member as usize));
    number.into_iter().copied().collect()
}

/// The highest sum with its group, of equals the first, and the second highest.
fn first_two(sums: &HashMap<usize, u64>) -> Option<((u64, usize), u64)> {
    let mut order: Vec<(u64, usize)> = sums.iter().map(|(n, sum)| (*sum, *n)).collect();
    order.sort_unstable_by_key(|(sum, n)| (std::cmp::Reverse(*sum), *n));
    let second = order.get(1).map_or(0, |(sum, _)| *sum);
    order.first().map(|best| (*best, second))
}

/// Which groups call what, and where.
struct Callers {
    /// By service: the groups that call it, with the groups that serve it to them.
    by_service: HashMap<Service, HashMap<usize, HashSet<usize>>>,
    weight: HashMap<Service, u64>,
}

impl Callers {
    fn new(groups: &[Vec<u32>], signatures: &Signatures, weights: &Weights) -> Self {
        let mut group_of: HashMap<u32, usize> = HashMap::default();
        for (n, group) in groups.iter().enumerate() {
            group_of.extend(group.iter().map(|class| (*class, n)));
        }
        let mut by_service: HashMap<Service, HashMap<usize, HashSet<usize>>> = HashMap::default();
        let mut users: HashMap<Service, u64> = HashMap::default();
        for (n, group) in groups.iter().enumerate() {
            for class in classes(group, signatures) {
                let services: HashSet<Service> = class.has.iter().map(|has| has.token.service()).collect();
                for service in services {
                    *users.entry(service).or_default() += class.members.len() as u64;
                }
                for has in class.has.iter().filter(|has| !has.token.is_served()) {
                    let servers = by_service.entry(has.token.service()).or_default().entry(n).or_default();
                    let group = |class: &u32| if *class == NOBODY { usize::MAX } else { group_of[class] };
                    servers.extend(has.peers.iter().map(group).filter(|server| *server != n));
                }
            }
        }
        let weight = users.into_iter().map(|(service, users)| (service, weights.rarity_of(users + 1))).collect();
        Self { by_service, weight }
    }

    /// The proxy of a virtual address: it serves alone, calls nothing, and another calls the same ports at several.
    fn pass(&self, n: usize, groups: &[Vec<u32>], signatures: &Signatures) -> Option<usize> {
        let class = classes(&groups[n], signatures).next().filter(|class| class.members.len() == 1)?;
        if class.has.iter().any(|has| !has.token.is_served()) {
            return None;
        }
        let services: BTreeSet<Service> = class.has.iter().map(|has| has.token.service()).collect();
        let (mut whole, mut sums) = (0, HashMap::<usize, u64>::default());
        let mut passed: HashMap<usize, (usize, HashSet<usize>)> = HashMap::default();
        for service in &services {
            let weight = self.weight.get(service).copied().unwrap_or_default();
            whole += weight;
            for (caller, servers) in self.by_service.get(service).into_iter().flatten() {
                let elsewhere: Vec<usize> = servers.iter().copied().filter(|server| *server != n).collect();
                if *caller != n && !elsewhere.is_empty() && pen(&groups[*caller], signatures) == Some(class.pen) {
                    *sums.entry(*caller).or_default() += weight;
                    let (count, behind) = passed.entry(*caller).or_default();
                    *count += 1;
                    behind.extend(elsewhere);
                }
            }
        }
        let (best, second) = first_two(&sums)?;
        let (count, behind) = passed.get(&best.1)?;
        let is_passed = whole > 0 && best.0 * 100 >= whole * PASSED_PERCENT;
        let is_plain = second * 100 <= best.0 * SECOND_PASSED_PERCENT;
        (is_passed && is_plain && *count >= MIN_PASSED && behind.len() >= MIN_BEHIND).then_some(best.1)
    }
}
