//! What a change would do, before anybody decides on it: to the past, and to who can reach whom.

use std::collections::BTreeMap;

use super::view::View;
use crate::{
    model::{Dependency, Protocol},
    policy::{
        self, Change, Clients, Evaluator, Finding, Options, Outside, Question, Roster, Server, Servers, Simulation,
    },
    proposal::{Proposal, ProposalError, Site, changes, on_top},
    render::Step,
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
    pub before: Option<&'static str>,
    /// Whether it is allowed with the change: then the reason of the finding says by what.
    pub is_allowed: bool,
}

/// Rows of the past that are explained: each asks all policies.
const MAX_EXPLAINED: usize = 200;

impl Preview {
    pub fn new(view: &View, key: &str, steps: &[Step]) -> Result<Self, ProposalError> {
        let (proposal, replay) = view.with(key, steps)?;
        let site = view.site()?;
        let sets = [&view.proposal.set, &proposal.set].map(|set| on_top(set, &view.deployed));
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
        let evaluator = Evaluator::new(&proposal.set, &cluster.namespaces, Options::default());
        let outside = Outside::new(&[&evaluator], cluster, &site.directory.pod_ranges());
        Self { view, roster: Roster::new(cluster), evaluator, outside }
    }

    /// Findings that came, or are of another kind than before, and such as went.
    fn differences(&self, before: &[Finding], after: &[Finding]) -> Vec<Otherwise> {
        let (was, is) = (by_ends(before), by_ends(after));
        let other = |(key, now): (&Ends, &Vec<&Finding>)| {
            let then = was.get(key).and_then(|all| all.first()).map(|it| it.verdict);
            let is_other = now.first().map(|it| it.verdict) != then;
            let now = now.iter().filter(move |_| is_other);
            now.map(|it| Otherwise { finding: (*it).clone(), before: then, is_allowed: false }).collect::<Vec<_>>()
        };
        let mut all: Vec<Otherwise> = is.iter().flat_map(other).collect();
        let gone = was.iter().filter(|(key, _)| !is.contains_key(*key)).flat_map(|(_, all)| all);
        for (n, finding) in gone.enumerate() {
            let why = if n < MAX_EXPLAINED { self.why_allowed(finding) } else { None };
            let reason = why.unwrap_or_else(|| "no policy stands in its way any more".to_owned());
            let finding = Finding { reason, ..(*finding).clone() };
            all.push(Otherwise { before: Some(finding.verdict), finding, is_allowed: true });
        }
        all
    }

    /// By what a connection is allowed; none where its ends are not known.
    fn why_allowed(&self, finding: &Finding) -> Option<String> {
        let is_it = |it: &&Dependency| {
            it.client.name == finding.from
                && it.server.name == finding.to
                && (it.protocol, it.port) == (finding.protocol, finding.port)
        };
        let one = self.view.seen.dependencies.iter().find(is_it)?;
        let clients = self.roster.party(&one.client).ok()?;
        let server = |end| Server { end, port: one.port, dialled: None };
        let servers = self.roster.party(&one.server).ok()?.into_iter().map(|who| server(self.roster.end(who)));
        let question = Question {
            from: finding.from.clone(),
            clients: Clients::Ends(clients.into_iter().map(|who| self.roster.end(who)).collect()),
            to: finding.to.clone(),
            servers: Servers::Ends(servers.collect()),
            protocol: one.protocol,
            port: one.port,
        };
        let answer = policy::explain(&question, &self.evaluator, &self.outside)?;
        answer.allowed.then_some(answer.reason)
    }
}

/// Who, to whom, and on what.
type Ends<'f> = (&'f str, &'f str, Protocol, u16);

fn by_ends(findings: &[Finding]) -> BTreeMap<Ends<'_>, Vec<&Finding>> {
    let mut all: BTreeMap<Ends<'_>, Vec<&Finding>> = BTreeMap::new();
    for it in findings {
        all.entry((&it.from, &it.to, it.protocol, it.port)).or_default().push(it);
    }
    all
}
