use std::fmt::Write;

use askama::Template;

use crate::render::page::filters;

use super::{Figures, Frame, Line, choice::Choice, count, minute, shown};
use crate::{
    model::Watched,
    policy::PolicyType,
    proposal::Standing,
    render::{
        self, Level, Purpose, Sheet, State,
        page::{counted, grouped},
    },
    review::{decide::Version, fields::Fields, view::View},
};

/// All policies of a proposal, and the verdict on the past.
#[derive(Template)]
#[template(path = "review/overview.html")]
#[expect(clippy::struct_excessive_bools, reason = "what a template asks, each by itself")]
pub(in crate::review) struct Overview {
    frame: Frame,
    heading: String,
    sentence: String,
    replay: Figures,
    /// Whether more is denied, or cannot be told, with what is deployed besides.
    has_besides: bool,
    facts: Vec<Line>,
    choice: Choice,
    tally: String,
    many: bool,
    can_approve: bool,
    /// Whether all that are shown are ticked.
    is_ticked: bool,
    tick: String,
    sought: String,
    rows: Vec<Row>,
    unseen: String,
}

struct Row {
    name: String,
    namespace: String,
    query: String,
    for_whom: String,
    ingress: String,
    egress: String,
    connections: String,
    evidence: String,
    evidence_class: &'static str,
    standing: &'static str,
    standing_class: &'static str,
    edited: usize,
    can_approve: bool,
    version: String,
}

impl Overview {
    pub fn new(frame: Frame, view: &View, fields: &Fields) -> Self {
        let sought = fields.get("q");
        let rows: Vec<Row> = view.facts.sheets.iter().map(|sheet| row(view, sheet)).collect();
        let of = |word: &str| rows.iter().filter(|row| row.standing == word).count();
        let tally = format!(
            "{}: {} approved, {} to be looked at again, {} rejected, {} open.",
            count(rows.len(), "policy", "policies"),
            of("approved"),
            of("approved as it was"),
            of("rejected"),
            of("open")
        );
        let asking = &view.asking;
        Self {
            heading: shown(&view.namespaces.iter().cloned().collect::<Vec<_>>().join(", ")),
            sentence: sentence(view),
            replay: Figures::of(&view.facts.replay),
            has_besides: view.facts.broken_beside().next().is_some(),
            facts: facts(view),
            choice: Choice::new(&view.loaded, asking, &view.site, |name| view.namespaces.contains(name)),
            tally,
            many: view.namespaces.len() > 1,
            can_approve: rows.iter().any(|row| row.can_approve),
            is_ticked: fields.get("tick") == "all",
            tick: asking.query(&[("q", sought), ("tick", "all")]),
            rows: rows.into_iter().filter(|row| row.has_all(&sought.to_lowercase())).collect(),
            sought: shown(sought),
            unseen: shown(&view.unseen.iter().cloned().collect::<Vec<_>>().join(", ")),
            frame,
        }
    }
}

impl Row {
    /// Whether it has every word of a search.
    fn has_all(&self, sought: &str) -> bool {
        let texts = [&self.name, &self.namespace, &self.for_whom, &self.evidence].map(|text| text.to_lowercase());
        let has = |word: &str| self.standing == word || texts.iter().any(|text| text.contains(word));
        sought.split_whitespace().all(has)
    }
}

fn sentence(view: &View) -> String {
    let replay = &view.facts.replay;
    let span = view.facts.captures.span.map_or_else(
        || "no capture".to_owned(),
        |span| format!("captures from {} to {} UTC", minute(span.first), minute(span.last)),
    );
    let verdict = match (replay.denied, replay.uncertain) {
        _ if replay.connections == 0 => "nothing was seen that could be held against it".to_owned(),
        (0, _) if view.facts.in_place().denied > 0 => "by itself it denies nothing that was seen".to_owned(),
        (0, 0) => "every connection that was seen would still go through".to_owned(),
        (0, uncertain) => {
            let uncertain = counted(uncertain, "connection");
            format!("nothing that was seen would be denied; of {uncertain} it cannot be told")
        }
        (denied, _) => format!("{} of what was seen would be denied", counted(denied, "connection")),
    };
    let beside = view.facts.beside(grouped).map(|words| format!(" {words}")).unwrap_or_default();
    format!("Proposed from {span}: {verdict}.{beside}")
}

/// Namespaces of which it is told what captures could see.
const MAX_NAMESPACES: usize = 6;
/// Names in one line.
const MAX_NAMES: usize = 4;

/// How well the workloads of a namespace were watched, with the first names alone.
fn watched(namespace: &str, seen: &render::Seen) -> String {
    let render::Seen { covered, partly, unseen, left_open } = seen;
    let all = seen.all();
    let mut text = format!("Watched, {namespace}: {covered} of {} all the time", count(all, "workload", "workloads"));
    for (word, names) in [("for a part of it", partly), ("never", unseen), ("left open for that", left_open)] {
        let first: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
        let more = names.len() - first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !names.is_empty() {
            // writing to a String cannot fail
            let _ = write!(text, "; {word}: {}{more}", first.join(", "));
        }
    }
    text + "."
}

/// What is to be known before anything else.
fn facts(view: &View) -> Vec<Line> {
    let facts = &view.facts;
    let mut lines = Vec::new();
    let all = render::seen(&view.decided, facts);
    for (namespace, seen) in all.iter().take(MAX_NAMESPACES) {
        let is_all = seen.partly.is_empty() && seen.unseen.is_empty();
        lines.push(Line::new(if is_all { "good" } else { "doubt" }, watched(namespace, seen)));
    }
    if all.len() > MAX_NAMESPACES {
        let more = count(all.len() - MAX_NAMESPACES, "more namespace", "more namespaces");
        lines.push(Line::new("", format!("{more}: choose fewer to see what captures could see of each.")));
    }
    let (stops, others): (Vec<_>, Vec<_>) =
        render::cautions(&view.decided, facts, MAX_NAMES).into_iter().partition(|caution| caution.level == Level::Stop);
    // what stands against it comes before what is good to know
    lines.splice(0..0, stops.iter().flat_map(Line::of_caution));
    lines.extend(others.iter().flat_map(Line::of_caution));
    for idle in &facts.by_hand.idle {
        lines.push(Line::new("doubt", format!("{}: {}: not in force in this proposal.", idle.policy, idle.what)));
    }
    lines
}

fn row(view: &View, sheet: &Sheet) -> Row {
    let of_side = |side: PolicyType| {
        // what was seen of who is left open is no list of who may
        if sheet.is_open { "all".to_owned() } else { sheet.in_force(side).count().to_string() }
    };
    let accesses = || sheet.rules.iter().filter(|rule| rule.is_in_force()).filter_map(|rule| rule.access.as_ref());
    let sums = accesses().filter_map(crate::recommend::Access::sum);
    let doubts = accesses().filter(|access| !render::doubts(access, &view.facts).is_empty()).count();
    let (evidence, evidence_class) = match (sheet.purpose, sheet.watched) {
        _ if sheet.is_open => ("left open: not watched".to_owned(), "doubt"),
        (Purpose::Deny, _) => ("denies what is not allowed".to_owned(), ""),
        (Purpose::Own, _) => ("yours".to_owned(), "edit"),
        (_, Some(Watched::Unseen | Watched::Partly)) => ("not watched all the time".to_owned(), "doubt"),
        _ if accesses().next().is_none() && !sheet.rules.is_empty() => ("all was removed by hand".to_owned(), "bad"),
        _ if accesses().next().is_none() => ("nothing is needed".to_owned(), ""),
        _ if doubts > 0 => (format!("look twice: {}", count(doubts, "rule", "rules")), "doubt"),
        _ => ("firm".to_owned(), "good"),
    };
    let (standing, standing_class) = standing(view, sheet);
    let edited = sheet.rules.iter().flat_map(|rule| &rule.ports).filter(|port| port.state != State::Proposed).count();
    Row {
        name: shown(&sheet.name),
        namespace: shown(&sheet.namespace),
        query: view.asking.query(&[("policy", sheet.key.as_str())]),
        for_whom: for_whom(sheet),
        ingress: side(sheet.directions.has_ingress(), of_side(PolicyType::Ingress)),
        egress: side(sheet.directions.has_egress(), of_side(PolicyType::Egress)),
        connections: grouped(sums.map(|sum| sum.connections).sum()),
        evidence,
        evidence_class,
        standing,
        standing_class,
        edited: if sheet.purpose == Purpose::Own { 0 } else { edited },
        can_approve: sheet.object.is_some() && standing != "approved",
        version: Version::of(view, &sheet.key).text(),
    }
}

/// How many may, where a policy says so at all.
fn side(is_closed: bool, count: String) -> String {
    if is_closed { count } else { "–".to_owned() }
}

/// Where a policy stands, in a word.
pub(super) fn standing(view: &View, sheet: &Sheet) -> (&'static str, &'static str) {
    let content = view.contents.get(&sheet.key).map(String::as_str);
    match view.known.log.standing(&sheet.key, content) {
        Standing::Open => ("open", ""),
        Standing::Approved(_) => ("approved", "good"),
        Standing::Outdated(_) => ("approved as it was", "doubt"),
        Standing::Rejected(_) => ("rejected", "bad"),
    }
}

/// For whom a policy is, in words.
pub(super) fn for_whom(sheet: &Sheet) -> String {
    match sheet.purpose {
        Purpose::Deny => "all pods".to_owned(),
        Purpose::Own => shown(&sheet.selects),
        Purpose::Dns => format!("name resolution of {}", count(sheet.members.len(), "workload", "workloads")),
        Purpose::Group => match &sheet.members[..] {
            [one] => shown(&format!("{} {}", one.kind, one.name)),
            all => count(all.len(), "workload", "workloads"),
        },
    }
}
