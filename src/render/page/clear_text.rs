//! What others can read on the way, as a table for each namespace.

use crate::{
    model::visible,
    render::{Audit, Facts, Readable, words},
};

use super::grouped;

/// What of the allowed dependencies of a namespace goes in clear text.
#[derive(Clone, Debug)]
pub struct ClearTextView {
    /// The namespace.
    pub namespace: String,
    /// How many there are of each kind.
    pub sentence: String,
    /// From, to, port, what is spoken, the border and connections.
    pub rows: Vec<[String; 6]>,
    /// Rows that are not shown: `evidence.json` has them all.
    pub more: usize,
}

/// Rows of a namespace that are shown.
const MAX_ROWS: usize = 200;

pub(super) fn views(facts: &Facts) -> Vec<ClearTextView> {
    let view = |(namespace, audit): (&String, &Audit)| ClearTextView {
        namespace: visible(namespace).into_owned(),
        sentence: audit.sentence(),
        rows: audit.listed.iter().take(MAX_ROWS).map(row).collect(),
        more: audit.listed.len().saturating_sub(MAX_ROWS),
    };
    facts.measured.audit.by_namespace.iter().filter(|(_, audit)| audit.all() > 0).map(view).collect()
}

fn row(it: &Readable) -> [String; 6] {
    let Readable { from, to, protocol, port, connections, .. } = it;
    let [from, to] = [from, to].map(|name| visible(name).into_owned());
    [from, to, words::port(*protocol, *port), it.spoken(), it.border(), grouped(*connections)]
}
