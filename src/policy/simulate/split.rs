//! Dependencies that policies allow between some of their pods alone: told by who of them talked with whom.

use std::collections::BTreeMap;

use foldhash::HashMap;

use super::{Finding, Past, Replay, Ruling, Simulation, finding};
use crate::{
    model::{Dependency, Party, Protocol},
    policy::{Evaluator, Roster},
};

/// Who talked with whom, pod by pod.
pub struct Detail<'a> {
    /// Who is who.
    pub roster: &'a Roster<'a>,
    /// Who talked with whom by address; asked for where it is needed, for there may be many.
    pub by_address: &'a dyn Fn() -> &'a [Dependency],
}

/// Judges dependencies by their parts, and sums up what is said of them.
pub(super) fn judge(
    wholes: &[&Dependency],
    evaluator: &Evaluator<'_>,
    detail: &Detail<'_>,
    simulation: &mut Simulation,
) {
    let mut by_port: HashMap<(Protocol, u16), Vec<&Dependency>> = HashMap::default();
    for part in (detail.by_address)() {
        by_port.entry((part.protocol, part.port)).or_default().push(part);
    }
    for whole in wholes {
        let parts = by_port.get(&(whole.protocol, whole.port)).into_iter().flatten();
        let parts: Vec<Dependency> = parts.filter_map(|part| part_of(part, whole)).collect();
        let is_all = parts.iter().map(|part| part.connections).sum::<u64>() == whole.connections;
        // where they do not add up it cannot be told: addresses changed hands, or a sample was taken
        let parts = if is_all { parts } else { vec![(*whole).clone()] };
        add(&parts, whole, (evaluator, detail.roster), simulation);
    }
}

fn add(
    parts: &[Dependency],
    whole: &Dependency,
    (evaluator, roster): (&Evaluator<'_>, &Roster<'_>),
    simulation: &mut Simulation,
) {
    let past = Past::new(parts, roster);
    let mut replay = Replay::new(&past, evaluator);
    let mut own = Simulation::default();
    for row in &past.rows {
        let outcome = replay.outcome(row);
        replay.count(row, outcome, &mut own);
    }
    simulation.connections += own.connections;
    simulation.allowed += own.allowed;
    simulation.denied += own.denied;
    simulation.uncertain += own.uncertain;
    simulation.also_closed += own.also_closed;
    simulation.findings.extend(together(own.findings, whole));
    simulation.closed.extend(together(own.closed, whole));
}

/// One for each verdict, with the first of its reasons.
fn together(mut findings: Vec<Finding>, whole: &Dependency) -> impl Iterator<Item = Finding> {
    findings.sort();
    let mut by_verdict: BTreeMap<Ruling, Finding> = BTreeMap::new();
    for one in findings {
        let Finding { verdict, connections, reason, .. } = one;
        let sum =
            by_verdict.entry(verdict).or_insert_with(|| Finding { connections: 0, ..finding(whole, verdict, reason) });
        sum.connections += connections;
    }
    by_verdict.into_values()
}

/// A dependency by address as a part of one by workload, by whose names its ends go.
fn part_of(part: &Dependency, whole: &Dependency) -> Option<Dependency> {
    let is_like = (&part.site, part.protocol, part.port, part.outcome, &part.marks)
        == (&whole.site, whole.protocol, whole.port, whole.outcome, &whole.marks);
    let is_of = |part: &Party, whole: &Party| part.kind == whole.kind && part.addresses.is_subset(&whole.addresses);
    if !is_like || !is_of(&part.client, &whole.client) || !is_of(&part.server, &whole.server) {
        return None;
    }
    let party = |part: &Party, whole: &Party| Party {
        kind: whole.kind,
        name: whole.name.clone(),
        owner: whole.owner.clone(),
        addresses: part.addresses.clone(),
        names: Vec::new(),
    };
    let (client, server) = (party(&part.client, &whole.client), party(&part.server, &whole.server));
    Some(Dependency { client, server, ..part.clone() })
}
