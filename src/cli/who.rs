//! Who is who, by files or by the store: what several commands ask for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Fault,
    common::Global,
    input::{self, file_name},
};
use crate::{
    inventory::{self, Directory, Listing, Problem, Reading, Sighted, Sighting},
    model::DEFAULT_SITE,
    proposal::directories,
    records,
    store::{Snapshot, Store},
};

/// Problems of one file that are printed one by one; the others are counted.
const MAX_PRINTED: usize = 10;

/// Who is who, for commands that need no traffic.
#[derive(Debug, clap::Args)]
pub(super) struct WhoArgs {
    /// Who is who, without the store: kubectl output, manifests or a hosts file; once for each file
    #[arg(long, value_name = "FILE")]
    pub inventory: Vec<PathBuf>,
    /// Only this site
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
}

impl WhoArgs {
    /// The inventory as it is now, of the files or of the store.
    pub async fn directory(&self, global: &Global) -> anyhow::Result<Directory> {
        current(global, &self.inventory, self.site.as_deref()).await
    }

    /// The same; none where no file is named and the store knows nobody.
    pub async fn directory_if_any(&self, global: &Global) -> anyhow::Result<Option<Directory>> {
        if !self.inventory.is_empty() {
            return self.directory(global).await.map(Some);
        }
        let found = directories(&global.store_to_read().await?, self.site.as_deref()).await?;
        if found.is_empty() { Ok(None) } else { Ok(Some(only_one(found)?.1)) }
    }
}

/// Reads a file into a store that is gone afterwards, and tells nothing but what could not be used.
pub(super) async fn add(store: &Store, file: &Path, site: &str) -> anyhow::Result<()> {
    let (mut reading, _) = read_of_site(file, site)?;
    print_problems(&file.display().to_string(), &reading.problems, reading.more_problems);
    store.add_snapshot(&snapshot(&mut reading, file, site)).await?;
    Ok(())
}

/// Reads an inventory file, and leaves out hosts that it places at another site: how many, it tells too. Where no site was
/// named, there is one, whatever the file calls it.
pub(super) fn read_of_site(file: &Path, site: &str) -> anyhow::Result<(Reading, usize)> {
    let mut reading = read_file(file)?;
    let elsewhere = if site == DEFAULT_SITE { 0 } else { reading.keep_site(site) };
    Ok((reading, elsewhere))
}

/// Reads an inventory file.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Reading> {
    let name = path.display().to_string();
    let bytes = input::whole(path).map_err(|error| input::unread(&name, &error))?;
    let is_capture = matches!(
        bytes.get(..4),
        Some([0xd4 | 0x4d, 0xc3 | 0x3c, 0xb2, 0xa1] | [0x0a, 0x0d, 0x0d, 0x0a] | [0xa1, 0xb2, ..])
    );
    inventory::read(&file_name(path), &bytes).map_err(|error| {
        let hint = if is_capture {
            "this is a capture: use `flowmap import`"
        } else if records::Format::of(bytes.get(..records::HEAD_BYTES).unwrap_or(&bytes)).is_some() {
            "this is a flow log: use `flowmap import`"
        } else {
            "expected is the output of `kubectl get ... -A -o json` or `-o yaml`, manifests, or a hosts file: YAML, or a CSV \
             with commas and a column `address`"
        };
        Fault::new(name, error).hint(hint).into()
    })
}

/// The objects are moved, for they may be most of the memory there is.
pub(super) fn snapshot(reading: &mut Reading, file: &Path, site: &str) -> Snapshot {
    Snapshot {
        site: site.to_owned(),
        source: file_name(file),
        taken_at: reading.taken_at,
        complete: reading.complete.clone(),
        problems: reading.problems.iter().map(Problem::line).collect(),
        objects: std::mem::take(&mut reading.objects),
    }
}

/// Prints the first problems one by one, and how many more there are.
pub(super) fn print_problems(name: &str, problems: &[Problem], more: usize) {
    for problem in problems.iter().take(MAX_PRINTED) {
        warnln!("{name}: {}", problem.line());
    }
    let more = problems.len().saturating_sub(MAX_PRINTED) + more;
    if more > 0 {
        warnln!("{name}: and {more} more like these");
    }
}

/// Who was who at a site when, as files alone tell it. What in them could not be used is told, unless `is_told` already.
pub(super) fn directory_of(files: &[PathBuf], site: &str, is_told: bool) -> anyhow::Result<Directory> {
    let (mut listings, mut texts) = (Vec::new(), Vec::new());
    for file in files {
        let (Reading { taken_at, complete, objects, problems, more_problems, .. }, _) = read_of_site(file, site)?;
        if !is_told {
            print_problems(&file.display().to_string(), &problems, more_problems);
        }
        let sighting = Sighting { listing: listings.len(), since: None, until: None };
        listings.push(Listing { source: file_name(file), taken_at, until: None, complete });
        texts.extend(objects.into_iter().map(|object| (object, sighting)));
    }
    let mut fault = None;
    // one object after the other: as values they take many times the room of their texts
    let sighted = texts.into_iter().map_while(|(text, sighting)| match serde_json::from_str(&text) {
        Ok(object) => Some(Sighted { object, sightings: vec![sighting] }),
        Err(error) => {
            fault = Some(error);
            None
        }
    });
    let directory = Directory::over(&listings, sighted);
    fault.map_or(Ok(directory), |error| Err(error.into()))
}

/// Who is who now: as files alone tell it, else as the store does of the site, which must be the only one or be named.
async fn current(global: &Global, files: &[PathBuf], site: Option<&str>) -> anyhow::Result<Directory> {
    if !files.is_empty() {
        return directory_of(files, site.unwrap_or(DEFAULT_SITE), false);
    }
    Ok(only_one(directories(&global.store_to_read().await?, site).await?)?.1)
}

/// The one site there is, by whatever was selected.
pub(super) fn only_one(mut found: BTreeMap<String, Directory>) -> Result<(String, Directory), Fault> {
    match (found.len(), found.pop_first()) {
        (1, Some(only)) => Ok(only),
        (0, _) | (_, None) => Err(Fault::new("inventory", "nobody is known yet")
            .hint("`flowmap inventory import FILE`, or name a file with --inventory")),
        (_, Some((first, _))) => Err(several_sites([&first].into_iter().chain(found.keys()))),
    }
}

/// That one of several sites must be named.
pub(super) fn several_sites<'s>(sites: impl Iterator<Item = &'s String>) -> Fault {
    let sites = sites.map(String::as_str).collect::<Vec<_>>().join(", ");
    Fault::new("inventory", format!("there are several sites: {sites}")).hint("choose one with --site")
}
