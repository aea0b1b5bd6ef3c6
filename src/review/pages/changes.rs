use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use askama::Template;

use crate::render::page::filters;

use super::{Frame, Line, ROWS, shown};
use crate::{
    policy::{Change, Ports},
    proposal::ProposalError,
    review::{fields::Fields, view::View},
};

/// What the proposal opens and closes on top of what is deployed.
#[derive(Template)]
#[template(path = "review/changes.html")]
pub(in crate::review) struct Changes {
    frame: Frame,
    sentence: String,
    opened: usize,
    closed: usize,
    notes: Vec<Line>,
    sought: String,
    rows: Vec<Row>,
    place: String,
}

struct Row {
    to: String,
    from: String,
    closed: String,
    opened: String,
}

/// Names in one cell.
const NAMES: usize = 6;

impl Changes {
    pub fn new(frame: Frame, view: &View, fields: &Fields) -> Result<Self, ProposalError> {
        let all = view.changes()?;
        let sought = fields.get("q").to_lowercase();
        let is_sought = |change: &&Change| {
            sought.is_empty()
                || change.from.to_lowercase().contains(&sought)
                || change.to.to_lowercase().contains(&sought)
        };
        // a million pairs share some dozens of such
        let mut words: HashMap<*const Ports, (String, String)> = HashMap::new();
        for change in all {
            let ports = &change.ports;
            let of = || (ports.closed.to_string(), ports.opened.to_string());
            words.entry(Arc::as_ptr(ports)).or_insert_with(of);
        }
        // alike changes of one server stand together
        let mut together: BTreeMap<(bool, &str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
        for change in all.iter().filter(is_sought) {
            let (closed, opened) = &words[&Arc::as_ptr(&change.ports)];
            let key = (change.ports.opened.is_empty(), &*change.to, &**closed, &**opened);
            together.entry(key).or_default().insert(&change.from);
        }
        let count = together.len();
        let row = |((_, to, closed, opened), from): ((bool, &str, &str, &str), BTreeSet<&str>)| Row {
            to: shown(to),
            from: names(&from),
            closed: word(closed),
            opened: word(opened),
        };
        let rows: Vec<Row> = together.into_iter().take(ROWS).map(row).collect();
        let mut notes = Vec::new();
        if view.deployed.is_empty() {
            notes.push(Line::new("", "The inventory holds no NetworkPolicy: everything is open before."));
        }
        for skipped in &view.deployed.skipped {
            notes.push(Line::new("doubt", format!("Deployed, and not read: {skipped}")));
        }
        notes.extend(view.deployed.doubts().iter().map(|doubt| Line::new("doubt", format!("Deployed: {doubt}"))));
        for other in &view.deployed.not_evaluated {
            notes.push(Line::new("doubt", format!("Deployed, and not evaluated: {other}")));
        }
        Ok(Self {
            sentence: "In connections, not in text: what becomes possible and what ends when these policies come on top of those that the inventory says are deployed.".to_owned(),
            opened: all.iter().filter(|change| !change.ports.opened.is_empty()).count(),
            closed: all.iter().filter(|change| !change.ports.closed.is_empty()).count(),
            notes,
            sought: shown(fields.get("q")),
            place: match rows.len() {
                0 => "nothing changes".to_owned(),
                shown => format!("{shown} of {count} rows, what opens first"),
            },
            rows,
            frame,
        })
    }
}

fn names(all: &BTreeSet<&str>) -> String {
    let list: Vec<&str> = all.iter().take(NAMES).copied().collect();
    let more = all.len() - list.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown(&format!("{}{more}", list.join(", ")))
}

fn word(ports: &str) -> String {
    if ports == "nothing" { "–".to_owned() } else { shown(ports) }
}
