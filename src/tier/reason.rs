//! Why a role is one, in a sentence: what its members do, who calls them, whom they call.

use std::cmp::Reverse;

use foldhash::{HashMap, HashSet};

use super::{
    Joined, Tiers,
    calls::{Calls, Few},
    place::Place,
    similarity::ONE,
    token::Token,
};

/// Classes of a role that are compared with each other for its cohesion.
const MAX_COMPARED: usize = 40;
/// With more roles the nearest other one of each is not looked for.
const MAX_ROLES_COMPARED: usize = 300;

/// A token of a role: how many of its members have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Common {
    pub token: Token,
    pub inside: u64,
    pub weight: u64,
}

impl Tiers {
    /// What the members of a role do, the most telling first.
    pub(super) fn does(&self, role: usize) -> Vec<Common> {
        let mut counts: HashMap<Token, u64> = HashMap::default();
        for class in self.classes_of(role) {
            for has in &class.has {
                *counts.entry(has.token).or_default() += class.members.len() as u64;
            }
        }
        let weight = |token: Token| self.weights.rarity(token);
        let mut all: Vec<Common> =
            counts.into_iter().map(|(token, inside)| Common { token, inside, weight: weight(token) }).collect();
        // what most members do says more than what some do, work more than what is done with infrastructure, and what is
        // served more than what is called
        let size = self.size(role);
        let work: HashSet<Token> =
            self.groups[role].iter().flat_map(|class| self.weighted[*class as usize].work()).collect();
        let rank = |it: &Common| {
            let is_own = it.token.is_served() && !self.weights.is_common(it.token);
            (it.inside * 2 >= size, work.contains(&it.token), is_own, it.inside * it.weight)
        };
        all.sort_by_cached_key(|it| (Reverse(rank(it)), it.token));
        all
    }

    fn classes_of(&self, role: usize) -> impl Iterator<Item = &super::signature::Class> {
        let classes = self.groups.get(role).into_iter().flatten();
        classes.filter_map(|class| self.signatures.classes.get(*class as usize))
    }

    pub(super) fn size(&self, role: usize) -> u64 {
        self.classes_of(role).map(|class| class.members.len() as u64).sum()
    }

    /// The mean similarity of a role's members, those of one class being wholly alike.
    #[expect(clippy::cast_precision_loss, reason = "a share for display")]
    pub(super) fn cohesion(&self, role: usize) -> Option<f64> {
        if self.size(role) < 2 {
            return None;
        }
        // a copy is no less of a role for not being like it
        let is_alike = |class: &&u32| self.joined.get(*class) != Some(&Joined::Copies);
        let classes: Vec<(u32, u64)> = self.groups[role]
            .iter()
            .filter(is_alike)
            .take(MAX_COMPARED)
            .map(|class| (*class, self.signatures.classes[*class as usize].members.len() as u64))
            .collect();
        let (mut sum, mut pairs) = (0, 0);
        for (n, (a, a_size)) in classes.iter().enumerate() {
            let within = a_size * (a_size - 1) / 2;
            (sum, pairs) = (sum + within * ONE, pairs + within);
            for (b, b_size) in &classes[..n] {
                let similarity = self.weighted[*a as usize].similarity(&self.weighted[*b as usize]);
                (sum, pairs) = (sum + a_size * b_size * similarity, pairs + a_size * b_size);
            }
        }
        (pairs > 0).then(|| (sum * 100 / (pairs * ONE)) as f64 / 100.0)
    }

    /// The other role that a class is most like, and how much.
    pub(super) fn nearest(&self, class: u32, own: usize) -> Option<(u64, usize)> {
        let this = self.weighted.get(class as usize)?;
        let others = (0..self.groups.len()).filter(|role| *role != own);
        let similarity = |role: usize| {
            let compared = self.groups[role].iter().take(MAX_COMPARED);
            let all: Vec<u64> = compared.map(|other| this.similarity(&self.weighted[*other as usize])).collect();
            all.iter().sum::<u64>() / (all.len() as u64).max(1)
        };
        others.map(|role| (similarity(role), role)).filter(|it| it.0 > 0).max_by_key(|it| (it.0, usize::MAX - it.1))
    }
}

/// What every role is called: by an operator, or by what it does. Roles of one name are numbered.
pub(super) fn names(tiers: &Tiers, numbers: &[Vec<u32>], does: &[Vec<Common>]) -> Vec<String> {
    let plain = |n: usize| {
        let first = numbers[n].first().and_then(|member| tiers.graph.members.get(*member as usize));
        first.and_then(|member| member.role.clone()).unwrap_or_else(|| job(tiers.size(n), &does[n]))
    };
    let mut used: HashMap<String, usize> = HashMap::default();
    let mut named = |n: usize| {
        let name = plain(n);
        let count = used.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name} #{count}") }
    };
    (0..numbers.len()).map(&mut named).collect()
}

/// What a role does that others do not, in words. Where that is a call, what it serves is said too.
fn job(size: u64, does: &[Common]) -> String {
    let Some(first) = does.first() else { return "not seen".to_owned() };
    let served = does.iter().find(|it| it.token.is_served() && it.inside * 2 >= size);
    match served.filter(|_| !first.token.is_served()) {
        Some(served) => format!("{}, {}", served.token, first.token),
        None => first.token.to_string(),
    }
}

/// The sentence.
pub(super) fn reason(
    tiers: &Tiers,
    role: usize,
    does: &[Common],
    calls: &Calls,
    place: &Place,
    names: &[String],
) -> String {
    let mut parts = Vec::new();
    match does.first() {
        Some(telling) => parts.push(telling_part(tiers, role, telling)),
        None => parts.push("nothing was seen of it that tells what it does".to_owned()),
    }
    parts.extend(place.because.clone());
    parts.extend(joined_part(tiers, role));
    if !does.is_empty() {
        parts.push(called_part(tiers, role, calls));
        parts.push(calls_part(tiers, role, calls));
    }
    if let Some(cohesion) = tiers.cohesion(role) {
        parts.push(format!("cohesion {cohesion:.2}"));
    }
    parts.extend(nearest_part(tiers, role, names));
    parts.join("; ")
}

/// `1 of 1 serves TCP/5432 (0 of 11 others do)`.
fn telling_part(tiers: &Tiers, role: usize, telling: &Common) -> String {
    let Common { token, inside, .. } = *telling;
    let (size, all) = (tiers.size(role), tiers.weights.endpoints());
    let what = token.to_string();
    let what = if inside == 1 { what } else { what.replacen("serves", "serve", 1).replacen("calls", "call", 1) };
    let (others, also) = (all - size, tiers.weights.count(token) - inside);
    let do_it = if also == 1 { "does" } else { "do" };
    format!("{inside} of {size} {what} ({also} of {others} others {do_it})")
}

fn joined_part(tiers: &Tiers, role: usize) -> Option<String> {
    let joined = |why: Joined| {
        let classes = tiers.groups[role].iter().filter(move |class| tiers.joined.get(class) == Some(&why));
        let members = classes.flat_map(|class| &tiers.signatures.classes[*class as usize].members);
        let names: Vec<String> = members.filter_map(|member| tiers.graph.called(*member)).collect();
        (!names.is_empty()).then(|| list(&names[..names.len().min(Few::NAMED)], names.len()))
    };
    let explained = joined(Joined::Explained)
        .map(|names| format!("{names} seen with the outside alone, doing what these and no others do"));
    let passed = joined(Joined::Passed).map(|names| {
        format!("{names} calls nothing and serves what these call at several servers: an address of theirs")
    });
    let copies = joined(Joined::Copies).map(|names| format!("{names} copying one of these"));
    let parts: Vec<String> = explained.into_iter().chain(passed).chain(copies).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn called_part(tiers: &Tiers, role: usize, calls: &Calls) -> String {
    let callers = || spoken(tiers, &calls.callers_named[role]);
    match calls.from[role].len() {
        0 => "called by none in scope".to_owned(),
        1 => format!("called only by {}", callers()),
        _ => format!("called by {}", callers()),
    }
}

fn calls_part(tiers: &Tiers, role: usize, calls: &Calls) -> String {
    let out = calls.out[role].len();
    let outside = if out > 0 { format!("{out} outside") } else { String::new() };
    let own = if calls.within[role].is_empty() { "" } else { "its own kind" };
    let others = spoken(tiers, &calls.called_named[role]);
    let parts: Vec<&str> = [others.as_str(), own, outside.as_str()].into_iter().filter(|it| !it.is_empty()).collect();
    if parts.is_empty() { "calls nothing".to_owned() } else { format!("calls {}", parts.join(" and ")) }
}

/// A few endpoints by name, and how many more there are.
fn spoken(tiers: &Tiers, few: &Few) -> String {
    let names: Vec<String> = few.first.iter().filter_map(|member| tiers.graph.called(*member)).collect();
    list(&names, few.count)
}

/// `a, b and c`, or `a, b, c and 9 more`: the first of so many.
fn list(names: &[String], count: usize) -> String {
    match names {
        [] => String::new(),
        [one] if count == 1 => one.clone(),
        [first @ .., last] if count == names.len() => format!("{} and {last}", first.join(", ")),
        many => format!("{} and {} more", many.join(", "), count - many.len()),
    }
}

fn nearest_part(tiers: &Tiers, role: usize, names: &[String]) -> Option<String> {
    if tiers.groups.len() > MAX_ROLES_COMPARED {
        return None;
    }
    let class = *tiers.groups[role].first()?;
    let (similarity, other) = tiers.nearest(class, role)?;
    let percent = similarity * 100 / ONE;
    (percent > 0).then(|| format!("nearest: {} {}.{:02}", names[other], percent / 100, percent % 100))
}
