//! What a change would do, before anybody decides on it: to the past, and to who can reach whom.

use std::collections::BTreeMap;

use super::view::View;
use crate::{
    model::{Dependency, PartyKey, Protocol},
    policy::{
        self, Change, Clients, Evaluator, Finding, Options, Outside, Question, Roster, Ruling, Server, Servers,
        Simulation,
    },
    proposal::{Proposal, ProposalError, Site, changes},
    render::{PolicyKey, Step},
};

/// What a decision would change.
pub(super) struct Preview {
    pub proposal: Proposal,
    pub replay: Simulation,
    /// What of the past is decided otherwise.
    pub findings: Vec<Otherwise>,
    /// Who can reach whom otherwise than with the proposal as it is now.
    pub changes: Vec<Change>,
}

/// A connection of the past that is decided otherwise, as it would be decided with the change.
pub(super) struct Otherwise {
    pub finding: Finding,
    /// What was said to it before; none where it was allowed.
    pub before: Option<Ruling>,
    /// Whether it is allowed with the change: then the reason of the finding says by what.
    pub is_allowed: bool,
}

/// Rows of the past that are explained: each asks all policies.
const MAX_EXPLAINED: usize = 200;

impl Preview {
    pub fn new(view: &View, key: &PolicyKey, steps: &[Step]) -> Result<Self, ProposalError> {
        let (proposal, replay) = view.with(key, steps)?;
        let site = view.site()?;
        let sets = [&view.proposal.set, &proposal.set].map(|set| set.on_top_of(&view.deployed));
        let changes = changes((site, &Roster::new(site.cluster())), &sets[0], &sets[1]);
        let findings = Past::new(view, site, &proposal).differences(&view.facts.replay.findings, &replay.findings);
        Ok(Self { proposal, replay, findings, changes })
    }
}

/// The past, to be asked why of it something is allowed.
struct Past<'a> {
    view: &'a View,
    roster: Roster<'a>,
    evaluator: Evaluator<'a>,
    outside: Outside,
}

impl<'a> Past<'a> {
    fn new(view: &'a View, site: &'a Site, proposal: &'a Proposal) -> Self {
        let cluster = site.cluster();
        let evaluator = Evaluator::of_cluster(&proposal.set, cluster, Options::default());
        let outside = Outside::new(&[&evaluator], cluster, &site.directory.pod_ranges());
        Self { view, roster: Roster::new(cluster), evaluator, outside }
    }

    /// Of what connections more is denied or uncertain than before, and of what less.
    fn differences(&self, before: &[Finding], after: &[Finding]) -> Vec<Otherwise> {
        let (was, is) = (by_ends(before), by_ends(after));
        let none = Verdicts::new();
        let mut all = Vec::new();
        for (ends, now) in &is {
            let then = was.get(ends).unwrap_or(&none);
            for (verdict, finding) in now {
                let more = finding.connections.saturating_sub(then.get(verdict).map_or(0, |it| it.connections));
                if more > 0 {
                    let finding = Finding { connections: more, ..finding.clone() };
                    let before = then.keys().next().copied().filter(|_| !then.contains_key(verdict));
                    all.push(Otherwise { finding, before, is_allowed: false });
                }
            }
        }
        let mut explained = 0;
        for (ends, then) in &was {
            let sum = |verdicts: &Verdicts| verdicts.values().map(|it| it.connections).fold(0, u64::saturating_add);
            let fewer = sum(then).saturating_sub(is.get(ends).map_or(0, sum));
            let Some(finding) = then.values().next().filter(|_| fewer > 0) else { continue };
            explained += 1;
            let why = if explained <= MAX_EXPLAINED { self.why_allowed(finding) } else { None };
            let reason = why.unwrap_or_else(|| "no policy stands in its way any more".to_owned());
            let finding = Finding { connections: fewer, reason, ..finding.clone() };
            all.push(Otherwise { before: Some(finding.verdict), finding, is_allowed: true });
        }
        all
    }

    /// By what a connection is allowed; none where its ends are not known.
    fn why_allowed(&self, finding: &Finding) -> Option<String> {
        let is_it = |it: &&Dependency| {
            finding.from.is(&it.client)
                && finding.to.is(&it.server)
                && (it.protocol, it.port) == (finding.protocol, finding.port)
        };
        let one = self.view.seen.dependencies.iter().find(is_it)?;
        let clients = self.roster.party(&one.client).ok()?;
        let server = |end| Server { end, port: one.port, dialled: None };
        let servers = self.roster.party(&one.server).ok()?.into_iter().map(|who| server(self.roster.end(who)));
        let question = Question {
            from: finding.from.name.clone(),
            clients: Clients::Ends(clients.into_iter().map(|who| self.roster.end(who)).collect()),
            to: finding.to.name.clone(),
            servers: Servers::Ends(servers.collect()),
            protocol: one.protocol,
            port: one.port,
        };
        let answer = policy::explain(&question, &self.evaluator, &self.outside)?;
        answer.allowed.then_some(answer.reason)
    }
}

/// Who, to whom, and on what.
type Ends<'f> = (&'f PartyKey, &'f PartyKey, Protocol, u16);

/// For each verdict but that it is allowed the first finding, with the connections of all.
type Verdicts = BTreeMap<Ruling, Finding>;

fn by_ends(findings: &[Finding]) -> BTreeMap<Ends<'_>, Verdicts> {
    let mut all: BTreeMap<Ends<'_>, Verdicts> = BTreeMap::new();
    for it in findings {
        let verdicts = all.entry((&it.from, &it.to, it.protocol, it.port)).or_default();
        let sum = verdicts.entry(it.verdict).or_insert_with(|| Finding { connections: 0, ..it.clone() });
        sum.connections = sum.connections.saturating_add(it.connections);
    }
    all
}
