//! What `flowmap suggest` prints beside the documents.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde_json::{Value, json};

use super::{
    common::Output,
    doubts,
    fault::one_line,
    print::{self, Table},
    simulate,
    suggest_args::Args,
};
use crate::{
    model::{Suspicion, Watched},
    proposal::Found,
    recommend::{Group, NamespacePlan, Recommendation},
    render::{self, Facts, Policies, PolicyKey, Seen},
};

/// Says aloud what the policies cannot tell of themselves.
pub(super) fn warn(facts: &Facts, recommendation: &Recommendation, found: &Found) {
    warn_of_deployed(facts);
    if facts.captures.verdicts_alone > 0 {
        warnln!(
            "flowmap: WARNING: of {} connections a log of Hubble has nothing but verdicts of policies, which never show an answer: no \
             rule comes of them, and what they need is denied; let Hubble log traces as well",
            facts.captures.verdicts_alone
        );
    }
    warn_of_folder(found);
    for hidden in &facts.captures.hidden {
        warnln!("flowmap: {}", one_line(&format!("mesh: {hidden}")));
    }
    recommendation.namespaces.iter().for_each(warn_of_unwatched);
    if recommendation.namespaces.iter().flat_map(|plan| &plan.groups).all(|group| group.is_open) {
        warnln!(
            "flowmap: nothing is closed, for no workload was watched all the time at its own side. Say at which node a capture was \
             taken with `import --sensor NODE`, capture without gaps, or close what was seen with --isolate-unseen"
        );
    }
    doubts::warn_brief(&render::watched_briefly(recommendation, &facts.captures.coverage));
    warn_suspects(&facts.captures.suspects);
    doubts::warn_swept(&facts.captures.swept);
    doubts::warn_unasked(&facts.captures.unasked);
    doubts::warn_outlasting(&facts.captures.outlasting);
    doubts::warn_led_elsewhere(&facts.captures.led_elsewhere);
    doubts::warn_guessed(&facts.captures.guessed);
    doubts::warn_ftp(&facts.captures.ftp, "give the server a range of ports for its data, and add that to its policy");
    doubts::warn_tftp(
        &facts.captures.tftp,
        "let the server answer from port 69, as dnsmasq does with tftp-single-port",
    );
    for blocked in &facts.captures.blocked {
        let render::Blocked { from, to, protocol, port, reason, .. } = blocked;
        let what = format!("{from} -> {to} {protocol}/{port}: not answered, maybe blocked while learning: {reason}");
        warnln!("flowmap: {}", one_line(&what));
    }
}

/// Of what is deployed: whether it is heeded, and what of it cannot be judged.
fn warn_of_deployed(facts: &Facts) {
    if facts.in_force.plugin.ignores() {
        warnln!("flowmap: WARNING: network plugin {}", facts.in_force.plugin);
    }
    for policy in &facts.in_force.unjudged {
        warnln!("flowmap: {}", one_line(&format!("deployed, not judged: {policy}")));
    }
    for doubt in &facts.in_force.unsure {
        warnln!("flowmap: {}", one_line(&format!("deployed: {doubt}")));
    }
}

/// Of what an earlier run left in the folder.
fn warn_of_folder(found: &Found) {
    if found.is_older {
        warnln!(
            "flowmap: the folder was written by an older flowmap: what was edited there since cannot be told, and is not kept"
        );
    }
    for document in found.ahead() {
        let document = one_line(document);
        warnln!("flowmap: {document}: was changed in the future, as its time says: it counts as changed now");
    }
}

/// Of workloads of a namespace that were not watched all the time, and of those that are left open for it.
fn warn_of_unwatched(plan: &NamespacePlan) {
    let is_partly_seen = |group: &&Group| (group.is_seen || !group.is_open) && group.watched != Watched::Covered;
    let names: Vec<&str> = plan.groups.iter().filter(is_partly_seen).map(|group| group.name.as_str()).collect();
    if !names.is_empty() {
        let names = one_line(&names.join(", "));
        warnln!("flowmap: {}: not watched at their own side all the time: {names}", plan.namespace);
    }
    for group in plan.groups.iter().filter(|group| group.is_open) {
        let name = one_line(&group.name);
        let why = match group.watched {
            Watched::Unseen if group.is_seen => "was seen from elsewhere alone",
            Watched::Partly => "was watched for a part of its time, or of its replicas', alone",
            _ => "nothing of it was seen, nor could all have been",
        };
        warnln!("flowmap: {}/{name}: {why}: it is left open", plan.namespace);
    }
}

/// Says aloud who is taken for outside and may be of the cluster.
fn warn_suspects(suspects: &BTreeMap<Suspicion, BTreeSet<IpAddr>>) {
    let named = |addresses: &BTreeSet<&IpAddr>| {
        let more = addresses.len().saturating_sub(1);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        addresses.first().map(|first| format!("{first}{more}"))
    };
    let (beside, unlisted): (Vec<_>, Vec<_>) =
        suspects.iter().partition(|(suspicion, _)| **suspicion == Suspicion::Pod);
    let [beside, unlisted] =
        [beside, unlisted].map(|all| all.into_iter().flat_map(|(_, addresses)| addresses).collect());
    if let Some(named) = named(&beside) {
        warnln!(
            "flowmap: {named} taken for outside, though pods have addresses beside: no node lists their range. Import the pods \
             of all namespaces and the nodes, or look at these rules twice"
        );
    }
    if let Some(named) = named(&unlisted) {
        warnln!(
            "flowmap: {named} taken for outside, and maybe of the cluster, of which the inventory lists a part. Import all of it \
             (`kubectl get no,svc,po,endpointslices -A -o json`), or look at these rules twice"
        );
    }
}

/// Says aloud which decisions find nothing to apply to: what was removed by hand may be allowed.
pub(super) fn warn_idle(idle: &[render::Idle]) {
    for render::Idle { policy, what } in idle {
        let what = format!("{policy}: {what} by hand: not in force in this proposal");
        warnln!("flowmap: {}", one_line(&what));
    }
}

/// Coverage first, then what was proposed and the verdict on the past.
pub(super) fn report(
    args: &Args,
    policies: &Policies,
    recommendation: &Recommendation,
    facts: &Facts,
) -> anyhow::Result<()> {
    let coverage = render::seen(recommendation, facts);
    let (table, values) = namespaces(policies, recommendation, facts);
    if args.output.output == Output::Json {
        let mut value = json!({
            "coverage": coverage, "out_dir": args.out_dir, "namespaces": values, "replay": facts.in_place(),
            "denied_already": facts.denied_already(), "granularities": facts.measured.granularities,
            "conflicts": facts.by_hand.conflicts.len(),
        });
        if facts.in_force.on_top.is_some() {
            value["replay_by_itself"] = json!(facts.replay);
        }
        return Ok(print::json(&value)?);
    }
    let is_csv = args.output.output == Output::Csv;
    if !is_csv {
        let line =
            |(namespace, seen): (&&str, &Seen)| one_line(&format!("coverage: {namespace}: {}", seen.line())) + "\n";
        print::text(coverage.iter().map(line).collect::<String>().as_bytes())?;
    }
    print::table(args.output.output, &table, "")?;
    if is_csv { Ok(()) } else { report_beside(args, facts) }
}

/// A line for each namespace, and the same as JSON.
fn namespaces(policies: &Policies, recommendation: &Recommendation, facts: &Facts) -> (Table, Vec<Value>) {
    let mut table = Table::new(&["namespace", "policies", "rules", "left open", "left out"]).numeric(&[1, 2, 3, 4]);
    let mut values = Vec::new();
    for plan in &recommendation.namespaces {
        let NamespacePlan { namespace, groups, dns, left_out } = plan;
        let is_policy = |key: &&PolicyKey| key.is_policy_of(namespace);
        let count = policies.written.0.keys().filter(is_policy).count();
        let rules = render::rules(plan, &facts.sheets);
        let open: Vec<&str> = groups.iter().filter(|group| group.is_open).map(|group| group.name.as_str()).collect();
        table.row(vec![
            namespace.clone(),
            count.to_string(),
            rules.to_string(),
            render::left_open(plan, &facts.sheets).len().to_string(),
            left_out.len().to_string(),
        ]);
        let dns = dns.as_ref().map_or(0, |dns| dns.clients.len());
        values.push(json!({
            "namespace": namespace, "policies": count, "rules": rules, "dns": dns, "left_open": open,
            "left_out": left_out.len(), "learning": facts.captures.learning.get(namespace),
        }));
    }
    (table, values)
}

/// What is printed below the table: the granularities, the verdict on the past, decisions in conflict.
fn report_beside(args: &Args, facts: &Facts) -> anyhow::Result<()> {
    print::text(format!("\n{}\n", granularities(&facts.measured.granularities).text()).as_bytes())?;
    let beside = facts.open_beside().map(|words| print::wrapped(&words, "")).unwrap_or_default();
    print::text(beside.as_bytes())?;
    for one in &facts.measured.granularities {
        let line = |why| one_line(&format!("{}: cannot be proposed: {why}", one.granularity)) + "\n";
        print::text(one.missing.as_ref().map(line).unwrap_or_default().as_bytes())?;
    }
    print::text(simulate::summary(facts.in_place()).as_bytes())?;
    let apart = facts.apart().map(|words| print::wrapped(&words, "")).unwrap_or_default();
    print::text(apart.as_bytes())?;
    for conflict in &facts.by_hand.conflicts {
        let verb = if conflict.is_added { "added" } else { "rejected" };
        let line = one_line(&format!("{}: {verb} by hand: {}", conflict.policy, conflict.what));
        print::text(print::wrapped(&line, "").as_bytes())?;
    }
    let review = args.out_dir.join("REVIEW.md");
    let line = format!("read {}, or report.html beside it, before you apply anything\n", review.display());
    print::text(line.as_bytes())?;
    Ok(())
}

/// What each granularity costs and leaves open.
fn granularities(all: &[render::Granularity]) -> Table {
    let header = ["granularity", "policies", "rules", "entries", "over-permission", "reach"];
    let mut table = Table::new(&header).numeric(&[1, 2, 3, 4, 5]);
    let figure = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2}"));
    for one in all {
        let name = if one.chosen { format!("{} (chosen)", one.name()) } else { one.name() };
        let render::Cost { policies, rules, entries, .. } = one.cost;
        let counts = [policies, rules, entries]
            .map(|count| if one.missing.is_some() { "-".to_owned() } else { count.to_string() });
        table.row([vec![name], counts.to_vec(), vec![figure(one.over_permission), figure(one.reach)]].concat());
    }
    table
}
