//! `flowmap inventory import`: files that say who was who.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Done, Fault,
    common::{SiteArg, moment},
    fault::one_line,
    who::{print_problems, read_of_site, snapshot},
};
use crate::{
    inventory::Reading,
    model::{AskedFor, Cluster, Pod, RawObject, Timestamp, words::count},
    proposal::directories,
    store::Store,
};

/// Read kubectl output, manifests or a hosts file into the store.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl get no,ns,po,svc,endpointslices,deploy,rs,sts,ds,job,cj,ing,netpol \\
      -A -o json | flowmap inventory import -
  flowmap inventory import cluster.json
  flowmap inventory import --site lab hosts.csv
  kubectl get networkpolicies -A -o json | \\
      flowmap inventory import --taken-at 0s -")]
pub(super) struct Args {
    /// JSON or YAML of Kubernetes objects, or a hosts file, also gzip or zstd; - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    site: SiteArg,
    /// Refuse a file that holds anything that cannot be used
    #[arg(long)]
    strict: bool,
    /// The files list only a part, chosen by label or name: what they lack is not taken as gone
    #[arg(long)]
    partial: bool,
    /// When the files were taken, if later than any time in them: RFC 3339, or an age such as 10m
    #[arg(long, value_name = "TIME", value_parser = moment)]
    taken_at: Option<Timestamp>,
}

pub(super) async fn run(store: &Store, args: &Args) -> anyhow::Result<Done> {
    let Args { files, site, strict, partial, taken_at } = args;
    let site = site.site.as_str();
    for file in files {
        let (mut reading, elsewhere) = read_of_site(file, site)?;
        if *partial {
            reading.complete = reading.complete.of_selection();
        }
        if let Some(problem) = reading.problems.first().filter(|_| *strict) {
            let what = format!("{}: {}", file.display(), problem.object);
            return Err(Fault::new(what, &problem.reason).hint("without --strict what can be used is used").into());
        }
        if let Some(taken_at) = *taken_at {
            if let Some(latest) = reading.taken_at.filter(|latest| *latest > taken_at) {
                let what = format!("{}: --taken-at {taken_at}", file.display());
                let why = format!("is before {latest}, which its objects tell");
                return Err(Fault::new(what, why).hint("a listing is no older than what stands in it").into());
            }
            reading.taken_at = Some(taken_at);
        }
        let before = store.latest_listing(site).await?;
        let snapshot = snapshot(&mut reading, file, site);
        let is_known_name = snapshot.taken_at.is_none() && store.listed_files(site).await?.contains(&snapshot.source);
        let is_new = store.add_snapshot(&snapshot).await?;
        let known = match (is_new, *taken_at) {
            (true, _) => String::new(),
            (false, None) => " (already in the store)".to_owned(),
            (false, Some(time)) => format!(" (already in the store; taken at {time} or later)"),
        };
        report(file, &reading, &known);
        if is_new && is_known_name {
            let name = one_line(&snapshot.source);
            warnln!("{name}: tells no time, and what a file of this name said before holds beside it");
            warnln!("hint: where it was wrong: flowmap inventory rm {name}, and import it again");
        }
        if elsewhere > 0 {
            warnln!("{}: {elsewhere} hosts of other sites left out", shown(file));
        }
        if before >= reading.taken_at && before.is_some() {
            warn_outdated(store, (file, site), (&reading, is_new)).await?;
        }
    }
    Ok(Done::Clean)
}

/// Policies tell when they were made and not when they were changed, and what is gone tells nothing: says where a listing is dated
/// before what is known, and changes nothing of it.
async fn warn_outdated(
    store: &Store,
    (file, site): (&Path, &str),
    (reading, is_new): (&Reading, bool),
) -> anyhow::Result<()> {
    const KIND: &str = "NetworkPolicy";
    const POD: &str = "Pod";
    const SHOWN: usize = 3;
    let called =
        |policy: &RawObject| (policy.object["kind"].as_str().unwrap_or_default().to_owned(), policy.full_name());
    let listed = &reading.cluster.policies;
    if listed.is_empty() && !reading.complete.iter().any(|(kind, _)| [KIND, POD].contains(&kind)) {
        return Ok(());
    }
    let Some(directory) = directories(store, Some(site)).await?.remove(site) else { return Ok(()) };
    let current = &directory.cluster().policies;
    let is_listed = |known: &RawObject| listed.iter().any(|policy| policy.object == known.object);
    let is_told_of = |known: &RawObject| {
        let namespace = known.object["metadata"]["namespace"].as_str().unwrap_or_default();
        let kind = known.object["kind"].as_str().unwrap_or_default();
        reading.complete.covers(kind, namespace) || listed.iter().any(|policy| called(policy) == called(known))
    };
    let stale = current.iter().filter(|known| is_told_of(known) && !is_listed(known)).map(|known| called(known).1);
    let mut stale: BTreeSet<String> = stale.collect();
    let pods: BTreeSet<_> = reading.cluster.pods.iter().map(|pod| (&pod.namespace, &pod.name)).collect();
    let is_missing =
        |pod: &&Pod| reading.complete.covers(POD, &pod.namespace) && !pods.contains(&(&pod.namespace, &pod.name));
    let missing = directory.cluster().pods.iter().filter(|pod| is_new && !pod.finished).filter(is_missing);
    stale.extend(missing.map(|pod| format!("Pod {}/{}", pod.namespace, pod.name)));
    if stale.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = stale.iter().take(SHOWN).map(String::as_str).collect();
    let more = if stale.len() > SHOWN { format!(" and {} more", stale.len() - SHOWN) } else { String::new() };
    let dated = reading.taken_at.map_or_else(|| "tell no time".to_owned(), |time| format!("tell {time} at the latest"));
    warnln!(
        "{}: its objects {dated}, and what is known already is as late or later: as they were known stay {}",
        shown(file),
        one_line(&format!("{}{more}", names.join(", ")))
    );
    warnln!("hint: if this listing is newer, say when it was taken: --taken-at TIME, such as 0s for now");
    Ok(())
}

/// A file's name in a line.
fn shown(file: &Path) -> String {
    one_line(&file.display().to_string())
}

fn report(file: &Path, reading: &Reading, known: &str) {
    let name = shown(file);
    let Cluster { pods, services, nodes, namespaces, hosts, policies, ingresses, webhooks, service_ranges, .. } =
        &reading.cluster;
    let asked = |what: AskedFor| webhooks.iter().filter(|webhook| webhook.asked_for == what).count();
    let counts = [
        (namespaces.len(), "namespace"),
        (nodes.len(), "node"),
        (pods.len(), "pod"),
        (services.len(), "service"),
        (hosts.len(), "host"),
        (policies.len(), "policy"),
        (ingresses.len(), "ingress"),
        (asked(AskedFor::Admission), "webhook"),
        (asked(AskedFor::Conversion), "conversion"),
        (asked(AskedFor::Api), "API service"),
        (service_ranges.len(), "Service range"),
    ];
    let found: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(*n as u64, what)).collect();
    warnln!("{name}: {}{known}", if found.is_empty() { "nothing of use".into() } else { found.join(", ") });
    print_problems(&name, &reading.problems, reading.more_problems);
    if !reading.skipped.is_empty() {
        let kinds = reading.skipped.iter().map(|(kind, count)| format!("{count} {kind}"));
        warnln!("{name}: not used: {}", one_line(&kinds.collect::<Vec<_>>().join(", ")));
    }
}
