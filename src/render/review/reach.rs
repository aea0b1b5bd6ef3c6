//! How far each workload of a namespace reaches and is reached, before and after.

use std::fmt::Write;

use super::{Facts, namespace::row};
use crate::render::page::ReachView;

/// The workloads of a namespace with their reach.
pub(super) fn section(text: &mut String, namespace: &str, facts: &Facts) {
    let mut lines = String::new();
    for (workload, reach) in &facts.measured.reach {
        let Some(name) = workload.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let ReachView { reached_by, reaches, from_outside, to_outside } = reach;
        let [reached_by, reaches] = [reached_by, reaches].map(|it| format!("{} → {}", it.before, it.after));
        let [from, to] = [from_outside, to_outside].map(ReachView::words);
        row(&mut lines, [name, &reached_by, from, &reaches, to]);
    }
    if !lines.is_empty() {
        let _ = writeln!(
            text,
            "### Reach, before → after\n\nOther workloads that can open a connection to one, on whatever port, and those that it \
             can reach; before is with what is deployed now.\n\n\
             | workload | reached by | from outside | reaches | to outside |\n|---|---|---|---|---|\n{lines}"
        );
    }
}
