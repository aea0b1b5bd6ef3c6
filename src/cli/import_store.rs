//! Another store into this one: what other hosts captured, and who they knew was who.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;

use super::{
    Fault,
    fault::one_line,
    import::{Options, unreadable},
    input::Progress,
};
use crate::store::{self, FileId, Run, Store, StoreError, TakingIn, Written};

/// What every file of SQLite begins with (<https://www.sqlite.org/fileformat.html>, section 1.3).
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Whether a file that begins so may be a store.
pub(super) fn is_one(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Takes a store in. `input` is what is in it where it is compressed, or comes by a pipe.
pub(super) async fn file(
    store: &Store,
    path: &Path,
    options: &Options,
    (input, progress): (Box<dyn Read + Send>, &Progress),
) -> anyhow::Result<Vec<(Run, Written)>> {
    let name = path.display().to_string();
    options.suit_a_store(&name)?;
    let folder = store::folder_for_copies().with_context(|| name.clone())?;
    let from = if begins_as_one(path) { path.to_owned() } else { unpacked(&name, input, &folder)? };
    let other = Store::copied(&from).await.map_err(|error| of(&name, &from, &error, options.strict))?;
    if let Some(site) = &options.store_site {
        are_of_one_site(&name, site, &other).await?;
    }
    let how = TakingIn { site: options.store_site.as_deref(), is_strict: options.strict };
    let taken = store.take_in(&other, how, |bytes| progress.advance(bytes)).await;
    other.close().await;
    let taken = taken.map_err(|error| {
        // that is read alone: these are of the store that is written
        let is_of_target = matches!(error, StoreError::Full | StoreError::Locked | StoreError::ReadOnly);
        if is_of_target { error.into() } else { of(&name, &from, &error, options.strict) }
    })?;
    let file = one_line(&super::input::file_name(path));
    if taken.listings > 0 {
        warnln!("{file}: {} of {} listings of who is who were new", taken.new_listings, taken.listings);
    }
    if taken.runs.is_empty() {
        warnln!("{file}: no runs in it");
    }
    Ok(taken.runs)
}

/// Refuses to import a store into itself: to open it a second time would take its locks away.
pub(super) fn is_another(path: &Path, store: &Path) -> Result<(), Fault> {
    match FileId::at(path) {
        Some(it) if FileId::at(store) == Some(it) => {
            let hint = "name the store of another host, or another one for this with --db";
            Err(Fault::new(path.display(), "is the store that it would go to").hint(hint))
        }
        _ => Ok(()),
    }
}

/// What was asked of captures alone is refused.
impl Options {
    fn suit_a_store(&self, name: &str) -> Result<(), Fault> {
        if let Some(sensor) = &self.sensor {
            let why = format!("{name} is a store, whose runs tell where they were taken");
            return Err(Fault::new(format_args!("--sensor {sensor}"), why).hint("leave it out for stores"));
        }
        if let Some(port) = self.decode.vxlan_ports.first() {
            let why = format!("{name} is a store, whose packets are decoded already");
            return Err(Fault::new(format_args!("--vxlan-port {port}"), why).hint("leave it out for stores"));
        }
        Ok(())
    }
}

/// Sites never mix: those of a store that has several stay what they are.
async fn are_of_one_site(name: &str, site: &str, other: &Store) -> anyhow::Result<()> {
    let sites = other.sites().await?;
    if sites.len() > 1 {
        let list = sites.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let why = format!("{name} holds several sites ({list}), which would become one");
        return Err(Fault::new(format_args!("--site {site}"), why).hint("without it each keeps its name").into());
    }
    Ok(())
}

fn begins_as_one(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    let read = |mut file: File| file.read_exact(&mut head);
    path.is_file() && File::open(path).and_then(read).is_ok() && is_one(&head)
}

fn unpacked(name: &str, mut input: Box<dyn Read + Send>, folder: &TempDir) -> anyhow::Result<PathBuf> {
    let path = folder.path().join("unpacked.db");
    let copied = File::create(&path).and_then(|mut file| io::copy(&mut input, &mut file));
    copied.map_err(|why| match why.kind() {
        io::ErrorKind::StorageFull => of(name, &path, &StoreError::Full, false),
        _ => unreadable(name, &why),
    })?;
    Ok(path)
}

/// An error of a store by the name that was typed.
fn of(name: &str, from: &Path, error: &StoreError, is_strict: bool) -> anyhow::Error {
    let text = error.to_string();
    let why = text.strip_prefix(&format!("{}: ", from.display())).unwrap_or(&text).to_owned();
    let fault = Fault::new(name, why);
    match error {
        StoreError::NotAStore(_) => {
            fault.hint("captures are pcap or pcapng files; of SQLite files flowmap's own are read").into()
        }
        StoreError::Copy(..) | StoreError::Full => {
            fault.hint("a copy is made in the folder of temporary files: TMPDIR names another").into()
        }
        StoreError::Damaged(_) if is_strict => fault.hint("without --strict what is whole is used").into(),
        StoreError::Damaged(_) => fault.hint("sqlite3 can take out what is left of it: .recover").into(),
        _ => fault.into(),
    }
}
