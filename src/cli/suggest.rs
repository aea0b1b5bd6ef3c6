//! `flowmap suggest`: NetworkPolicies for review.

use std::{collections::BTreeSet, path::Path};

use super::{
    Done, Fault,
    common::{Global, Namespaces},
    doubts,
    policies::say,
    print,
    suggest_args::Args,
    suggest_report::{report, warn, warn_idle},
    world,
};
use crate::{
    clock,
    map::By,
    model::Dependency,
    proposal::{self, Asked, Found, Judge, Known, ProposalError, Site, folder},
    recommend::Recommendation,
    render::{self, Document, Facts, Policies},
};

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    if args.namespaces.namespace.is_empty() && !args.namespaces.all_namespaces {
        return Err(Fault::new("suggest", "which namespace?").hint("name it with -n, or take all with -A").into());
    }
    let world = world::open_with_applications(global, &args.selection).await?;
    let site = world.site_of(&args.namespaces.namespace)?;
    world.has_captures_of(site)?;
    let dependencies = site.dependencies(By::Workload);
    let namespaces = namespaces(&args.namespaces, site, &dependencies)?;
    let coverage = site.coverage();
    let is_stream = args.out_dir.as_os_str() == "-";
    let mut found = if is_stream { Found::default() } else { folder::read(&args.out_dir, &site.name, &tell_waiting)? };
    // files alone have no store, and nothing was decided of them
    let store = if args.selection.from.is_empty() { Some(global.store().await?) } else { None };
    let known = match &store {
        Some(store) => Known::read(store, &site.name, &site.namespaces()).await?,
        None => Known::default(),
    };
    known.tell(&mut found, clock::now());
    let others = found.others(&namespaces);
    if !others.is_empty() {
        say(&format!(
            "{}: the documents of {} go, for {} not asked for; what was decided of them is kept",
            args.out_dir.display(),
            others.join(", "),
            if others.len() == 1 { "it was" } else { "they were" }
        ));
    }
    let judge = Judge::new(site, &dependencies, &namespaces);
    let (dependencies, namespaces, coverage) = (&dependencies[..], &namespaces, &coverage);
    let asked = Asked { request: args.request(), site, dependencies, namespaces, coverage, judge };
    let proposal = asked.proposal(&found)?;
    let replay = asked.judge.replay(&proposal.set);
    warn_idle(&proposal.policies.idle);
    let is_denied_on_top = if is_stream {
        print::text(stream(&proposal.policies.documents).as_bytes())?;
        let denied = asked.judge.replay_on_top(&proposal.set).map_or(0, |it| it.denied);
        if denied > 0 {
            let by_itself = replay.denied;
            say(&format!(
                "with what is deployed {denied} recorded connections are denied, by the proposal alone {by_itself}"
            ));
        }
        denied > 0
    } else {
        let decided = proposal.decided();
        let sights = asked.judge.sights(&proposal.set);
        let facts = asked.facts(&world.runs, &known.log, &proposal, replay.clone(), &sights);
        warn(&facts, &decided, &found);
        // before the folder: what was taken back there is not brought back if this run is killed in between
        if let Some(store) = &store {
            let decisions = &proposal.policies.decisions;
            for contradiction in known.contradictions(&args.out_dir, &found, decisions) {
                say(&contradiction);
            }
            known.keep(store, &args.out_dir, &found, decisions, &BTreeSet::new(), clock::now()).await?;
        }
        let page = asked.page(&decided, &facts, &sights).document()?;
        write(&args, (&proposal.policies, page), &decided, &facts, &found)?;
        report(&args, &proposal.policies, &decided, &facts)?;
        facts.in_place().denied > 0
    };
    doubts::warn_incomplete(&world.runs, &site.name);
    // deployed policies may keep open what the proposal denies, and deny what it allows
    Ok(if replay.denied > 0 || is_denied_on_top { Done::Found } else { Done::Clean })
}

fn tell_waiting(folder: &Path) {
    say(&format!("{}: another flowmap is writing there: waiting for it", folder.display()));
}

fn write(
    args: &Args,
    (policies, page): (&Policies, Document),
    decided: &Recommendation,
    facts: &Facts,
    found: &Found,
) -> Result<(), ProposalError> {
    let mut documents = policies.documents.clone();
    documents.extend([render::review(decided, facts), page]);
    let mut files: Vec<String> = documents.iter().map(|document| document.path.clone()).collect();
    files.push(folder::INDEX.to_owned());
    files.extend(found.lasting().map(str::to_owned));
    files.sort();
    documents.push(render::evidence(decided, policies, facts, (&files, found.way_back())));
    folder::replace(&args.out_dir, &documents, policies, found, (found.way_back(), &tell_waiting))
}

/// The namespaces asked for. One of which nothing was seen is an error, for any proposal would be a guess.
fn namespaces(asked: &Namespaces, site: &Site, dependencies: &[Dependency]) -> Result<BTreeSet<String>, ProposalError> {
    let found = proposal::namespaces(&asked.namespace, site, dependencies)?;
    for name in &found.unseen {
        warnln!("flowmap: namespace {name}: nothing was seen of it, no policies");
    }
    if !found.system.is_empty() {
        let system = found.system.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        warnln!("flowmap: --all-namespaces: without the cluster's own: {system}; name it with -n for its policies");
    }
    found.any_seen()?;
    Ok(found.seen)
}

/// All policies as one stream of YAML documents.
fn stream(policies: &[Document]) -> String {
    let is_policy = |document: &&Document| !document.path.ends_with("/kustomization.yaml");
    policies.iter().filter(is_policy).map(|document| document.text.as_str()).collect::<Vec<_>>().join("---\n")
}
