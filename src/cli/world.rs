//! What reading commands work on: the store, or files alone.

use std::path::Path;

use super::{
    Fault,
    common::{Global, Selection},
    import, inventory,
};
use crate::{
    model::{DEFAULT_SITE, Timestamp},
    proposal::{Window, World},
    store::Store,
};

/// Reads the store, or the files that stand in its place.
pub(super) async fn open(global: &Global, selection: &Selection) -> anyhow::Result<World> {
    opened(global, selection, false).await
}

/// The same with what frames said about links.
pub(super) async fn open_with_links(global: &Global, selection: &Selection) -> anyhow::Result<World> {
    opened(global, selection, true).await
}

async fn opened(global: &Global, selection: &Selection, with_links: bool) -> anyhow::Result<World> {
    if let (Some(since), Some(until)) = (selection.since, selection.until)
        && until < since
    {
        let fault = Fault::new(format!("--until {until}"), format!("is before --since {since}"));
        return Err(fault.hint("both are times in RFC 3339, or ages: --since 2h --until 1h").into());
    }
    let is_alone = !selection.from.is_empty();
    let store = if is_alone { Store::in_memory().await? } else { global.store().await? };
    let site = selection.site.as_deref().unwrap_or(DEFAULT_SITE);
    if is_alone {
        let options =
            import::Options { site: site.to_owned(), sensor: None, strict: false, decode: selection.tunnels.options() };
        for file in &selection.from {
            import::file(&store, file, &options, &import::Progress::hidden()).await?;
        }
    }
    for file in &selection.inventory {
        if is_alone {
            inventory::add(&store, file, site).await?;
        }
    }
    tell_of_days(&store, selection).await?;
    let window = window(selection);
    let mut world = World::read(&store, &window).await?;
    if with_links {
        world.read_links(&store, &window).await?;
    }
    if !is_alone && !selection.inventory.is_empty() {
        replace_inventory(&mut world, selection)?;
    }
    Ok(world)
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
    for site in &mut world.sites {
        site.directory = inventory::directory_of(&selection.inventory, &site.name)?;
    }
    Ok(())
}

/// What of the store was selected.
pub(super) fn window(selection: &Selection) -> Window {
    let Selection { site, since, until, exclude_run, .. } = selection;
    Window { site: site.clone(), since: *since, until: *until, exclude: exclude_run.iter().copied().collect() }
}

/// A file's name without its folder, for the store and for messages: folders differ from machine to machine.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
