use askama::Template;

use super::{
    Figures, FindingRow, Frame, Line, ROWS, count,
    history::{ConflictPage, meaning},
    shown,
};
use crate::{
    policy::{Change, PolicyType, Ruling},
    proposal::Action,
    render::{Sheet, SheetRule, Step, page::filters},
    review::{
        decide::Version,
        edit::{self, Choice},
        fields::Fields,
        preview::{Otherwise, Preview},
        view::View,
    },
    yaml,
};

/// What a change would do, before it is decided.
#[derive(Template)]
#[template(path = "review/edit.html")]
pub(in crate::review) struct EditPage {
    frame: Frame,
    name: String,
    heading: &'static str,
    back: String,
    steps: Vec<String>,
    notes: Vec<Line>,
    before: Figures,
    after: Figures,
    findings: Vec<FindingRow>,
    reach: Reach,
    version: String,
    choice: Vec<(&'static str, String)>,
    needs_reason: bool,
    yaml: String,
}

impl EditPage {
    pub fn new(frame: Frame, view: &View, sheet: &Sheet, fields: &Fields, choice: &Choice, preview: &Preview) -> Self {
        let op = fields.get("op");
        let yaml = preview.proposal.policies.written.0.get(&sheet.key);
        let yaml = yaml.and_then(|written| yaml::write(&written.object).ok()).unwrap_or_default();
        Self {
            name: shown(&sheet.name),
            heading: meaning(op),
            back: view.asking.query(&[("policy", sheet.key.as_str())]),
            steps: choice.steps.iter().map(Step::words).map(|words| shown(&words)).collect(),
            notes: notes(fields, sheet),
            before: Figures::of(&view.facts.replay),
            after: Figures::of(&preview.replay),
            findings: preview.findings.iter().map(|it| row(view, it)).collect(),
            reach: Reach::new(view, &preview.changes),
            version: Version::of(view, &sheet.key).text(),
            choice: ConflictPage::choice(fields),
            needs_reason: choice.action == Action::Reject,
            yaml: lines(&yaml),
            frame,
        }
    }
}

fn notes(fields: &Fields, sheet: &Sheet) -> Vec<Line> {
    let mut notes = Vec::new();
    match fields.get("op") {
        "prefix" => {
            if let Ok(prefix) = fields.get("cidr").parse::<ipnet::IpNet>() {
                let size = edit::size(&prefix);
                notes.push(Line::new("doubt", format!("{} holds {size} addresses.", prefix.trunc())));
            }
        }
        "widen-tier" | "widen-namespace" => {
            let is_egress =
                |rule: &&SheetRule| rule.side == PolicyType::Egress && edit::rule_ref(rule) == fields.get("rule");
            let others = if sheet.rules.iter().any(|rule| is_egress(&rule)) {
                "those who may be reached from here must let these in too"
            } else {
                "those who are let in here must let them out too"
            };
            notes.push(Line::new("", format!("A connection needs both sides: the policies of {others}.")));
        }
        _ => {}
    }
    notes
}

/// A finding with what became of it.
fn row(view: &View, it: &Otherwise) -> FindingRow {
    match (it.is_allowed, it.before) {
        (true, before) => {
            let words = format!("no longer {}", before.map_or("", Ruling::as_str));
            FindingRow { class: "good", ..FindingRow::called(view, &it.finding, &words) }
        }
        (false, Some(before)) => {
            FindingRow::called(view, &it.finding, &format!("{}, was {before}", it.finding.verdict))
        }
        (false, None) => FindingRow::of(view, &it.finding),
    }
}

/// Who can reach whom otherwise.
struct Reach {
    /// In a sentence.
    words: String,
    /// Whether anything becomes possible.
    is_wider: bool,
    /// From, to, what becomes possible, and what ends; what opens first.
    rows: Vec<[String; 4]>,
    more: usize,
}

impl Reach {
    fn new(view: &View, changes: &[Change]) -> Self {
        let namespaces = view.loaded.known_namespaces(&view.site);
        let is_workload =
            |name: &str| name.split_once('/').is_some_and(|(namespace, _)| namespaces.contains(namespace));
        let is_inside = |it: &&&Change| is_workload(&it.from) && is_workload(&it.to);
        let opens: Vec<&Change> = changes.iter().filter(|it| !it.ports.opened.is_empty()).collect();
        let closes: Vec<&Change> = changes.iter().filter(|it| !it.ports.closed.is_empty()).collect();
        let inside = |all: &[&Change]| all.iter().filter(is_inside).count();
        let part = |word: &str, more: &str, all: &[&Change]| {
            let (pairs, outside) = (inside(all), all.len() - inside(all));
            let with = count(outside, "pair with addresses", "pairs with addresses");
            let beside = if outside > 0 { format!(" and {with}") } else { String::new() };
            format!("{word} {pairs}{more} {} of workloads{beside}", if pairs == 1 { "pair" } else { "pairs" })
        };
        let words = match (opens.is_empty(), closes.is_empty()) {
            (true, true) => {
                "Opens no pair of workloads and closes none: the other side's policies, or those that are deployed besides, have the last word.".to_owned()
            }
            (false, true) => part("Opens", " more", &opens) + ".",
            (true, false) => part("Closes", "", &closes) + ", and opens none.",
            (false, false) => format!("{}; {}.", part("Opens", " more", &opens), part("closes", "", &closes)),
        };
        let mut sorted: Vec<&Change> = changes.iter().collect();
        sorted.sort_by_key(|it| (it.ports.opened.is_empty(), it.to.clone(), it.from.clone()));
        let cells = |it: &&Change| {
            [it.from.to_string(), it.to.to_string(), it.ports.opened.to_string(), it.ports.closed.to_string()]
                .map(|cell| if cell == "nothing" { "–".to_owned() } else { shown(&cell) })
        };
        let rows: Vec<_> = sorted.iter().take(ROWS).map(cells).collect();
        Self { words, is_wider: !opens.is_empty(), more: changes.len() - rows.len(), rows }
    }
}

/// A text of several lines, with nothing hidden in any.
fn lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}
