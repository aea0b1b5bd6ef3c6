//! What is in force besides, in the place of the proposal, or not at all.

use std::collections::BTreeSet;

use super::{Cautions, Check, Level, Told};
use crate::{
    model::Directions,
    recommend::Peer,
    render::{DeployedPolicy, Sheet, opened, words},
};

/// Each kind once, in this order.
pub(super) const CHECKS: [Check; 11] = [
    plugin,
    nodes_by_address,
    open_by_decision,
    replaced,
    reopened,
    unjudged,
    unsure,
    opens,
    undone,
    kustomizations,
    deployed,
];

fn plugin(cautions: &mut Cautions, told: &Told<'_>) {
    let plugin = &told.facts.in_force.plugin;
    let (level, what) = if plugin.ignores() {
        (Level::Stop, "The network plugin ignores policies")
    } else {
        (Level::Note, "Network plugin")
    };
    cautions.add(level, what, format!("{plugin}."));
}

fn nodes_by_address(cautions: &mut Cautions, told: &Told<'_>) {
    let names_node = |sheet: &&Sheet| {
        let is_in_force = sheet.object.is_some();
        is_in_force && sheet.rules.iter().any(|rule| matches!(rule.peer, Some(Peer::NodeAddress(_))))
    };
    let naming = told.facts.sheets.iter().filter(names_node);
    let by_node: BTreeSet<String> = naming.map(|sheet| format!("{}/{}", sheet.namespace, sheet.name)).collect();
    if !told.facts.in_force.plugin.knows_nodes_by_address() && !by_node.is_empty() {
        let why = format!(
            "{}: Cilium reaches nodes and the API server by no address, unless its policyCIDRMatchMode has `nodes`, and denies what \
             these policies allow of them. `flowmap convert` writes them as Cilium's own, with nodes as what they are.",
            told.few(&by_node)
        );
        cautions.add(Level::Stop, "Nodes by their addresses", why);
    }
}

fn open_by_decision(cautions: &mut Cautions, told: &Told<'_>) {
    let opened = opened(&told.facts.sheets).words();
    if !opened.is_empty() {
        let why = format!("{}. The policies that would close them were rejected.", told.few(&opened));
        cautions.add(Level::Stop, "Open by decision", why);
    }
}

fn replaced(cautions: &mut Cautions, told: &Told<'_>) {
    let replaced = names(&told.facts.in_force.replaced);
    if !replaced.is_empty() {
        let why = format!(
            "{}. Policies of the same names take their place: what they allow ends. Of one that was not made with `kubectl apply`, \
             `kubectl apply` keeps the labels that it selects by: use `kubectl replace`.",
            told.few(&replaced)
        );
        cautions.add(Level::Stop, "Replaced", why);
    }
}

fn reopened(cautions: &mut Cautions, told: &Told<'_>) {
    let is_both = told.recommendation.directions == Directions::Both;
    let both = if is_both { "" } else { " Close both directions to keep it closed." };
    for (direction, workloads) in &told.facts.in_force.reopened {
        let why = format!(
            "{} of {}: what is deployed closes it, and nothing does with this proposal, whose policies take its place.{both}",
            direction.as_str(),
            told.few(workloads)
        );
        cautions.add(Level::Stop, "Closed today, and open with this", why);
    }
}

fn unjudged(cautions: &mut Cautions, told: &Told<'_>) {
    let unjudged = &told.facts.in_force.unjudged;
    if !unjudged.is_empty() {
        let why = format!("{}. No verdict here knows what they allow or deny.", told.few(unjudged));
        cautions.add(Level::Stop, "Deployed, and not judged", why);
    }
}

fn unsure(cautions: &mut Cautions, told: &Told<'_>) {
    for doubt in &told.facts.in_force.unsure {
        cautions.add(Level::Look, "Deployed, and not sure", format!("{doubt}."));
    }
}

fn opens(cautions: &mut Cautions, told: &Told<'_>) {
    if let Some(opens) = &told.facts.in_force.opens {
        let why = format!(
            "{}: {}. What is deployed denies it now, and with this proposal it is allowed.",
            words::count(opens.pairs as u64, "pair"),
            told.few(&opens.examples)
        );
        cautions.add(Level::Look, "Opens what is denied today", why);
    }
}

fn undone(cautions: &mut Cautions, told: &Told<'_>) {
    for undone in &told.facts.in_force.undone {
        let why = format!("by {}: {}. As long as it is there.", undone.policy, undone.words());
        cautions.add(Level::Stop, "Kept open by what is deployed", why);
    }
}

fn kustomizations(cautions: &mut Cautions, told: &Told<'_>) {
    let edited = told.facts.kustomizations.edited_paths();
    if !edited.is_empty() {
        let why = format!(
            "{} does more than list files. What `kubectl apply -k` makes of these policies is not in the verdict: apply them \
             by file.",
            told.few(&edited)
        );
        cautions.add(Level::Look, "A kustomization that was edited", why);
    }
}

fn deployed(cautions: &mut Cautions, told: &Told<'_>) {
    let deployed = told.facts.in_force.deployed.iter();
    let (wide, own): (Vec<_>, Vec<_>) = deployed.partition(|policy| policy.is_cluster_wide());
    let [wide, own] = [wide, own].map(names);
    if !own.is_empty() {
        let why = format!("{}. They stay in force: what they allow stays allowed.", told.few(&own));
        cautions.add(Level::Note, "Deployed already", why);
    }
    if !wide.is_empty() {
        let why = format!(
            "{}. They stay in force: some come before NetworkPolicies, some where none isolates.",
            told.few(&wide)
        );
        cautions.add(Level::Note, "Deployed already, for the whole cluster", why);
    }
}

fn names<'p>(policies: impl IntoIterator<Item = &'p DeployedPolicy>) -> Vec<String> {
    policies.into_iter().map(ToString::to_string).collect()
}
