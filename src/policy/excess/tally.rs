//! What is open beside what is needed, and by which rules: actors that no policy tells apart are counted together.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use foldhash::HashMap;

use super::{
    Excess, Wide,
    stage::{Actor, Service, Stage},
};
use crate::policy::{Classes, Evaluator, PolicyType, classes::Open};

/// How many of the widest rules are named.
const NAMED: usize = 10;

/// Actors that no policy tells apart.
struct Group {
    /// One of them.
    like: usize,
    size: u64,
    kinds: Vec<usize>,
}

/// Cells between two groups on one port.
#[derive(Clone, Copy, Default)]
struct Needs {
    /// Needed ones.
    needed: u64,
    /// Of these, those that lead to a port which was seen used from outside.
    exposed: u64,
}

/// The count.
pub(super) struct Tally<'a> {
    stage: &'a Stage,
    classes: &'a Classes,
    evaluator: &'a Evaluator<'a>,
    /// Whether the rules are to be found that allow it.
    with_rules: bool,
    groups: Vec<Group>,
    /// For each actor its group.
    group_of: Vec<usize>,
    /// What is needed between groups: of most pairs nothing is.
    needs: HashMap<(usize, usize), HashMap<Service, Needs>>,
    /// How many servers of a group were seen used from outside on a port.
    exposed: HashMap<(usize, Service), u64>,
    extra: u64,
    by_rule: BTreeMap<String, u64>,
    /// The ports that are open, of those that count: few sets differ.
    counted: HashMap<Open, Rc<[Service]>>,
}

impl<'a> Tally<'a> {
    pub fn new(stage: &'a Stage, classes: &'a Classes, evaluator: &'a Evaluator<'a>, with_rules: bool) -> Self {
        let mut places: HashMap<_, usize> = HashMap::default();
        let mut groups: Vec<Group> = Vec::new();
        let mut group_of = Vec::with_capacity(stage.actors.len());
        for (n, actor) in stage.actors.iter().enumerate() {
            let kinds = classes.kinds_of(actor.ends.clone());
            let key = (actor.is_in_scope, actor.is_outside, actor.piece_of, kinds.clone());
            let place = *places.entry(key).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group { like: n, size: 0, kinds });
            }
            groups[place].size = if actor.piece_of.is_some() { 1 } else { groups[place].size + 1 };
            group_of.push(place);
        }
        let mut needs: HashMap<_, HashMap<Service, Needs>> = HashMap::default();
        for (from, to, service) in &stage.needed {
            let between = needs.entry((group_of[*from], group_of[*to])).or_default();
            let need = between.entry(*service).or_default();
            need.needed += 1;
            need.exposed += u64::from(stage.exposed.contains(&(*to, *service)));
        }
        let mut exposed: HashMap<_, u64> = HashMap::default();
        for (server, service) in &stage.exposed {
            *exposed.entry((group_of[*server], *service)).or_default() += 1;
        }
        let (extra, by_rule, counted) = Default::default();
        Self { stage, classes, evaluator, with_rules, groups, group_of, needs, exposed, extra, by_rule, counted }
    }

    pub fn count(mut self) -> Excess {
        for from in 0..self.groups.len() {
            for to in 0..self.groups.len() {
                self.pair(from, to);
            }
        }
        let is_denied = |(from, to, (protocol, port)): &&(usize, usize, Service)| {
            let [from, to] = [from, to].map(|actor| &self.groups[self.group_of[*actor]].kinds);
            let mut pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
            !pairs.any(|(from, to)| self.classes.meets(from, to) && self.classes.allows(from, to, *protocol, *port))
        };
        let denied = self.stage.needed.iter().filter(is_denied).count() as u64;
        let needed = self.stage.needed.len() as u64;
        let mut widest: Vec<Wide> = self.by_rule.into_iter().map(|(rule, extra)| Wide { rule, extra }).collect();
        widest.sort_by(|a, b| b.extra.cmp(&a.extra).then_with(|| a.rule.cmp(&b.rule)));
        widest.truncate(NAMED);
        let over_permission = ratio(needed + self.extra, needed);
        Excess { needed, denied, extra: self.extra, over_permission, widest }
    }

    /// Counts what is open from the actors of one group to those of another and not needed.
    fn pair(&mut self, from: usize, to: usize) {
        let [client, server] = [from, to].map(|group| &self.stage.actors[self.groups[group].like]);
        if !(client.is_in_scope || server.is_in_scope) {
            return;
        }
        let [clients, servers] = [from, to].map(|group| self.groups[group].size);
        let pairs = clients * servers - if from == to { clients } else { 0 };
        let open = self.open(from, to);
        let needs = self.needs.get(&(from, to));
        if needs.is_none() && !client.is_outside && !self.with_rules {
            self.extra += pairs * open.len() as u64;
            return;
        }
        let extra = |service: &Service| {
            let needs = needs.and_then(|needs| needs.get(service)).copied().unwrap_or_default();
            let mut not_extra = needs.needed;
            if client.is_outside {
                // who else comes from outside to a port that is used from there needs it as well
                let exposed = self.exposed.get(&(to, *service)).copied().unwrap_or_default();
                not_extra += exposed * clients - needs.exposed;
            }
            (*service, pairs.saturating_sub(not_extra))
        };
        let extra: Vec<(Service, u64)> = open.iter().map(extra).filter(|(_, count)| *count > 0).collect();
        self.extra += extra.iter().map(|(_, count)| count).sum::<u64>();
        if self.with_rules && !extra.is_empty() {
            self.blame(PolicyType::Egress, (client, server), &called(client, clients), &extra);
            self.blame(PolicyType::Ingress, (client, server), &called(server, servers), &extra);
        }
    }

    /// The ports that are open between any actors of two groups, in order.
    fn open(&mut self, from: usize, to: usize) -> Rc<[Service]> {
        let [from, to] = [from, to].map(|group| self.groups[group].kinds.clone());
        let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
        let possible = pairs.filter(|(from, to)| self.classes.meets(*from, *to));
        let mut opens: Vec<Open> = possible.map(|(from, to)| self.classes.open(from, to)).collect();
        opens.sort_unstable();
        opens.dedup();
        if let [open] = opens[..] {
            return self.counted(open);
        }
        let all: Vec<Rc<[Service]>> = opens.into_iter().map(|open| self.counted(open)).collect();
        let all: BTreeSet<Service> = all.iter().flat_map(|services| services.iter().copied()).collect();
        all.into_iter().collect()
    }

    fn counted(&mut self, open: Open) -> Rc<[Service]> {
        let (classes, ports) = (self.classes, &self.stage.ports);
        let count = || {
            let common = classes.common(open);
            ports.iter().filter(|(protocol, port)| common.contains(*protocol, *port)).copied().collect()
        };
        Rc::clone(self.counted.entry(open).or_insert_with(count))
    }

    /// Adds to the rules of one side what they allow of it.
    fn blame(
        &mut self,
        direction: PolicyType,
        (client, server): (&Actor, &Actor),
        subjects: &str,
        extra: &[(Service, u64)],
    ) {
        let ends = &self.stage.ends;
        let subject = if direction == PolicyType::Egress { client } else { server };
        if subject.is_outside {
            return;
        }
        let (from, to) = (&ends[client.ends.start], &ends[server.ends.start]);
        let openings = self.evaluator.openings(direction, from, to);
        if !self.classes.isolates(direction, self.classes.kind(subject.ends.start)) {
            let is_by_rule = |(protocol, port): &Service| openings.iter().any(|(_, it)| it.contains(*protocol, *port));
            let others = extra.iter().filter(|(service, _)| !is_by_rule(service));
            let count = others.map(|(_, count)| count).sum::<u64>();
            if subject.is_in_scope && count > 0 {
                let word = format!("{subjects}: {} is not isolated", direction.as_str());
                *self.by_rule.entry(word).or_default() += count;
            }
        }
        for (rule, ports) in openings {
            let allowed = extra.iter().filter(|((protocol, port), _)| ports.contains(*protocol, *port));
            let count: u64 = allowed.map(|(_, count)| count).sum();
            if count > 0 {
                *self.by_rule.entry(rule.to_string()).or_default() += count;
            }
        }
    }
}

/// What a group is called.
fn called(like: &Actor, size: u64) -> String {
    if size > 1 { format!("{} and {} like it", like.name, size - 1) } else { like.name.clone() }
}

/// To three places; none where there is nothing to compare with.
fn ratio(all: u64, needed: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "cells stay far below 2^52")]
    let ratio = |all: u64, needed: u64| (all as f64 / needed as f64 * 1e3).round() / 1e3;
    (needed > 0).then(|| ratio(all, needed))
}
