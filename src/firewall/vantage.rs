//! What captures could see of hosts, by where they were taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// How much of a host the captures could see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing of it was seen.
    #[default]
    Unseen,
    /// Seen at another host alone: what else it does passed elsewhere.
    Elsewhere,
    /// At itself, or where the traffic of many passes.
    Whole,
}

impl Sight {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Elsewhere => "seen at others alone",
            Self::Whole => "watched",
        }
    }
}

/// What was seen of each party, from the ends of all that captures hold, each with the place of its capture.
///
/// A capture of which all traffic has one end in common was taken at that end, and tells nothing of what others do among
/// themselves. Any other was taken where the traffic of many passes. Groups and broadcasts reach every link, and tell nothing.
pub fn sights<P: Copy + Ord>(
    ends: impl IntoIterator<Item = (usize, IpAddr, IpAddr)>,
    party: impl Fn(IpAddr) -> P,
) -> BTreeMap<P, Sight> {
    /// What a capture holds.
    struct Capture<P> {
        common: BTreeSet<P>,
        all: BTreeSet<P>,
    }
    let mut captures: BTreeMap<usize, Capture<P>> = BTreeMap::new();
    let is_one = |address: &IpAddr| !address.is_multicast() && *address != IpAddr::from([255; 4]);
    for (capture, src, dst) in ends.into_iter().filter(|(_, src, dst)| is_one(src) && is_one(dst)) {
        let both = BTreeSet::from([party(src), party(dst)]);
        let known = captures.entry(capture).or_insert_with(|| Capture { common: both.clone(), all: BTreeSet::new() });
        known.common.retain(|party| both.contains(party));
        known.all.extend(both);
    }
    let mut sights = BTreeMap::new();
    for Capture { common, all } in captures.into_values() {
        for party in all {
            let is_whole = common.is_empty() || common.contains(&party);
            let sight = if is_whole { Sight::Whole } else { Sight::Elsewhere };
            let known = sights.entry(party).or_insert(sight);
            *known = sight.max(*known);
        }
    }
    sights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(captures: &[&[(&str, &str)]]) -> Vec<(String, Sight)> {
        let ends = captures
            .iter()
            .enumerate()
            .flat_map(|(n, pairs)| pairs.iter().map(move |(src, dst)| (n, src.parse().unwrap(), dst.parse().unwrap())));
        sights(ends, |address| address).into_iter().map(|(address, sight)| (address.to_string(), sight)).collect()
    }

    #[test]
    fn who_is_an_end_of_all_was_watched_and_its_peers_were_not() {
        let found = seen(&[&[("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.1"), ("10.0.0.3", "224.0.0.251")]]);
        let expected = [("10.0.0.1", Sight::Whole), ("10.0.0.2", Sight::Elsewhere), ("10.0.0.3", Sight::Elsewhere)];
        assert_eq!(found, expected.map(|(address, sight)| (address.to_owned(), sight)));
    }

    #[test]
    fn where_many_pass_all_were_watched_and_captures_add_up() {
        let trunk: &[(&str, &str)] = &[("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.4")];
        assert!(seen(&[trunk]).iter().all(|(_, sight)| *sight == Sight::Whole));
        let at_one: &[(&str, &str)] = &[("10.0.0.1", "10.0.0.5"), ("10.0.0.1", "10.0.0.6")];
        let found = seen(&[at_one, trunk]);
        let elsewhere: Vec<&str> =
            found.iter().filter(|(_, it)| *it == Sight::Elsewhere).map(|(address, _)| address.as_str()).collect();
        assert_eq!(elsewhere, ["10.0.0.5", "10.0.0.6"]);
    }
}
