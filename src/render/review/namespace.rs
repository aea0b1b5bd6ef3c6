//! The proposal for one namespace: its policies, what to look at twice, and what was left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{Facts, clear_text, labels, reach};
use crate::{
    model::{Direction, Namesakes, PartyKey, Protocol},
    policy::PolicyType,
    recommend::{Access, LeftOut, NamespacePlan, Omission, Sum, Widened},
    render::{Purpose, Sheet, SheetRule, words},
};

pub(super) fn section(text: &mut String, plan: &NamespacePlan, facts: &Facts) {
    let _ = writeln!(text, "## {}\n", words::safe(&plan.namespace));
    let _ = writeln!(text, "| policy | selects | may be reached by | may reach |\n|---|---|---|---|");
    for sheet in policies(facts, &plan.namespace) {
        let name = match sheet.purpose {
            _ if sheet.is_open => format!("{} (left open; seen was)", sheet.name),
            Purpose::Own => format!("{} (yours)", sheet.name),
            _ => sheet.name.clone(),
        };
        let [from, to] = PolicyType::ALL.map(|side| rules(sheet, side));
        self::row(text, [&name, &sheet.selects, &from, &to]);
    }
    text.push('\n');
    reach::section(text, &plan.namespace, facts);
    clear_text::section(text, &plan.namespace, facts);
    doubtful(text, plan, facts);
    labels::section(text, plan);
    left_out(text, plan, &facts.namesakes);
}

/// The policies of a namespace that are written: those of groups, of name resolution, and a person's own. What closes the
/// namespace is told by itself.
fn policies<'f>(facts: &'f Facts, namespace: &str) -> Vec<&'f Sheet> {
    let is_here =
        |sheet: &&Sheet| sheet.namespace == namespace && sheet.object.is_some() && sheet.purpose != Purpose::Deny;
    let mut all: Vec<&Sheet> = facts.sheets.iter().filter(is_here).collect();
    let place = |purpose: Purpose| match purpose {
        Purpose::Group | Purpose::Deny => 0,
        Purpose::Dns => 1,
        Purpose::Own => 2,
    };
    all.sort_by_key(|sheet| (place(sheet.purpose), &sheet.name));
    all
}

/// Rules to look at twice: on little evidence, or wider than it.
fn doubtful(text: &mut String, plan: &NamespacePlan, facts: &Facts) {
    let mut lines = String::new();
    let groups = policies(facts, &plan.namespace).into_iter().filter(|sheet| sheet.purpose == Purpose::Group);
    for sheet in groups {
        for side in PolicyType::ALL {
            for (rule, access) in sheet.in_force(side).filter_map(|rule| Some((rule, rule.access.as_ref()?))) {
                for why in doubts(access, facts) {
                    let (policy, name) = (words::safe(&sheet.name), words::safe(&rule.name));
                    let ports = rule.ports_in_force().join(", ");
                    let _ = writeln!(lines, "- {policy} {} {name} on {ports}: {why}", side.preposition());
                }
            }
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(text, "### Look twice\n\n{lines}");
    }
}

/// Why a rule is to be looked at twice.
pub(in crate::render) fn doubts(access: &Access, facts: &Facts) -> Vec<String> {
    /// From this share on loss is worth a word with the rule itself.
    const MUCH_LOSS: f64 = 0.001;
    let mut doubts: Vec<String> = access.widened.iter().map(|it| words::safe(&widened(it, access))).collect();
    let Some(sum) = Sum::of(&access.evidence) else { return doubts };
    if sum.direction > Direction::Inventory {
        doubts.push(format!("who the client is was told by {} alone", sum.direction.as_str()));
    }
    let is_long = facts.captures.span.is_some_and(|span| span.first.hour() != span.last.hour());
    if is_long && sum.hours == 1 && !access.evidence.is_empty() {
        doubts.push(format!("seen in one hour alone, {}", words::count(sum.connections, "connection")));
    }
    let loss = facts.captures.loss(sum.span);
    if loss >= MUCH_LOSS {
        let what = if facts.captures.lost_flows() > 0 { "packets or records" } else { "packets" };
        doubts.push(format!("captures lost {:.1} % of {what} in that time", loss * 100.0));
    }
    doubts
}

/// What a rule allows beyond what was seen; of what was not seen at all, for what it is there.
fn widened(widened: &Widened, access: &Access) -> String {
    if *widened != Widened::Unseen || !access.evidence.is_empty() || access.purposes.is_empty() {
        return words::widened(widened);
    }
    let purposes: Vec<String> = access.purposes.iter().map(words::purpose).collect();
    format!("not seen itself: {}", purposes.join("; "))
}

/// Who is allowed what, one way: what was seen to be needed, and what a person added. Empty where the policy says nothing
/// of it.
fn rules(sheet: &Sheet, side: PolicyType) -> String {
    let rule = |rule: &SheetRule| {
        let ports = rule.ports_in_force().join(", ");
        format!("{} ({ports}{})", rule.name, why(sheet, rule))
    };
    let all: Vec<_> = sheet.in_force(side).map(rule).collect();
    if all.is_empty() && sheet.is_about(side) { "-".into() } else { all.join("; ") }
}

/// Why a rule is there, in few words.
fn why(sheet: &Sheet, rule: &SheetRule) -> String {
    let Some(access) = &rule.access else {
        return if sheet.purpose == Purpose::Own { String::new() } else { "; added by hand".to_owned() };
    };
    // what servers of names answered is evidence of all clients together
    let seen = (sheet.purpose != Purpose::Dns).then(|| match access.sum() {
        Some(sum) => words::count(sum.connections, "connection"),
        None => "not seen itself".to_owned(),
    });
    let whys = seen.into_iter().chain(access.purposes.iter().map(words::purpose));
    whys.flat_map(|why| ["; ".to_owned(), why]).collect()
}

fn left_out(text: &mut String, plan: &NamespacePlan, namesakes: &Namesakes) {
    if plan.left_out.is_empty() {
        return;
    }
    let _ = writeln!(text, "### Left out\n\n| from | to | port | connections | why |\n|---|---|---|---|---|");
    for cells in left_out_rows(plan, namesakes) {
        row(text, cells.each_ref().map(String::as_str));
    }
    text.push('\n');
}

/// From, to, port, connections and why of what makes no rule.
pub(in crate::render) fn left_out_rows(plan: &NamespacePlan, namesakes: &Namesakes) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    // a sweep is one fact, however many ports it touched
    let mut sweeps: BTreeMap<(&PartyKey, &Omission), Sweep> = BTreeMap::new();
    for left in &plan.left_out {
        let LeftOut { reason, evidence, is_scan } = left;
        if *is_scan {
            let sweep = sweeps.entry((&evidence.client, reason)).or_default();
            sweep.targets.insert(&evidence.server);
            sweep.ports.insert((evidence.protocol, evidence.port));
            sweep.connections += evidence.connections;
            continue;
        }
        let port = words::port(evidence.protocol, evidence.port);
        let (from, to) = (namesakes.called(&evidence.client), namesakes.called(&evidence.server));
        rows.push([from, to, port, evidence.connections.to_string(), reason.to_string()]);
    }
    for ((client, reason), sweep) in sweeps {
        let targets = words::count(sweep.targets.len() as u64, "target");
        let ports = words::count(sweep.ports.len() as u64, "port");
        rows.push([namesakes.called(client), targets, ports, sweep.connections.to_string(), reason.to_string()]);
    }
    rows
}

/// What one source swept.
#[derive(Default)]
struct Sweep<'a> {
    targets: BTreeSet<&'a PartyKey>,
    ports: BTreeSet<(Protocol, u16)>,
    connections: u64,
}

/// A row of a table.
pub(super) fn row<const N: usize>(text: &mut String, cells: [&str; N]) {
    let _ = writeln!(text, "| {} |", cells.map(words::safe).join(" | "));
}
