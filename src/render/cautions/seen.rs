//! What captures may have missed.

use std::{collections::BTreeSet, fmt::Write};

use super::{Cautions, Check, Level, Told};
use crate::{
    inventory::Gaps,
    map::State,
    model::{Coverage, Suspicion, WorkloadRef},
    recommend::Recommendation,
    render::words,
};

/// Each kind once, in this order.
pub(super) const CHECKS: [Check; 17] = [
    loss,
    filters,
    light,
    who_is_who,
    part_of_the_cluster,
    verdicts_alone,
    blocked,
    swept,
    unasked,
    outlasting,
    ftp,
    tftp,
    suspects,
    missed_runs,
    brief,
    meshes,
    learning,
];

fn loss(cautions: &mut Cautions, told: &Told<'_>) {
    let captures = &told.facts.captures;
    let (dropped, unread, damaged) = (captures.dropped(), captures.unread, captures.damaged as u64);
    let lost_flows = captures.lost_flows();
    if dropped > 0 || damaged > 0 {
        let flows = format!("{} never reached a log of Hubble", words::count(lost_flows, "flow"));
        let packets = format!("{} never reached a capture", words::count(dropped, "packet"));
        let lost = match (dropped, lost_flows) {
            (_, 0) => packets,
            (0, _) => flows,
            _ => format!("{packets}, {flows}"),
        };
        let mut why = format!("{lost}, {} damaged or incomplete", words::count(damaged, "capture"));
        if unread > 0 {
            // writing to a String cannot fail
            let _ = write!(why, " ({unread} of their packets or records could not be read)");
        }
        why.push_str(if captures.is_mostly_lost() {
            ": more was lost than was seen, and needed connections may well be missing. Capture anew before you close anything."
        } else {
            ": rare connections may be missing."
        });
        cautions.add(Level::Look, "Loss", why);
    }
}

fn filters(cautions: &mut Cautions, told: &Told<'_>) {
    let filtered = told.facts.captures.filtered as u64;
    if filtered > 0 {
        let why = format!(
            "{} had a filter set: what that leaves out was not seen and is denied, though nothing of the past tells so.",
            words::count(filtered, "capture")
        );
        cautions.add(Level::Look, "A filter", why);
    }
}

fn light(cautions: &mut Cautions, told: &Told<'_>) {
    let light = told.facts.captures.light as u64;
    if light > 0 {
        let why = format!(
            "{} took of TCP what opens and closes, and a sample of the rest (--mode connections): streams that were open all the time \
             may be missing, and are denied when they are opened again.",
            words::count(light, "capture")
        );
        cautions.add(Level::Look, "Connections alone", why);
    }
}

fn who_is_who(cautions: &mut Cautions, told: &Told<'_>) {
    let faults = &told.facts.captures.listing_faults;
    if let Some(first) = faults.first() {
        let why = format!(
            "{} of the inventory could not be used, and whom they tell of counts as unknown or is not selected as it should: {}{}.",
            words::count(faults.len() as u64, "fault"),
            words::safe(first),
            if faults.len() > 1 { ", and others that `inventory import` names" } else { "" }
        );
        cautions.add(Level::Look, "Who is who, in part", why);
    }
}

fn verdicts_alone(cautions: &mut Cautions, told: &Told<'_>) {
    let connections = told.facts.captures.verdicts_alone;
    if connections > 0 {
        let why = format!(
            "Of {} a flow log has nothing but verdicts of policies, which never show an answer: no rule comes of them, and what \
            they need is denied where nothing else has seen it. Let Hubble log traces as well.",
            words::count(connections, "connection")
        );
        cautions.add(Level::Look, "Verdicts alone", why);
    }
}

fn blocked(cautions: &mut Cautions, told: &Told<'_>) {
    for blocked in &told.facts.captures.blocked {
        let why = format!(
            "{} -> {} on {}, {} that failed: {}. If it is needed, it is missing here.",
            blocked.from,
            blocked.to,
            words::port(blocked.protocol, blocked.port),
            words::count(blocked.attempts, "attempt"),
            blocked.reason
        );
        cautions.add(Level::Look, "Blocked while learning?", why);
    }
}

fn swept(cautions: &mut Cautions, told: &Told<'_>) {
    let swept = &told.facts.captures.swept;
    if !swept.is_empty() {
        let why = format!(
            "{} by {} taken for parts of sweeps: what is needed of them has no rule. `flowmap flows` marks them `scan`.",
            words::count(swept.values().sum(), "answered connection"),
            told.few(&swept.keys().cloned().collect::<Vec<_>>())
        );
        cautions.add(Level::Look, "Part of a sweep?", why);
    }
}

fn unasked(cautions: &mut Cautions, told: &Told<'_>) {
    let unasked = &told.facts.captures.unasked;
    if !unasked.is_empty() {
        let why = format!(
            "Of {} answers alone were captured, though of others of {} both ways. They make rules, and anybody can forge them.",
            words::count(unasked.values().sum(), "connection"),
            told.few(&unasked.keys().cloned().collect::<Vec<_>>())
        );
        cautions.add(Level::Look, "Answers alone", why);
    }
}

fn outlasting(cautions: &mut Cautions, told: &Told<'_>) {
    let outlasting = &told.facts.captures.outlasting;
    if !outlasting.is_empty() {
        let why = format!(
            "{} of {} began before the window of --since and went on in it: no rule comes of them, and their next opening is denied. \
             Let the window begin earlier.",
            words::count(outlasting.values().sum(), "connection"),
            told.few(&outlasting.keys().cloned().collect::<Vec<_>>())
        );
        cautions.add(Level::Look, "Open before the window", why);
    }
}

fn ftp(cautions: &mut Cautions, told: &Told<'_>) {
    let ftp: Vec<String> = told.facts.captures.ftp.iter().cloned().collect();
    if !ftp.is_empty() {
        let why = format!(
            "{}: FTP takes another port for each transfer, and a policy knows those alone that were seen. Give the server a range of \
             passive ports, and add it to the policy.",
            told.few(&ftp)
        );
        cautions.add(Level::Look, "FTP", why);
    }
}

fn tftp(cautions: &mut Cautions, told: &Told<'_>) {
    let tftp: Vec<String> = told.facts.captures.tftp.iter().cloned().collect();
    if !tftp.is_empty() {
        let why = format!(
            "{}: TFTP answers from another port each time, and a policy knows those alone that were seen. Let the server answer \
             from port 69, as dnsmasq does with `tftp-single-port`.",
            told.few(&tftp)
        );
        cautions.add(Level::Look, "TFTP", why);
    }
}

fn part_of_the_cluster(cautions: &mut Cautions, told: &Told<'_>) {
    let Gaps { pods, services, has_no_nodes, .. } = &told.facts.captures.gaps;
    let part = |what: &str, namespaces: &Option<BTreeSet<String>>| {
        namespaces.as_ref().map(|known| match known.len() {
            0 => format!("no {what}"),
            _ => format!("{what} of {} alone", told.few(known)),
        })
    };
    let nodes = has_no_nodes.then(|| "no nodes".to_owned());
    let parts: Vec<String> = [part("pods", pods), nodes, part("Services", services)].into_iter().flatten().collect();
    if !parts.is_empty() {
        let why = format!(
            "It lists {}. Whoever it lacks counts as outside, and is let in and reached by address, which opens nothing between pods. \
             {WHOLE_INVENTORY}.",
            parts.join(", ")
        );
        cautions.add(Level::Look, "The inventory is partial", why);
    }
}

/// How an inventory is given all that tells addresses apart.
const WHOLE_INVENTORY: &str = "Import all of the cluster: `kubectl get no,svc,po,endpointslices -A -o json`";

fn suspects(cautions: &mut Cautions, told: &Told<'_>) {
    for (suspicion, addresses) in &told.facts.captures.suspects {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let addresses = told.few(&addresses);
        match suspicion {
            Suspicion::Pod => {
                let why = format!(
                    "{addresses}: pods have addresses beside them, and no node lists a range of pods that holds them. Whichever is a \
                     pod that the inventory does not know, its rule lets nothing through, or whoever gets its address next. Import the \
                     pods of all namespaces as they were then, and nodes with their `podCIDR`s."
                );
                cautions.add(Level::Look, "Pods taken for outside?", why);
            }
            Suspicion::UnlistedPod => {
                let why = format!(
                    "{addresses}: pods have addresses near them, and the inventory lists neither all pods nor the ranges that they have \
                     addresses from. Whichever is a pod, its rule lets nothing through. {WHOLE_INVENTORY}."
                );
                cautions.add(Level::Look, "Pods taken for outside?", why);
            }
            Suspicion::UnlistedService if told.recommendation.directions.has_egress() => {
                let why = format!(
                    "{addresses}: pods dial them, and the inventory does not list all Services. Whichever is a Service, its rule opens \
                     nothing, for policies are about the pods behind it; and those do not let the client in. {WHOLE_INVENTORY}."
                );
                cautions.add(Level::Look, "Services taken for outside?", why);
            }
            Suspicion::UnlistedNames if told.recommendation.directions.has_egress() => {
                let why = format!(
                    "{addresses}: the cluster's DNS is not in the inventory. Where it is one of these, no rule leads to its pods, and \
                     none of who asks there will find a name. {WHOLE_INVENTORY}."
                );
                cautions.add(Level::Stop, "Names are asked of somebody unknown", why);
            }
            Suspicion::UnlistedService | Suspicion::UnlistedNames => {}
        }
    }
}

fn missed_runs(cautions: &mut Cautions, told: &Told<'_>) {
    for missed in &told.facts.captures.missed_runs {
        // in Markdown the stars of a schedule would be something else
        let why = format!("CronJob {} (`{}`) {}: what it needs is not known.", missed.job, missed.schedule, missed.why);
        cautions.add(Level::Look, "A job that did not run", why);
    }
}

/// Workloads that are closed and were there for a small part of the window alone, each with how long. Jobs always are.
#[must_use]
pub fn watched_briefly(recommendation: &Recommendation, coverage: &Coverage) -> BTreeSet<String> {
    let groups = recommendation.namespaces.iter().flat_map(|plan| &plan.groups).filter(|group| !group.is_open);
    let lasting = groups.flat_map(|group| &group.members).filter(|it| !matches!(it.kind.as_str(), "Job" | "CronJob"));
    let told = |it: &WorkloadRef| Some(format!("{it} ({})", words::length(*coverage.brief.get(it)?)));
    lasting.filter_map(told).collect()
}

fn brief(cautions: &mut Cautions, told: &Told<'_>) {
    let brief = watched_briefly(told.recommendation, &told.facts.captures.coverage);
    if !brief.is_empty() {
        let why = format!(
            "{}: there for a small part of the window alone. What they need besides was not seen, and is denied: capture for longer before \
             they are closed.",
            told.few(&brief)
        );
        cautions.add(Level::Look, "Watched for a short time", why);
    }
}

fn meshes(cautions: &mut Cautions, told: &Told<'_>) {
    for hidden in &told.facts.captures.hidden {
        let why =
            format!("{hidden}. A rule on this port lets everything through that the mesh carries: restrict it there.");
        cautions.add(Level::Look, "A mesh hides the real ports", why);
    }
}

fn learning(cautions: &mut Cautions, told: &Told<'_>) {
    for (namespace, learning) in &told.facts.captures.learning {
        let level = if learning.state == State::Stable { Level::Note } else { Level::Look };
        cautions.add(level, "How complete", format!("{namespace}: {learning}."));
    }
}
