use askama::Template;

use super::{Frame, Line, ROWS, history::EntryRow, minute, overview, port, shown};
use crate::{
    model::{PartyKey, Watched, words::counted},
    policy::{Finding, PolicyType},
    proposal::Standing,
    recommend::Peer,
    render::{self, Permission, Purpose, Sheet, SheetRule, State},
    review::{
        decide::Version,
        edit::{self, EditError},
        fields::Fields,
        view::View,
    },
    yaml,
};

/// One policy: its rules with their evidence, and what can be decided of them.
#[derive(Template)]
#[template(path = "review/policy.html")]
pub(in crate::review) struct PolicyPage {
    frame: Frame,
    key: String,
    namespace: String,
    name: String,
    standing: &'static str,
    standing_class: &'static str,
    sentence: String,
    outdated: Option<(String, Vec<String>)>,
    notes: Vec<Line>,
    is_away: bool,
    can_edit: bool,
    version: String,
    sides: Vec<SideView>,
    refused: Option<Refused>,
    yaml: String,
    entries: Vec<EntryRow>,
}

/// What was asked of a rule and cannot be: the form comes back with what was typed.
pub(in crate::review) struct Refused {
    /// See [`edit::rule_ref`].
    rule: String,
    cidr: String,
    why: String,
}

impl Refused {
    pub fn new(fields: &Fields, error: &EditError) -> Self {
        let [rule, cidr] = ["rule", "cidr"].map(|name| fields.get(name).to_owned());
        Self { rule, cidr: shown(&cidr), why: shown(&error.to_string()) }
    }
}

struct SideView {
    id: &'static str,
    title: &'static str,
    rules: Vec<RuleView>,
}

#[expect(clippy::struct_excessive_bools, reason = "what a template asks, each by itself")]
struct RuleView {
    id: String,
    name: String,
    ports: Vec<PortView>,
    evidence: String,
    doubts: Vec<String>,
    seen_title: String,
    seen: Vec<(String, String)>,
    is_away: bool,
    has_away: bool,
    can_tier: bool,
    can_namespace: bool,
    is_addresses: bool,
}

impl RuleView {
    /// What was asked of this rule and cannot be.
    fn refused<'page>(&self, refused: Option<&'page Refused>) -> Option<&'page Refused> {
        refused.filter(|refused| refused.rule == self.id)
    }
}

struct PortView {
    id: String,
    name: String,
    class: &'static str,
    word: &'static str,
    is_away: bool,
}

/// Evidence of one rule that is listed.
const MAX_SEEN: usize = 50;

impl PolicyPage {
    pub fn new(frame: Frame, view: &View, sheet: &Sheet, refused: Option<Refused>) -> Self {
        let (standing, standing_class) = overview::standing(view, sheet);
        let is_away = sheet.object.is_none();
        let side = |side: PolicyType, title: &'static str| {
            let rules = sheet.rules.iter().filter(|rule| rule.side == side).map(|rule| rule_view(view, sheet, rule));
            SideView { id: side.as_str(), title, rules: rules.collect() }
        };
        let mut sides = Vec::new();
        if sheet.purpose != Purpose::Deny && !sheet.is_open {
            if sheet.directions.has_ingress() {
                sides.push(side(PolicyType::Ingress, "May be reached by"));
            }
            if sheet.directions.has_egress() {
                sides.push(side(PolicyType::Egress, "May reach"));
            }
        }
        Self {
            key: sheet.key.to_string(),
            namespace: shown(&sheet.namespace),
            name: shown(&sheet.name),
            standing,
            standing_class,
            sentence: sentence(sheet),
            outdated: outdated(view, sheet),
            notes: notes(view, sheet),
            is_away,
            can_edit: !is_away && !matches!(sheet.purpose, Purpose::Deny | Purpose::Own) && !sheet.is_open,
            version: Version::of(view, &sheet.key).text(),
            sides,
            refused,
            yaml: document(view, sheet),
            entries: view.known.log.of(&sheet.key).rev().take(ROWS).map(|entry| EntryRow::new(view, entry)).collect(),
            frame,
        }
    }
}

fn sentence(sheet: &Sheet) -> String {
    let what = match sheet.purpose {
        Purpose::Deny => "Closes the whole namespace but for what the other policies allow.".to_owned(),
        Purpose::Dns => "Lets pods ask for names.".to_owned(),
        Purpose::Own => "A policy of a person's, kept as it is.".to_owned(),
        Purpose::Group => {
            let members: Vec<String> = sheet.members.iter().map(|it| format!("{} {}", it.kind, it.name)).collect();
            format!("For {}.", members.join(", "))
        }
    };
    shown(&format!("{what} Selects {}.", sheet.selects))
}

fn notes(view: &View, sheet: &Sheet) -> Vec<Line> {
    let mut notes = Vec::new();
    if sheet.object.is_none() {
        notes.push(Line::new("bad", "This policy was rejected: it is not written. Its pods may still be closed by the policy that closes the namespace."));
    }
    if sheet.is_open {
        notes.push(Line::new("doubt", "Left open: the captures could not see all that these pods do. They may reach and be reached by everything."));
    }
    match sheet.watched {
        Some(Watched::Partly) => {
            notes.push(Line::new("doubt", "Watched for a part of its time alone: it may need more than is here."));
        }
        Some(Watched::Unseen) => {
            notes.push(Line::new("doubt", "Never watched at its own side: it may need more than is here."));
        }
        _ => {}
    }
    let is_member = |party: &PartyKey| party.workload().is_some_and(|it| sheet.members.contains(&it));
    let is_about = |finding: &&Finding| is_member(&finding.from) || is_member(&finding.to);
    let broken: u64 = view.facts.replay.findings.iter().filter(is_about).map(|it| it.connections).sum();
    if broken > 0 {
        notes.push(Line::new(
            "bad",
            format!(
                "Of the past {} from or to its pods would be denied, or {} not certain.",
                counted(broken, "connection"),
                if broken == 1 { "is" } else { "are" }
            ),
        ));
    }
    notes
}

/// What became other since it was approved.
fn outdated(view: &View, sheet: &Sheet) -> Option<(String, Vec<String>)> {
    let content = view.contents.get(&sheet.key).map(String::as_str);
    let Standing::Outdated(entry) = view.known.log.standing(&sheet.key, content) else { return None };
    let now = sheet.object.as_ref()?;
    let words = format!(
        "{} approved it on {} as it was then. It is another by now, and counts as not approved:",
        entry.author,
        minute(entry.time)
    );
    let lines = render::differences(&entry.body.object, now);
    Some((shown(&words), lines.iter().map(|line| shown(line)).collect()))
}

fn document(view: &View, sheet: &Sheet) -> String {
    let Some(written) = view.proposal.policies.written.0.get(&sheet.key) else { return String::new() };
    let text = yaml::write(&written.object).unwrap_or_default();
    let head = written.head.iter().map(String::as_str);
    head.chain(text.lines()).map(shown).collect::<Vec<_>>().join("\n")
}

fn rule_view(view: &View, sheet: &Sheet, rule: &SheetRule) -> RuleView {
    let access = rule.access.as_ref();
    let seen = access.into_iter().flat_map(|access| &access.evidence).take(MAX_SEEN).map(|one| {
        let [client, server] = [&one.client, &one.server].map(|party| view.called(party));
        let (port, connections) = (port(one.protocol, one.port), counted(one.connections, "connection"));
        let words = format!("{client} to {server} on {port}: {connections}");
        (view.dependency_query((&one.client, &one.server), one.protocol, one.port), shown(&words))
    });
    let seen: Vec<(String, String)> = seen.collect();
    let in_all = access.map_or(0, |access| access.evidence.len());
    let is_pods = matches!(rule.peer, Some(Peer::Pods(_)));
    let is_range = |peer: &Option<Peer>| matches!(peer, Some(Peer::Addresses(_) | Peer::NodeAddress(_)));
    let doubts = access.map(|access| render::doubts(access, &view.facts)).unwrap_or_default();
    let doubts = doubts.iter().map(|doubt| shown(doubt)).collect();
    RuleView {
        id: edit::rule_ref(rule),
        name: shown(&rule.name),
        ports: rule.ports.iter().map(|port| port_view(rule, port)).collect(),
        evidence: match access {
            Some(access) => shown(&render::rests_on(access)),
            None if sheet.purpose == Purpose::Own => "as it stands in the folder".to_owned(),
            None => "added by a person: it rests on no traffic".to_owned(),
        },
        doubts,
        seen_title: if in_all > seen.len() {
            format!("What was seen (the first {} of {in_all})", seen.len())
        } else {
            "What was seen".to_owned()
        },
        seen,
        is_away: !rule.is_in_force(),
        has_away: rule.ports.iter().any(|port| port.state == State::Rejected),
        can_tier: is_pods && edit::is_possible(view, sheet, rule, "widen-tier"),
        can_namespace: is_pods && edit::is_possible(view, sheet, rule, "widen-namespace"),
        is_addresses: is_range(&rule.peer)
            || rule.peer.is_none() && rule.peers.iter().all(|peer| peer["ipBlock"].is_object()),
    }
}

fn port_view(rule: &SheetRule, port: &render::SheetPort) -> PortView {
    let (class, word) = match port.state {
        State::Proposed => ("", ""),
        State::Added => ("edit", "added"),
        State::Rejected => ("bad", "removed"),
    };
    let peer = rule.peers.first().cloned().unwrap_or_default();
    let one = Permission::new(rule.side, peer, port.port.clone());
    PortView { id: edit::port_ref(&one), name: shown(&port.name), class, word, is_away: port.state == State::Rejected }
}
