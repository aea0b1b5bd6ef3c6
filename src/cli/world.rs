//! What reading commands work on: the store, or files alone.

use std::collections::BTreeSet;

use super::{
    Fault,
    common::{Global, Selection},
    fault::{one_line, printable},
    import, input, who,
};
use crate::{
    model::{DEFAULT_SITE, Span, Timestamp},
    proposal::{Site, Window, World},
    store::{RunId, Store},
};

/// Reads the store, or the files that stand in its place.
pub(super) async fn open(global: &Global, selection: &Selection) -> anyhow::Result<World> {
    opened(global, selection, Beside::Nothing).await
}

/// Reads the store, and what frames said about links.
pub(super) async fn open_with_links(global: &Global, selection: &Selection) -> anyhow::Result<World> {
    opened(global, selection, Beside::Links).await
}

/// Reads the store, and which applications were recognised.
pub(super) async fn open_with_applications(global: &Global, selection: &Selection) -> anyhow::Result<World> {
    opened(global, selection, Beside::Applications).await
}

/// What is read beside traffic and names.
enum Beside {
    Nothing,
    Links,
    Applications,
}

/// Refuses a window that ends before it begins.
pub(super) fn in_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Fault> {
    let (Some(since), Some(until)) = (since, until) else { return Ok(()) };
    if since <= until {
        return Ok(());
    }
    let fault = Fault::new(format!("--until {until}"), format!("is before --since {since}"));
    Err(fault.hint("both are times in RFC 3339, or ages: --since 2h --until 1h"))
}

async fn opened(global: &Global, selection: &Selection, beside: Beside) -> anyhow::Result<World> {
    in_order(selection.since, selection.until)?;
    let is_alone = !selection.from.is_empty();
    let store = store(global, selection).await?;
    tell_of_days(&store, selection).await?;
    let window = window(selection);
    let mut world = World::read(&store, &window).await?;
    are_runs(&selection.exclude_run, &world.held.runs)?;
    tell_strays(&world);
    match beside {
        Beside::Nothing => {}
        Beside::Links => world.read_links(&store, &window).await?,
        Beside::Applications => world.read_applications(&store, &window).await?,
    }
    if !is_alone && !selection.inventory.is_empty() {
        replace_inventory(&mut world, selection)?;
    }
    Ok(world)
}

/// The store, or what files make of one that is gone afterwards.
pub(super) async fn store(global: &Global, selection: &Selection) -> anyhow::Result<Store> {
    if selection.from.is_empty() {
        return global.store_to_read().await;
    }
    let store = Store::in_memory().await?;
    let site = selection.site.as_deref().unwrap_or(DEFAULT_SITE);
    let options = import::Options {
        site: site.to_owned(),
        // which of them to look at is selected when they are read
        store_site: None,
        sensor: None,
        strict: false,
        decode: selection.tunnels.options(),
        log_start: selection.logs.log_start,
    };
    for file in &selection.from {
        for (run, _) in import::file(&store, file, &options, &input::Progress::hidden()).await? {
            warn_text!("{}", printable(&import::warnings(&run)));
        }
    }
    for file in &selection.inventory {
        who::add(&store, file, site).await?;
    }
    Ok(store)
}

/// Says which captures have times that cannot be: they watched nobody then.
fn tell_strays(world: &World) {
    for (source, connections, Span { first, last }) in &world.strays {
        warnln!(
            "{}: {connections} of its connections from {first} to {last}, more than a month from all others: a clock was wrong, and \
             nobody watched then",
            one_line(source)
        );
    }
}

/// Refuses to leave out a run that there is not: a mistyped id would leave it in.
pub(super) fn are_runs(excluded: &[RunId], runs: &BTreeSet<RunId>) -> Result<(), Fault> {
    match excluded.iter().find(|id| !runs.contains(id)) {
        Some(id) => Err(Fault::new(format_args!("--exclude-run {id}"), "there is no such run")
            .hint("`flowmap runs` lists them with their ids")),
        None => Ok(()),
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// That there is no such site, and which there are, where there are others.
pub(super) fn no_site(world: &World, selection: &Selection) -> Option<String> {
    let known = &world.held.sites;
    let site = selection.site.as_ref().filter(|site| !known.is_empty() && !known.contains(*site))?;
    Some(format!("nothing is known of the site {site}; known are {}", list(known)))
}

/// Why a list of `what` is empty, in a line.
pub(super) fn why_none(what: &str, world: &World, selection: &Selection, namespaces: &[String]) -> String {
    let held = &world.held;
    if let Some(why) = no_site(world, selection) {
        return format!("no {what}: {why}");
    }
    let known: BTreeSet<String> = world.sites.iter().flat_map(Site::namespaces).collect();
    if let Some(unknown) = namespaces.iter().find(|name| !known.contains(*name)) {
        let known = if known.is_empty() { "no namespace is".to_owned() } else { format!("known are {}", list(&known)) };
        return format!("no {what}: the namespace {unknown} is not in the inventory; {known}");
    }
    let is_selected = selection.since.is_some() || selection.until.is_some() || !selection.exclude_run.is_empty();
    match held.span {
        Some(Span { first, last }) if is_selected => {
            format!("no {what} in what was selected; there are captures from {first} to {last}")
        }
        _ if !namespaces.is_empty() => format!("no {what} of {}", namespaces.join(", ")),
        _ if !held.runs.is_empty() => format!("no {what} in what was captured; `flowmap status` tells what there was"),
        _ => format!("no {what}; `flowmap import FILE` reads a capture, `flowmap capture IFACE` takes one"),
    }
}

/// Says where a window begins or ends among hours that were brought into days.
async fn tell_of_days(store: &Store, selection: &Selection) -> anyhow::Result<()> {
    const DAY_NS: i64 = 86_400 * 1_000_000_000;
    let edges = [("--since", selection.since), ("--until", selection.until)];
    let inner: Vec<_> = edges.iter().filter_map(|(flag, time)| Some((flag, (*time)?))).collect();
    if inner.is_empty() {
        return Ok(());
    }
    let Some((first, last)) = store.thinned(selection.site.as_deref()).await? else { return Ok(()) };
    let end = Timestamp(last.start().0.saturating_add(DAY_NS));
    for (flag, time) in inner {
        let is_within = time > first.start() && time < end && time.0.rem_euclid(DAY_NS) != 0;
        if is_within {
            warnln!(
                "{flag} {time}: hours were brought into days from {first} to {end}; what a connection sent in a day counts in its first hour there"
            );
        }
    }
    Ok(())
}

/// `--inventory` beside the store: these files stand in for what the store knows.
fn replace_inventory(world: &mut World, selection: &Selection) -> anyhow::Result<()> {
    for (n, site) in world.sites.iter_mut().enumerate() {
        site.directory = who::directory_of(&selection.inventory, &site.name, n > 0)?;
        // those of the files were told when they were read
        site.listing_faults.clear();
    }
    Ok(())
}

/// What of the store was selected.
pub(super) fn window(selection: &Selection) -> Window {
    let Selection { site, since, until, exclude_run, .. } = selection;
    Window { site: site.clone(), since: *since, until: *until, exclude: exclude_run.iter().copied().collect() }
}
