//! What captures may have missed.

use std::fmt::Write;

use super::{Cautions, Check, Level, Told};
use crate::{map::State, render::words};

/// Each kind once, in this order.
pub(super) const CHECKS: [Check; 13] = [
    loss,
    filters,
    light,
    who_is_who,
    verdicts_alone,
    blocked,
    swept,
    unasked,
    ftp,
    near_pods,
    missed_runs,
    meshes,
    learning,
];

fn loss(cautions: &mut Cautions, told: &Told<'_>) {
    let captures = &told.facts.captures;
    let (dropped, unread, damaged) = (captures.dropped(), captures.unread, captures.damaged as u64);
    if dropped > 0 || damaged > 0 {
        let mut why = format!(
            "{} never reached a capture, {} damaged or incomplete",
            words::count(dropped, "packet"),
            words::count(damaged, "capture")
        );
        if unread > 0 {
            // writing to a String cannot fail
            let _ = write!(why, " ({unread} of their packets or records could not be read)");
        }
        why.push_str(": rare connections may be missing.");
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

fn near_pods(cautions: &mut Cautions, told: &Told<'_>) {
    let addresses: Vec<String> = told.facts.captures.near_pods.iter().map(ToString::to_string).collect();
    if !addresses.is_empty() {
        let why = format!(
            "{}: pods have addresses beside them, and no node lists a range of pods that holds them. Whichever is a pod that the \
             inventory does not know, its rule lets nothing through, or whoever gets its address next. Import the pods of all \
             namespaces as they were then, and nodes with their `podCIDR`s.",
            told.few(&addresses)
        );
        cautions.add(Level::Look, "Pods taken for outside?", why);
    }
}

fn missed_runs(cautions: &mut Cautions, told: &Told<'_>) {
    for missed in &told.facts.captures.missed_runs {
        // in Markdown the stars of a schedule would be something else
        let why = format!("CronJob {} (`{}`) {}: what it needs is not known.", missed.job, missed.schedule, missed.why);
        cautions.add(Level::Look, "A job that did not run", why);
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
