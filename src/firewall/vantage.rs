//! What captures could see of hosts, by where they were taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::HashMap;

use crate::model::Mac;

/// How much of a host the captures could see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing of it was seen.
    #[default]
    Unseen,
    /// Two segments have its address: which of the two was seen nobody can tell.
    Disputed,
    /// Seen with others alone, where its other traffic may not pass.
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
            Self::Disputed => "two segments have its address",
            Self::Elsewhere => "seen where not all of it passes",
            Self::Whole => "watched",
        }
    }
}

/// What a capture, or a flow log, holds, and what tells where it was taken.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The ends of what it saw, a pair for each client, server, port and hour.
    pub ends: Vec<(IpAddr, IpAddr)>,
    /// The ends of sweeps, and of attempts that got nothing: they tell that who tried was seen, and nothing of what passes.
    pub attempts: Vec<(IpAddr, IpAddr)>,
    /// Who was seen to live on the links that were watched, by the MAC of each; none for a flow log, which does not tell.
    pub stations: Option<BTreeMap<IpAddr, Mac>>,
    /// Of them those whose own frames were seen on the way to a router, or from it: on a link between two switches, what
    /// others send to a router beside them does not pass.
    pub routed: BTreeSet<Mac>,
    /// The addresses of the host that its sensor is called after.
    pub sensor: BTreeSet<IpAddr>,
}

/// Who takes part: a station of a link, with all its addresses; else a host, or somebody by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Party {
    Station(Mac),
    Host(usize),
    Address(IpAddr),
}

/// Beyond this share of all what a capture holds is that of one party: it was taken there. What else there is are stray frames.
const NEARLY_ALL: f64 = 0.9;
/// Beyond this share it may have been taken there, and somebody who talks with that party alone may talk with others too.
const MANY: f64 = 0.5;

/// What was seen of each address.
///
/// A capture of which nearly all traffic has one party in common was taken at that party, and tells nothing of what others do
/// among themselves; where that is true of two, it is not known at which. Any other was taken where the traffic of many passes: of
/// those who live there, and of nobody beyond a router. Who was seen with the busiest party alone may not be of these.
#[must_use]
pub fn sights(captures: &[Capture], host: impl Fn(IpAddr) -> Option<usize>) -> BTreeMap<IpAddr, Sight> {
    let mut sights: BTreeMap<IpAddr, Sight> = BTreeMap::new();
    for capture in captures {
        let party = |address: IpAddr| {
            let station = capture.stations.as_ref().and_then(|stations| stations.get(&address));
            let other = || host(address).map_or(Party::Address(address), Party::Host);
            station.map_or_else(other, |mac| Party::Station(*mac))
        };
        let ends: Vec<_> = capture.ends.iter().filter(|(src, dst)| is_routed(*src) && is_routed(*dst)).collect();
        let pairs: Vec<(Party, Party)> = ends.iter().map(|(src, dst)| (party(*src), party(*dst))).collect();
        let tried =
            capture.attempts.iter().filter(|(src, dst)| is_routed(*src) && is_routed(*dst)).map(|(src, _)| *src);
        let tried: BTreeSet<IpAddr> = tried.collect();
        let whole = whole(capture, &pairs, &tried, &party);
        for address in ends.iter().flat_map(|(src, dst)| [*src, *dst]).chain(tried) {
            let sight = if whole.contains(&party(address)) { Sight::Whole } else { Sight::Elsewhere };
            let known = sights.entry(address).or_insert(sight);
            *known = sight.max(*known);
        }
    }
    sights
}

/// Of whom a capture saw all that passes there.
#[expect(clippy::cast_precision_loss, reason = "shares of counts")]
fn whole(
    capture: &Capture,
    pairs: &[(Party, Party)],
    tried: &BTreeSet<IpAddr>,
    party: &impl Fn(IpAddr) -> Party,
) -> BTreeSet<Party> {
    let mut counts: HashMap<Party, usize> = HashMap::default();
    for (a, b) in pairs {
        *counts.entry(*a).or_default() += 1;
        if a != b {
            *counts.entry(*b).or_default() += 1;
        }
    }
    let lives = |party: &Party| match party {
        _ if capture.stations.is_none() => true,
        Party::Station(mac) => capture.routed.contains(mac),
        Party::Host(_) | Party::Address(_) => false,
    };
    let from = |share: f64| {
        let enough = move |count: usize| count as f64 > share * pairs.len() as f64;
        counts.iter().filter(move |(_, count)| enough(**count)).map(|(party, _)| *party).collect::<BTreeSet<_>>()
    };
    let at_most_one = |parties: &BTreeSet<Party>| -> BTreeSet<Party> {
        let here: BTreeSet<Party> = parties.iter().filter(|party| lives(party)).copied().collect();
        let sensor: BTreeSet<Party> = capture.sensor.iter().map(|address| party(*address)).collect();
        let named: BTreeSet<Party> = parties.intersection(&sensor).copied().collect();
        match (named.len(), here.len()) {
            (1, _) => named,
            (_, 1) => here,
            _ => BTreeSet::new(),
        }
    };
    let hubs = from(NEARLY_ALL);
    if !hubs.is_empty() {
        return at_most_one(&hubs);
    }
    let busy = from(MANY);
    let beside = pairs.iter().filter(|(a, b)| !busy.contains(a) && !busy.contains(b));
    let mut talk_beside: BTreeSet<Party> = beside.flat_map(|(a, b)| [*a, *b]).chain(busy.iter().copied()).collect();
    // who tried whom else is no matter: it passed here
    if !pairs.is_empty() {
        talk_beside.extend(tried.iter().map(|address| party(*address)));
    }
    talk_beside.into_iter().filter(|party| lives(party)).collect()
}

/// Whether a router forwards what has this address: groups, broadcasts and what is of a link or a host alone reach a capture
/// wherever it is taken.
fn is_routed(address: IpAddr) -> bool {
    let is_of_link = match address {
        IpAddr::V4(it) => it.is_link_local() || it.is_broadcast(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    !address.is_multicast() && !address.is_loopback() && !address.is_unspecified() && !is_of_link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn log(pairs: &[(&str, &str)]) -> Capture {
        let ends = pairs.iter().map(|(src, dst)| (address(src), address(dst))).collect();
        Capture { ends, ..Capture::default() }
    }

    /// A capture with who lives where it was taken, each with a MAC of this number.
    fn capture(pairs: &[(&str, &str)], stations: &[(&str, u8)]) -> Capture {
        let stations = stations.iter().map(|(at, n)| (address(at), Mac([2, 0, 0, 0, 0, *n])));
        let stations: BTreeMap<IpAddr, Mac> = stations.collect();
        let routed = stations.values().copied().collect();
        Capture { stations: Some(stations), routed, ..log(pairs) }
    }

    fn watched(captures: &[Capture]) -> String {
        let sights = sights(captures, |_| None);
        let whole = sights.into_iter().filter(|(_, sight)| *sight == Sight::Whole);
        whole.map(|(address, _)| address.to_string()).collect::<Vec<_>>().join(" ")
    }

    const TRUNK: [(&str, &str); 4] =
        [("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.4"), ("10.0.0.1", "10.0.0.4"), ("10.0.0.5", "10.0.0.2")];

    #[test]
    fn who_is_an_end_of_nearly_all_was_watched_and_its_peers_were_not() {
        let peers = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"];
        let mut pairs: Vec<(&str, &str)> = peers.iter().map(|peer| ("10.0.0.1", *peer)).collect();
        pairs.extend([("10.0.0.3", "224.0.0.251"), ("fe80::1", "fe80::2"), ("127.0.0.1", "127.0.0.1")]);
        assert_eq!(watched(&[log(&pairs)]), "10.0.0.1");
        // one stray frame is no trunk
        pairs.extend(peers.iter().map(|peer| (*peer, "10.0.0.1")));
        pairs.push(("10.0.0.2", "10.0.0.3"));
        assert_eq!(watched(&[log(&pairs)]), "10.0.0.1");
    }

    #[test]
    fn of_one_pair_it_is_not_known_which_was_watched_unless_the_sensor_is_called_so() {
        let pair = log(&[("10.0.0.1", "10.0.0.2")]);
        assert_eq!(watched(std::slice::from_ref(&pair)), "");
        assert_eq!(watched(&[Capture { sensor: [address("10.0.0.2")].into(), ..pair }]), "10.0.0.2");
        // or unless one of them lives beyond a router
        assert_eq!(watched(&[capture(&[("10.0.0.1", "10.9.0.2")], &[("10.0.0.1", 1)])]), "10.0.0.1");
    }

    #[test]
    fn where_many_pass_those_who_live_there_were_watched() {
        assert_eq!(watched(&[log(&TRUNK)]), "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5");
        let beyond = [&TRUNK[..], &[("10.0.0.1", "10.9.0.1"), ("10.0.0.3", "10.9.0.1")]].concat();
        let stations = [("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3), ("10.0.0.4", 4)];
        assert_eq!(watched(&[capture(&beyond, &stations)]), "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4");
    }

    #[test]
    fn all_addresses_of_a_station_are_one() {
        let pairs =
            [("10.0.0.1", "10.9.0.1"), ("10.0.0.1", "10.9.0.2"), ("fd00::1", "fd00:9::1"), ("fd00::1", "fd00::fe")];
        let stations = [("10.0.0.1", 1), ("fd00::1", 1), ("fd00::fe", 9)];
        assert_eq!(watched(&[capture(&pairs, &stations)]), "10.0.0.1 fd00::1");
    }

    #[test]
    fn what_one_capture_saw_on_its_way_another_does_not_make_whole() {
        let at_one = capture(&[("10.0.0.1", "10.1.0.9"), ("10.0.0.1", "10.1.0.8")], &[("10.0.0.1", 1)]);
        let elsewhere = capture(
            &[("10.2.0.1", "10.1.0.9"), ("10.2.0.2", "10.2.0.3")],
            &[("10.2.0.1", 1), ("10.2.0.2", 2), ("10.2.0.3", 3)],
        );
        let both = watched(&[at_one, elsewhere]);
        assert!(both.contains("10.0.0.1") && !both.contains("10.1.0.9"), "{both}");
    }

    #[test]
    fn who_talks_with_the_busiest_alone_may_talk_with_others_elsewhere() {
        let pairs =
            [("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.3"), ("10.0.0.1", "10.0.0.4"), ("10.0.0.3", "10.0.0.4")];
        assert_eq!(watched(&[log(&pairs)]), "10.0.0.1 10.0.0.3 10.0.0.4");
    }

    #[test]
    fn who_lives_where_many_pass_was_watched_only_with_frames_to_a_router() {
        let stations = [("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3), ("10.0.0.4", 4), ("10.0.0.5", 5)];
        let mut trunk = capture(&TRUNK, &stations);
        trunk.routed.retain(|mac| mac.0[5] > 2);
        assert_eq!(watched(&[trunk]), "10.0.0.3 10.0.0.4 10.0.0.5");
    }

    #[test]
    fn without_any_mac_the_busiest_may_be_beyond_the_tunnel() {
        let pairs = [("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.3"), ("10.0.0.1", "10.0.0.4")];
        let bare = capture(&pairs, &[]);
        assert_eq!(watched(std::slice::from_ref(&bare)), "");
        assert_eq!(watched(&[Capture { sensor: [address("10.0.0.1")].into(), ..bare }]), "10.0.0.1");
    }

    #[test]
    fn a_sweep_does_not_make_the_one_who_sweeps_the_place() {
        let stations = [("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3), ("10.0.0.4", 4), ("10.0.0.5", 5)];
        let sweep = (1..200).map(|n| (address("10.0.0.9"), IpAddr::from([10, 1, 0, n])));
        let mut trunk = capture(&TRUNK, &[&stations[..], &[("10.0.0.9", 9)]].concat());
        trunk.attempts = sweep.collect();
        assert_eq!(watched(&[trunk]), "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.9");
    }
}
