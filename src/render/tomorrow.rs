//! What is true of today alone: nodes by their addresses, pods by labels that the next ones may not have.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    Facts, Sheet,
    cautions::{Cautions, Level, few},
    words,
};
use crate::{
    model::WorkloadRef,
    recommend::{Accesses, Group, Peer, Purpose, Recommendation},
};

/// What tomorrow may change, as the inventory tells.
pub(super) fn tomorrow(cautions: &mut Cautions, (recommendation, facts): (&Recommendation, &Facts), max_names: usize) {
    by_node(cautions, facts, max_names);
    front_ends(cautions, recommendation, max_names);
    let names = |all: &BTreeSet<String>| few(all, max_names);
    for twin in facts.captures.doubts.twins.iter().filter(|twin| is_apart(recommendation, &twin.selected, &twin.other))
    {
        let why = format!(
            "{} leads to {}. {} differs from it in {} alone, and is not allowed what was seen of it: if the Service is to lead there, \
             let it, or run `suggest` again when it has.",
            twin.service,
            twin.selected,
            twin.other,
            names(&twin.keys)
        );
        cautions.add(Level::Look, "One of two that may change places", why);
    }
    for alike in &facts.captures.doubts.one_by_one {
        let why = format!(
            "{} of {}: nobody owns them, and they differ in {} alone. If something makes such pods one by one, the next has another value: no policy \
             selects it but `default-deny`.",
            names(&alike.pods),
            alike.namespace,
            names(&alike.keys)
        );
        cautions.add(Level::Look, "Pods made one by one?", why);
    }
    for behind in &facts.captures.doubts.behind {
        let why = format!(
            "{} was seen with {}, by their own addresses. If it asks for {}, it may be led to {} as well, which is denied unless there is a \
             rule for it.",
            behind.client,
            names(&behind.seen),
            behind.service,
            names(&behind.others)
        );
        cautions.add(Level::Look, "Some of those behind a Service", why);
    }
}

/// Rules that name nodes by addresses are of the nodes that there are.
fn by_node(cautions: &mut Cautions, facts: &Facts, max_names: usize) {
    let (mut policies, mut movable) = (BTreeSet::new(), BTreeSet::new());
    for sheet in facts.sheets.iter().filter(|sheet| sheet.object.is_some()) {
        let named = nodes_in(sheet);
        if named.is_empty() {
            continue;
        }
        policies.insert(format!("{}/{}", sheet.namespace, sheet.name));
        let is_named = |addresses: &BTreeSet<IpAddr>| !addresses.is_disjoint(&named);
        let nodes = &facts.captures.doubts.nodes;
        if !nodes.iter().all(|node| is_named(&node.addresses)) {
            movable.extend(nodes.iter().filter(|node| is_named(&node.addresses)).flat_map(|node| &node.movable));
        }
    }
    if !policies.is_empty() {
        let why = format!(
            "{}: nodes are named by their addresses. One that joins, or takes another's place, is not among them until `suggest` has run again.",
            few(&policies, max_names)
        );
        cautions.add(Level::Note, "Nodes of today", why);
    }
    if !movable.is_empty() {
        let movable: BTreeSet<String> = movable.into_iter().cloned().collect();
        let why = format!(
            "{}: on the network of a node that a policy names, where others are not named. What of it was seen is denied as soon as it runs on \
             one of these: keep it where it is, or allow these nodes too.",
            few(&movable, max_names)
        );
        cautions.add(Level::Look, "What may move to another node", why);
    }
}

fn nodes_in(sheet: &Sheet) -> BTreeSet<IpAddr> {
    let address = |peer: &Option<Peer>| match peer {
        Some(Peer::NodeAddress(address)) => Some(*address),
        _ => None,
    };
    sheet.rules.iter().filter_map(|rule| address(&rule.peer)).collect()
}

/// Who came from outside to what an Ingress leads to, past any controller in the cluster: maybe a load balancer, which has other
/// addresses tomorrow.
fn front_ends(cautions: &mut Cautions, recommendation: &Recommendation, max_names: usize) {
    for plan in &recommendation.namespaces {
        for group in &plan.groups {
            let is_past =
                |(_, access): &(&Peer, &crate::recommend::Access)| access.purposes.contains(&Purpose::PastIngress);
            let past = group.ingress.iter().filter(is_past);
            let peers: BTreeSet<String> = past.map(|(peer, _)| words::peer(peer, &plan.namespace)).collect();
            if !peers.is_empty() {
                let why = format!(
                    "{}/{} from {}: an Ingress leads there, and they dialled the pods themselves. If they are a load balancer's, its next \
                     address is denied: allow its subnets.",
                    plan.namespace,
                    group.name,
                    few(&peers, max_names)
                );
                cautions.add(Level::Look, "A load balancer's addresses?", why);
            }
        }
    }
}

/// Whether one workload is allowed something that the other is not.
fn is_apart(recommendation: &Recommendation, one: &WorkloadRef, other: &WorkloadRef) -> bool {
    let of = |id: &WorkloadRef| -> Vec<&Group> {
        let plans = recommendation.namespaces.iter().filter(|plan| plan.namespace == id.namespace);
        plans.flat_map(|plan| &plan.groups).filter(|group| group.members.contains(id)).collect()
    };
    let (own, others) = (of(one), of(other));
    let lacks = |side: fn(&Group) -> &Accesses| {
        let wanted = own.iter().flat_map(|group| side(group));
        wanted.into_iter().any(|(peer, access)| {
            let has = |group: &&Group| side(group).get(peer).is_some_and(|it| access.ports.is_subset(&it.ports));
            !others.iter().any(has)
        })
    };
    !others.iter().any(|group| group.is_open) && (lacks(|group| &group.ingress) || lacks(|group| &group.egress))
}
