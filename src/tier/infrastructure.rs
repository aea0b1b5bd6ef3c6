//! Which roles are infrastructure: what the others need or are watched by, whatever their work is.
//!
//! A role is known by those that are left when infrastructure is taken away: what calls nobody but a name server calls
//! nobody, and a monitor that is itself managed is called by none. So it is looked again, with what was found left out, until
//! nothing more is found. A round sees only what the rounds before it have found: no order of roles matters.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    calls::{Calls, Space},
    graph::Graph,
    ports::{self, Need},
    token::Service,
};

/// A service that everybody needs is used by so many; or by a quarter of all, in small networks.
const MANY_CLIENTS: usize = 3;
/// Monitoring and management reach at least this share of the other roles, in percent, and no fewer than so many ...
const REACH_PERCENT: usize = 60;
const MIN_REACHED: usize = 3;
/// ... and so many endpoints for each that it has: few watch many, where of clients there are many.
const REACHED_EACH: usize = 2;
/// Fewer roles are enough where one of the ports is one of figures, and nobody else reads it.
const MIN_WATCHED: usize = 2;
/// What everybody needs, such as a registry, is called by at least this share of the other endpoints, in percent, by no
/// fewer than so many, and by those of so many roles: whom one role calls, that role needs, and not everybody.
const HUB_PERCENT: usize = 66;
const MIN_CALLERS: usize = 4;
const MIN_KINDS: usize = 3;

/// The roles that are infrastructure, each with why.
pub(super) struct Infrastructure {
    because: BTreeMap<usize, String>,
    /// Those that read figures of others, or manage them.
    watchers: BTreeSet<usize>,
}

/// What a round of looking goes by.
struct Look<'l> {
    graph: &'l Graph,
    roles: &'l [Vec<u32>],
    calls: &'l Calls,
    found: &'l Infrastructure,
    /// Roles that have to do with others in scope, those left out that are known to be infrastructure.
    busy: usize,
    /// Endpoints by namespace, likewise.
    seen: BTreeMap<Space, usize>,
}

impl Infrastructure {
    /// Of the roles whose tier no operator gave; `given` are those whom one calls infrastructure.
    pub fn find(graph: &Graph, roles: &[Vec<u32>], calls: &Calls, given: &BTreeMap<usize, bool>) -> Self {
        let own = || given.iter().filter(|(_, is_infrastructure)| **is_infrastructure).map(|(role, _)| *role);
        let mut found = Self { because: own().map(|role| (role, String::new())).collect(), watchers: own().collect() };
        loop {
            let look = Look::new(graph, roles, calls, &found);
            let is_open = |role: &usize| !found.has(*role) && !given.contains_key(role);
            let open: Vec<usize> = (0..roles.len()).filter(is_open).collect();
            let watching: BTreeMap<usize, String> =
                open.iter().filter_map(|role| Some((*role, look.watching(*role)?))).collect();
            let hubs = look.hubs(&open);
            let other = |role: &usize| {
                let because = look.needed(*role).or_else(|| watching.get(role).cloned());
                Some((*role, because.or_else(|| look.other(*role)).or_else(|| hubs.get(role).cloned())?))
            };
            let new: Vec<(usize, String)> = open.iter().filter_map(other).collect();
            if new.is_empty() {
                return found;
            }
            let watchers: Vec<usize> = watching.into_keys().collect();
            found.watchers.extend(watchers);
            found.because.extend(new);
        }
    }

    pub fn has(&self, role: usize) -> bool {
        self.because.contains_key(&role)
    }

    /// Why a role is infrastructure.
    pub fn because(&self, role: usize) -> Option<&String> {
        self.because.get(&role)
    }
}

impl<'l> Look<'l> {
    fn new(graph: &'l Graph, roles: &'l [Vec<u32>], calls: &'l Calls, found: &'l Infrastructure) -> Self {
        let busy = (0..roles.len()).filter(|role| !found.has(*role) && calls.is_busy(*role)).count();
        Self { graph, roles, calls, found, busy, seen: calls.seen(|role| found.has(role)) }
    }

    fn is_known(&self, role: usize) -> bool {
        self.found.has(role)
    }

    /// Those of some roles that are not known to be infrastructure.
    fn others(&self, roles: &BTreeSet<usize>) -> impl Iterator<Item = usize> {
        roles.iter().copied().filter(|role| !self.is_known(*role))
    }

    fn is_entered(&self, role: usize) -> bool {
        let is_opened = |member: &u32| self.graph.members[*member as usize].opened_by.is_some();
        !self.calls.entered[role].is_empty() || self.roles[role].iter().any(is_opened)
    }

    /// Who serves what everybody needs to many, or to anybody inside and nothing else.
    fn needed(&self, role: usize) -> Option<String> {
        let served = &self.calls.served[role];
        let mut clients: BTreeMap<Need, BTreeSet<u32>> = BTreeMap::new();
        for (service, users) in served {
            if let Some(need) = ports::need(*service) {
                clients.entry(need).or_default().extend(&users.endpoints);
            }
        }
        let many = MANY_CLIENTS.min(self.graph.members.len() / 4).max(1);
        let is_said = |service: &Service| ports::need(*service).is_some() || ports::is_figures(*service);
        let is_alone = self.calls.entered[role].is_empty() && served.keys().all(is_said);
        let need = clients.iter().find(|(_, clients)| is_alone || clients.len() >= many);
        need.map(|(need, _)| need.told().to_owned())
    }

    /// Who reads figures or manages.
    fn watching(&self, role: usize) -> Option<String> {
        if self.is_entered(role) {
            return None;
        }
        let is_called = self.others(&self.calls.from[role]).next().is_some();
        if is_called {
            let beside = || {
                let told = "it alone reads figures beside the work of others: monitoring";
                self.watches_beside(role).then(|| told.to_owned())
            };
            return self.leads_on(role).or_else(beside);
        }
        let by = if self.calls.from[role].is_empty() { "none" } else { "none but infrastructure" };
        if let Some((reached, others)) = self.reaches_all(role, &|_| true) {
            let told =
                format!("it calls {reached} of {others} other roles and is called by {by}: monitoring or management");
            return Some(told);
        }
        let is_called = if by == "none" { "nobody calls it" } else { "infrastructure alone calls it" };
        self.watches(role).then(|| format!("it alone reads a port of metrics, and {is_called}: monitoring"))
    }

    /// A jump host: administrators call it to administer, and it does so with nearly everybody.
    fn leads_on(&self, role: usize) -> Option<String> {
        let administers = |client, server| self.calls.between(client, server).any(ports::is_administration);
        let is_used = |user: usize| !self.calls.between(user, role).all(ports::is_administration);
        if self.others(&self.calls.from[role]).any(is_used) {
            return None;
        }
        let (reached, others) = self.reaches_all(role, &|to| administers(role, to))?;
        Some(format!("it administers {reached} of {others} other roles, and is called for that alone: management"))
    }

    /// Who calls nearly everybody, of those that count, and most of them for more than what stores serve: who needs several
    /// stores is an application of theirs. Gives how many roles, of how many.
    fn reaches_all(&self, role: usize, counts: &dyn Fn(usize) -> bool) -> Option<(usize, usize)> {
        let others = self.busy - usize::from(self.calls.is_busy(role));
        let is_stored = |to: &usize| self.calls.between(role, *to).all(ports::is_store);
        let reached: Vec<usize> = self.others(&self.calls.to[role]).filter(|to| counts(*to)).collect();
        let stores = reached.iter().filter(|to| is_stored(to)).count();
        let reached = reached.len();
        let is_all = reached >= MIN_REACHED && reached * 100 >= others * REACH_PERCENT && stores * 2 < reached;
        (is_all && self.is_few(role)).then_some((reached, others))
    }

    fn is_few(&self, role: usize) -> bool {
        self.calls.reached(role, |to| self.is_known(to)) >= self.calls.size(role) * REACHED_EACH
    }

    /// Who reads a port of figures that nobody else calls, of one that has work of its own: a printer's is its work.
    fn watches(&self, role: usize) -> bool {
        let reads = |to: usize| self.reads_alone(role, to) && self.works(to, role);
        let reached = &self.calls.to[role];
        reached.len() >= MIN_WATCHED && self.is_few(role) && self.others(reached).any(reads)
    }

    /// Who reads figures of several that others call for something else, though dashboards call it itself.
    fn watches_beside(&self, role: usize) -> bool {
        let is_used = |to: usize| {
            let is_out = |user: usize| user == role || self.is_known(user);
            !self.calls.entered[to].is_empty() || self.calls.serves(to, |_| true, is_out)
        };
        let watched = self.others(&self.calls.to[role]).filter(|to| self.reads_alone(role, *to) && is_used(*to));
        let is_reader = |user: usize| {
            let asks_figures = self.calls.between(user, role).all(ports::is_figures);
            asks_figures || self.others(&self.calls.to[user]).all(|to| to == role)
        };
        watched.count() >= MIN_WATCHED && self.others(&self.calls.from[role]).all(is_reader)
    }

    /// Whether a role calls another on a port of figures on which no others do.
    fn reads_alone(&self, role: usize, to: usize) -> bool {
        let is_read = |service: &Service| {
            let users = self.calls.served[to].get(service);
            ports::is_figures(*service) && users.is_some_and(|users| self.others(&users.roles).all(|user| user == role))
        };
        self.calls.between(role, to).any(|service| is_read(&service))
    }

    /// Whether a role has to do with others than one.
    fn works(&self, role: usize, but: usize) -> bool {
        let calls = self.calls;
        !calls.entered[role].is_empty()
            || !calls.out[role].is_empty()
            || self.others(&calls.to[role]).chain(self.others(&calls.from[role])).any(|other| other != but)
    }

    /// Dashboards, alerts, and who gets datagrams and answers none.
    fn other(&self, role: usize) -> Option<String> {
        if self.is_entered(role) {
            return None;
        }
        let told = if self.is_sink(role) {
            "it gets datagrams and answers none: logs or metrics"
        } else if self.is_dashboard(role) {
            "it reads figures from monitoring, and calls nobody else"
        } else if self.takes_alerts(role) {
            "monitoring alone calls it, with alerts"
        } else {
            return None;
        };
        Some(told.to_owned())
    }

    /// A sink of logs or metrics: it answers nobody, but who watches it.
    fn is_sink(&self, role: usize) -> bool {
        let calls = self.calls;
        let is_answering = self.others(&calls.answers[role]).next().is_some();
        let is_asked = calls.from[role].iter().any(|from| !calls.answers[role].contains(from));
        is_asked && !is_answering && self.others(&calls.to[role]).next().is_none()
    }

    /// Who asks monitoring for figures and otherwise nobody but infrastructure.
    fn is_dashboard(&self, role: usize) -> bool {
        let asks =
            |to: &usize| self.found.watchers.contains(to) && self.calls.between(role, *to).any(ports::is_figures);
        let is_alone =
            [&self.calls.to[role], &self.calls.from[role]].iter().all(|all| self.others(all).next().is_none());
        is_alone && self.calls.to[role].iter().any(asks)
    }

    /// Alertmanager: it serves its port alone, to infrastructure alone.
    fn takes_alerts(&self, role: usize) -> bool {
        let calls = self.calls;
        let is_alone = calls.served[role].keys().all(|it| ports::is_figures(*it));
        let is_called = calls.from[role].iter().any(|from| {
            self.found.watchers.contains(from) && calls.between(*from, role).any(ports::is_kafka_or_alerts)
        });
        is_called && is_alone && self.others(&calls.from[role]).next().is_none()
    }

    /// Who is called by nearly everybody, calls nobody but infrastructure and others of this kind, and stores nothing.
    fn hubs(&self, open: &[usize]) -> BTreeMap<usize, String> {
        let is_free = |role: &&usize| !self.is_entered(**role) && !self.is_store(**role);
        let mut hubs: BTreeMap<usize, (usize, usize)> =
            open.iter().filter(is_free).filter_map(|role| Some((*role, self.called_by_all(*role)?))).collect();
        loop {
            let is_one = |role: usize| self.others(&self.calls.to[role]).all(|to| hubs.contains_key(&to));
            let gone: Vec<usize> = hubs.keys().copied().filter(|role| !is_one(*role)).collect();
            if gone.is_empty() {
                break;
            }
            hubs.retain(|role, _| !gone.contains(role));
        }
        let told = |role: usize, callers: usize, others: usize| {
            let whom = if self.calls.to[role].is_empty() { "nobody" } else { "nobody but infrastructure" };
            format!("{callers} of {others} others call it, and it calls {whom}")
        };
        hubs.into_iter().map(|(role, (callers, others))| (role, told(role, callers, others))).collect()
    }

    fn is_store(&self, role: usize) -> bool {
        is_store(self.calls, role, &|user| self.is_known(user))
    }

    /// How many call it, of how many.
    fn called_by_all(&self, role: usize) -> Option<(usize, usize)> {
        let callers = self.calls.callers(role, HUB_PERCENT, &self.seen, |other| self.is_known(other));
        let is_all = callers.endpoints >= MIN_CALLERS && callers.kinds >= MIN_KINDS;
        is_all.then_some((callers.endpoints, callers.of))
    }
}

/// Whether a role serves a port of stores; where Kafka and Alertmanager share one, several kinds of clients tell Kafka.
pub(super) fn is_store(calls: &Calls, role: usize, is_out: &dyn Fn(usize) -> bool) -> bool {
    let is_kafka = |service: &Service| {
        let users =
            calls.served[role].get(service).map_or(0, |it| it.roles.iter().filter(|user| !is_out(**user)).count());
        users + usize::from(calls.within[role].contains(service)) > 1
    };
    calls.served[role].keys().any(|it| ports::is_store(*it) || ports::is_kafka_or_alerts(*it) && is_kafka(it))
}
