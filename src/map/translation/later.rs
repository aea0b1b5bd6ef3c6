//! Streams that one capture met in their middle behind a translation which another capture saw from before: known not by their
//! first numbers, but by where both sides stood.

use std::ops::Range;

use foldhash::HashMap;

use super::{Passage, doubt::Doubt, join_stages, overlap};
use crate::{
    inventory::Directory,
    map::connections::{Connection, End},
    model::{Direction, Protocol, Trace},
};

/// Streams that begin at one end within the numbers of another are not looked through where they are more: then numbers tell
/// nothing.
const MANY: usize = 256;

/// Streams that stand at equal numbers are not looked through either where they are more.
const FEW: usize = 32;

/// Of one in so many streams that have nothing to do with each other the one begins within the numbers of the other, on both sides.
const CHANCE: u64 = 1 << 20;

/// Captures that end at about one time miss no more of a stream than this.
const APART_BYTES: u32 = 1 << 20;

/// Joins them, where no other stream fits.
pub(super) fn join(connections: Vec<Connection>, directory: &Directory, doubt: &Doubt<'_>) -> Vec<Connection> {
    let met: Vec<usize> = (0..connections.len()).filter(|n| is_met_later(&connections[*n])).collect();
    if met.is_empty() {
        return connections;
    }
    let mut connections: Vec<Option<Connection>> = connections.into_iter().map(Some).collect();
    let mut done = Vec::with_capacity(connections.len());
    for wholes in [at_an_end, with_equal_stands] {
        for (n, others) in wholes(&connections, &met) {
            let mut left = others.into_iter().filter(|other| connections[*other].is_some());
            let (Some(other), None, true) = (left.next(), left.next(), connections[n].is_some()) else { continue };
            let stages: Vec<Connection> = [n, other].into_iter().filter_map(|n| connections[n].take()).collect();
            join_stages(Passage { stages, is_only: true }, directory, doubt, &mut done);
        }
    }
    done.extend(connections.into_iter().flatten());
    done
}

fn is_met_later(connection: &Connection) -> bool {
    connection.direction != Direction::Handshake && connection.protocol.is_stream() && is_known(&connection.trace)
}

/// Whether it is known where both sides stood.
fn is_known(trace: &Trace) -> bool {
    ![trace.identity, trace.src_end, trace.answer, trace.dst_end].contains(&0)
}

/// Streams that were met later, each with those that it may be the rest of.
type Fitting = Vec<(usize, Vec<usize>)>;

/// An end, whether it is the server, and whether by the number of the server's side.
type At = (Protocol, End, bool, bool);

/// Of those of another end on one side.
fn at_an_end(all: &[Option<Connection>], met: &[usize]) -> Fitting {
    let parts = || met.iter().filter_map(|n| Some((*n, all[*n].as_ref()?)));
    let mut points: Vec<(At, u32, usize)> =
        parts().flat_map(|(n, it)| points(it).map(|(at, number)| (at, number, n))).collect();
    points.sort_unstable();
    let mut fitting: HashMap<usize, Vec<usize>> = HashMap::default();
    // how many stretches with too many begin, less those that end, at each point
    let mut crowds = vec![0_i32; points.len() + 1];
    for (n, whole) in known(all) {
        for within in stretches(whole).into_iter().flat_map(|(at, stretch)| within(&points, at, stretch)) {
            if within.len() > MANY {
                crowds[within.start] += 1;
                crowds[within.end] -= 1;
                continue;
            }
            for (.., part) in &points[within] {
                if all[*part].as_ref().is_some_and(|part| shares_one_end(whole, part) && is_whole_of(whole, part)) {
                    fitting.entry(*part).or_default().push(n);
                }
            }
        }
    }
    let mut depth = 0;
    for ((.., part), change) in points.iter().zip(&crowds) {
        depth += change;
        if depth > 0 {
            fitting.remove(part);
        }
    }
    in_order(fitting, met)
}

/// Those of which it is known where both sides stood.
fn known(all: &[Option<Connection>]) -> impl Iterator<Item = (usize, &Connection)> {
    let all = all.iter().enumerate().filter_map(|(n, it)| Some((n, it.as_ref()?)));
    all.filter(|(_, it)| is_known(&it.trace))
}

/// Where a part stands, at each of its ends and by the number of each side.
fn points(part: &Connection) -> [(At, u32); 4] {
    let Connection { protocol, client, server, ref trace, .. } = *part;
    let at = |end, is_server| [(end, is_server, false, trace.identity), (end, is_server, true, trace.answer)];
    let [[a, b], [c, d]] = [at(client, false), at(server, true)];
    [a, b, c, d].map(|(end, is_server, by_answer, number)| ((protocol, end, is_server, by_answer), number))
}

/// The numbers of a stream at each of its ends, of the side that sent less: fewer others lie in them.
fn stretches(whole: &Connection) -> [(At, (u32, u32)); 2] {
    let Connection { protocol, client, server, ref trace, .. } = *whole;
    let sides = [(trace.identity, trace.src_end), (trace.answer, trace.dst_end)];
    let [sent, answered] = sides.map(|(begin, end)| end.wrapping_sub(begin));
    let by_answer = answered < sent;
    let stretch = sides[usize::from(by_answer)];
    [(client, false), (server, true)].map(|(end, is_server)| ((protocol, end, is_server, by_answer), stretch))
}

/// The points in a stretch. Numbers wrap.
fn within(points: &[(At, u32, usize)], at: At, (begin, end): (u32, u32)) -> [Range<usize>; 2] {
    let before = |number: u32| points.partition_point(|point| (point.0, point.1) < (at, number));
    let behind_all = || points.partition_point(|point| point.0 <= at);
    if begin <= end {
        [before(begin)..before(end), 0..0]
    } else {
        [before(begin)..behind_all(), before(0)..before(end)]
    }
}

/// Of those under other ends on both sides: they must have been seen to stand at the same numbers when they ended.
fn with_equal_stands(all: &[Option<Connection>], met: &[usize]) -> Fitting {
    let stand = |it: &Connection| (it.protocol, it.trace.src_end, it.trace.dst_end);
    let parts = || met.iter().filter_map(|n| Some((*n, all[*n].as_ref()?)));
    let mut wholes: HashMap<_, Vec<usize>> = parts().map(|(_, part)| (stand(part), Vec::new())).collect();
    for (n, whole) in known(all) {
        if let Some(known) = wholes.get_mut(&stand(whole)).filter(|known| known.len() <= FEW) {
            known.push(n);
        }
    }
    let mut fitting: HashMap<usize, Vec<usize>> = HashMap::default();
    for (n, part) in parts() {
        let known = wholes.get(&stand(part)).filter(|known| known.len() <= FEW);
        let fits = |other: &usize| {
            let fits = |whole: &Connection| shares_no_end(whole, part) && is_whole_of(whole, part);
            *other != n && all[*other].as_ref().is_some_and(fits)
        };
        fitting.insert(n, known.into_iter().flatten().copied().filter(fits).collect());
    }
    in_order(fitting, met)
}

fn in_order(mut fitting: HashMap<usize, Vec<usize>>, met: &[usize]) -> Fitting {
    met.iter().filter_map(|n| fitting.remove_entry(n)).collect()
}

fn shares_one_end(whole: &Connection, part: &Connection) -> bool {
    (whole.client == part.client) != (whole.server == part.server)
}

fn shares_no_end(whole: &Connection, part: &Connection) -> bool {
    whole.client != part.client && whole.server != part.server
}

/// Whether a part was seen by other captures, and began where a stream stood meanwhile. Where that may be chance, for the stream was
/// long, it must have ended about there, too.
fn is_whole_of(whole: &Connection, part: &Connection) -> bool {
    let (a, b) = (&whole.trace, &part.trace);
    let (sent, answered) = (a.src_end.wrapping_sub(a.identity), a.dst_end.wrapping_sub(a.answer));
    let is_short = || (u64::from(sent) * u64::from(answered)) >> 32 <= (1 << 32) / CHANCE;
    let is_about = |one: u32, other: u32| one.wrapping_sub(other).min(other.wrapping_sub(one)) <= APART_BYTES;
    let ends_alike = || is_about(a.src_end, b.src_end) && is_about(a.dst_end, b.dst_end);
    b.identity.wrapping_sub(a.identity) < sent
        && b.answer.wrapping_sub(a.answer) < answered
        && (is_short() || ends_alike())
        && overlap(whole.span, part.span)
        && !whole.shares_run_with(part)
}
