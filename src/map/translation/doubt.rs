//! When equal numbers are no proof: made-up captures number all their connections alike.

use std::{collections::BTreeSet, net::IpAddr};

use foldhash::HashSet;

use super::{Passage, TRANSIT_ON_HOST_S, is_backend, is_service};
use crate::{
    inventory::{Directory, Owner},
    map::connections::{Connection, End},
    model::{Flags, Hops, Protocol, Trace},
};

/// A client's address is translated once, mostly; numbers under so many may be everybody's. Servers stand behind several, one
/// after the other.
const MANY_CLIENTS: usize = 3;

/// People and programs that make captures up count from small numbers, or from round ones.
const SMALL: u32 = 1 << 16;
const ROUND: u32 = 1_000;

/// What tells numbers that many have from those that one connection has.
pub(super) struct Doubt<'d> {
    directory: &'d Directory,
    /// Both sides' first numbers that were met under many clients, or at several times.
    repeated: HashSet<(Protocol, u32, u32)>,
}

impl<'d> Doubt<'d> {
    pub fn new(directory: &'d Directory) -> Self {
        Self { directory, repeated: HashSet::default() }
    }

    /// Notes whether both sides' numbers, which all these share, are those of several connections.
    pub fn learn(&mut self, passages: &[Passage]) {
        let [first, others @ ..] = passages else { return };
        let Some(any) = first.stages.first() else { return };
        // most numbers are of one sighting or two
        let are_many = || {
            let clients: BTreeSet<IpAddr> = first.stages.iter().map(|it| it.client.0).collect();
            clients.len() >= MANY_CLIENTS
        };
        if !others.is_empty() || first.stages.len() >= MANY_CLIENTS && are_many() {
            self.repeated.insert(numbers(any));
        }
    }

    /// Whether others have the numbers of two sightings, too.
    pub fn are_everybodys(&self, near: &Connection, far: &Connection) -> bool {
        [near, far].into_iter().any(|it| is_made_up(&it.trace) || self.repeated.contains(&numbers(it)))
    }

    /// Whether equal numbers of two sightings are no proof.
    pub fn is_of(&self, near: &Connection, far: &Connection) -> bool {
        self.are_everybodys(near, far) || self.are_known_apart(near, far)
    }

    /// Whether more than equal numbers tells that two sightings are of one connection: hops were lost on the way, or the one server
    /// stands behind the other.
    pub fn is_dispelled(&self, near: &Connection, far: &Connection) -> bool {
        near.client == far.client && is_backend(self.directory, near, far) || has_lost_hops(near, far)
    }

    /// Whether the clients or the servers are known, and two. Those of which each is a pod or a host of its own translate seldom.
    fn are_known_apart(&self, near: &Connection, far: &Connection) -> bool {
        let are_two = |a: End, b: End| {
            a.0 != b.0 && self.name(a, near).is_some_and(|name| self.name(b, far).is_some_and(|other| name != other))
        };
        are_two(near.client, far.client) || are_two(near.server, far.server) && !is_service(self.directory, near)
    }

    /// Which pod or host has an address alone: in which namespace, by what name.
    fn name(&self, end: End, connection: &Connection) -> Option<(String, String)> {
        match self.directory.who_over(end.0, connection.moment()) {
            Owner::Pod(pod) => Some((pod.namespace.clone(), pod.name.clone())),
            Owner::Host(host) if host.range.prefix_len() == host.range.max_prefix_len() => {
                Some((String::new(), host.name.clone().unwrap_or_else(|| host.range.to_string())))
            }
            _ => None,
        }
    }
}

fn numbers(connection: &Connection) -> (Protocol, u32, u32) {
    (connection.protocol, connection.trace.identity, connection.trace.answer)
}

/// Whether both sides' first numbers look chosen: kernels draw such a pair once in 200,000 times.
fn is_made_up(trace: &Trace) -> bool {
    let Trace { identity, answer, .. } = *trace;
    identity == answer || is_chosen(identity) && is_chosen(answer)
}

/// Whether a number looks chosen by somebody, not drawn. The first one past an opening is one more.
pub(super) fn is_chosen(number: u32) -> bool {
    number < SMALL || number % ROUND <= 1
}

/// Whether two connections were seen from their opening to their end, and ended at other numbers. A capture that lost packets may
/// have missed the last of one side.
pub(super) fn have_ended_apart(near: &Connection, far: &Connection, are_everybodys: bool) -> bool {
    let is_elsewhere = |a: u32, b: u32| a != 0 && b != 0 && a.wrapping_sub(b).min(b.wrapping_sub(a)) > 1;
    let (a, b) = (&near.trace, &far.trace);
    let sides = [is_elsewhere(a.src_end, b.src_end), is_elsewhere(a.dst_end, b.dst_end)];
    let is_apart = if are_everybodys { sides.contains(&true) } else { sides == [true; 2] };
    near.protocol == Protocol::TCP && is_whole(near) && is_whole(far) && is_apart
}

/// Whether two connections were seen from their opening to their end, and one lasted longer. Where several captures saw one of them,
/// the difference of their clocks adds to that.
pub(super) fn have_lasted_apart(near: &Connection, far: &Connection, (apart_s, behind_s): (f64, f64)) -> bool {
    let is_timed = |it: &Connection| is_whole(it) && it.runs().len() == 1;
    is_timed(near) && is_timed(far) && (behind_s - apart_s).abs() > TRANSIT_ON_HOST_S
}

fn is_whole(connection: &Connection) -> bool {
    let flags = connection.trace.flags;
    [Flags::ASKED, Flags::AGREED, Flags::CLOSED].into_iter().all(|flag| flags.has(flag))
}

/// Whether hop limits fell from one place to the other, and back for what came back: two clients at different distances have
/// answers from one.
fn has_lost_hops(near: &Connection, far: &Connection) -> bool {
    let fell = |before: Hops, after: Hops| {
        let are_seen = !before.is_none() && !after.is_none();
        are_seen.then_some(before.high > after.high)
    };
    let (forth, back) = (&near.trace, &far.trace);
    let ways = [fell(forth.hops_src, back.hops_src), fell(back.hops_dst, forth.hops_dst)];
    ways.contains(&Some(true)) && !ways.contains(&Some(false))
}
