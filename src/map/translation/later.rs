//! Streams that one capture met in their middle behind a translation which another capture saw from before: known not by their
//! first numbers, but by where both sides stood.

use foldhash::HashMap;

use super::{Passage, join_stages, overlap};
use crate::{
    inventory::Directory,
    map::connections::{Connection, End, is_stream},
    model::{Direction, Protocol, Trace},
};

/// Ends with more connections are not looked through for each other.
const FEW: usize = 32;

/// An end, and whether it is the server.
type At = (Protocol, End, bool);

/// Joins them, where no other stream at the same client or server fits.
pub(super) fn join(connections: Vec<Connection>, directory: &Directory) -> Vec<Connection> {
    let met: Vec<usize> = (0..connections.len()).filter(|n| is_met_later(&connections[*n])).collect();
    if met.is_empty() {
        return connections;
    }
    let by_end = by_end(&connections, &met);
    let mut connections: Vec<Option<Connection>> = connections.into_iter().map(Some).collect();
    let mut done = Vec::with_capacity(connections.len());
    for n in met {
        let Some(other) = only_other(&connections, n, &by_end) else { continue };
        let stages: Vec<Connection> = [n, other].into_iter().filter_map(|n| connections[n].take()).collect();
        join_stages(Passage { stages, is_only: true }, directory, &mut done);
    }
    done.extend(connections.into_iter().flatten());
    done
}

fn is_met_later(connection: &Connection) -> bool {
    connection.direction != Direction::Handshake && is_stream(connection.protocol) && is_known(&connection.trace)
}

/// Whether it is known where both sides stood.
fn is_known(trace: &Trace) -> bool {
    ![trace.identity, trace.src_end, trace.answer, trace.dst_end].contains(&0)
}

/// The ends of those that were met later, and who else has them.
fn by_end(connections: &[Connection], met: &[usize]) -> HashMap<At, Vec<usize>> {
    let at = |it: &Connection| [(it.protocol, it.client, false), (it.protocol, it.server, true)];
    let mut by_end: HashMap<At, Vec<usize>> =
        met.iter().flat_map(|n| at(&connections[*n])).map(|at| (at, Vec::new())).collect();
    for (n, connection) in connections.iter().enumerate().filter(|(_, it)| is_known(&it.trace)) {
        for at in at(connection) {
            if let Some(known) = by_end.get_mut(&at).filter(|known| known.len() <= FEW) {
                known.push(n);
            }
        }
    }
    by_end
}

/// The only one of another end on one side, seen by other captures, whose stretches this one's begin in.
fn only_other(all: &[Option<Connection>], n: usize, by_end: &HashMap<At, Vec<usize>>) -> Option<usize> {
    let part = all[n].as_ref()?;
    let at = [(part.protocol, part.client, false), (part.protocol, part.server, true)];
    let near = at.iter().filter_map(|at| by_end.get(at)).filter(|known| known.len() <= FEW).flatten().copied();
    let mut fitting = near.filter(|other| all[*other].as_ref().is_some_and(|whole| is_whole_of(whole, part)));
    fitting.next().filter(|_| fitting.next().is_none())
}

fn is_whole_of(whole: &Connection, part: &Connection) -> bool {
    let (a, b) = (&whole.trace, &part.trace);
    let is_in = |number: u32, begin: u32, end: u32| number.wrapping_sub(begin) < end.wrapping_sub(begin);
    (whole.client == part.client) != (whole.server == part.server)
        && !whole.shares_run_with(part)
        && overlap(whole.span, part.span)
        && is_in(b.identity, a.identity, a.src_end)
        && is_in(b.answer, a.answer, a.dst_end)
}
