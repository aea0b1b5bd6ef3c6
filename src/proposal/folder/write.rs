//! Writing a folder. Everything is written beside its place first, then every place is looked at, and only then are the
//! files put there, between two indices: the first says what was there and what will be, so that a folder whose writer
//! was stopped halfway is told from one that a person edited.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Found, INDEX, LASTING, Lock, text_of};
use crate::{
    proposal::ProposalError,
    render::{Document, Index, Policies, WayBack},
};

/// What the names of files end in that are not in their place yet.
const STAGED: &str = ".flowmap-new";

/// Writes the documents, the index last, and removes those of the proposal that was there before and are no longer
/// wanted.
pub fn replace(
    folder: &Path,
    documents: &[Document],
    policies: &Policies,
    found: &Found,
    (way_back, is_waiting): (&WayBack, &dyn Fn(&Path)),
) -> Result<(), ProposalError> {
    let old = found.files();
    check(folder, documents, &old)?;
    let wanted: BTreeSet<&str> = documents.iter().map(|document| document.path.as_str()).collect();
    let first =
        Index::between(old.union(&wanted).copied(), policies, &found.now, (found.index.site.as_deref(), way_back))
            .document(INDEX);
    let unwanted: Vec<&str> = old.difference(&wanted).copied().filter(|path| !LASTING.contains(path)).collect();
    let mut stage = Stage::default();
    let fault = |error: io::Error| ProposalError::Write { folder: folder.to_owned(), error };
    if !stage.all(folder, &first, documents, (found, is_waiting)).map_err(fault)? {
        return Err(ProposalError::Changed(folder.to_owned()));
    }
    stage.commit(folder, &unwanted).map_err(fault)
}

/// Every file has a place, and none is somebody else's: the index tells what is flowmap's. A file that holds what it
/// would hold anyway is in nobody's way.
fn check(folder: &Path, documents: &[Document], old: &BTreeSet<&str>) -> Result<(), ProposalError> {
    let new = documents.iter().map(|document| (document.path.as_str(), Some(&document.text)));
    for (name, text) in new.chain(old.iter().map(|path| (*path, None))) {
        let path = folder.join(name);
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            return Err(ProposalError::IsFolder(path));
        }
        let is_equal = || text_of(&path).is_ok_and(|known| known.as_ref() == text);
        if !old.contains(name) && !is_equal() {
            return Err(ProposalError::NotOurs(path));
        }
    }
    Ok(())
}

/// Where a file is written before it is put into its place.
pub(super) fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{STAGED}"))
}

/// Files that are not in their place yet. Unless they are put there, they go, and the folders that were made for them.
#[derive(Default)]
pub(super) struct Stage {
    /// Each file with its place; the first is the index that says what will be, the last the one that says what is.
    files: Vec<(PathBuf, PathBuf)>,
    made: Vec<PathBuf>,
    lock: Option<Lock>,
}

impl Stage {
    /// Writes everything beside its place. False where somebody changed the folder since it was read.
    fn all(
        &mut self,
        folder: &Path,
        first: &Document,
        documents: &[Document],
        (found, is_waiting): (&Found, &dyn Fn(&Path)),
    ) -> io::Result<bool> {
        self.make(folder)?;
        if found.lock.is_none() {
            self.lock = Lock::of(folder, is_waiting);
        }
        let mut texts = found.texts.clone();
        if !is_as_read(folder, &texts) {
            return Ok(false);
        }
        if found.was_stopped {
            // what became of that run is noted, and then its leftovers tell nothing any more
            let settled = found.index.document(INDEX);
            self.write(&folder.join(".settled"), &folder.join(INDEX), &settled.text)?;
            self.put(self.files.len())?;
            texts.insert(INDEX.to_owned(), Some(settled.text));
        }
        clear(folder)?;
        self.write(&folder.join(".first"), &folder.join(INDEX), &first.text)?;
        for document in documents {
            let place = folder.join(&document.path);
            self.make(place.parent().unwrap_or(folder))?;
            self.write(&place, &place, &document.text)?;
        }
        Ok(is_as_read(folder, &texts))
    }

    /// Puts everything into its place.
    fn commit(mut self, folder: &Path, unwanted: &[&str]) -> io::Result<()> {
        self.put(1)?;
        self.made.clear();
        // from here on the folder is between two proposals, and what is staged says how far
        let mut files = std::mem::take(&mut self.files);
        let last = files.pop();
        for (from, to) in files {
            fs::rename(from, to)?;
        }
        for path in unwanted {
            remove(folder, path)?;
        }
        last.map_or(Ok(()), |(from, to)| fs::rename(from, to))
    }

    /// Keeps the folders that were made.
    pub fn keep(&mut self) {
        self.made.clear();
    }

    /// Puts so many files into their places.
    pub fn put(&mut self, count: usize) -> io::Result<()> {
        for (from, to) in self.files.drain(..count) {
            fs::rename(from, to)?;
        }
        Ok(())
    }

    pub fn write(&mut self, beside: &Path, place: &Path, text: &str) -> io::Result<()> {
        let path = staged(beside);
        self.files.push((path.clone(), place.to_owned()));
        let mut file = fs::File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// Makes a folder and those above it.
    pub fn make(&mut self, folder: &Path) -> io::Result<()> {
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing: Vec<PathBuf> = folder.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        self.made.extend(missing.into_iter().rev());
        fs::create_dir_all(folder)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for (from, _) in &self.files {
            let _ = fs::remove_file(from);
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn is_as_read(folder: &Path, texts: &BTreeMap<String, Option<String>>) -> bool {
    texts.iter().all(|(path, text)| match (text_of(&folder.join(path)), text) {
        (Ok(now), text) => now == *text,
        // what is no folder, or may not be read, is told when it is written
        (Err(_), text) => text.is_none(),
    })
}

/// Removes what a run that was stopped left beside its place.
fn clear(folder: &Path) -> io::Result<()> {
    let is_left = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with('.') && name.ends_with(STAGED)
    };
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let within = if path.is_dir() && !path.is_symlink() { paths_in(&path)? } else { vec![path] };
        for path in within.iter().filter(|path| is_left(path)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn paths_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        // a person's own
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes a file below a folder, and the folder that it was in where that is empty then.
pub(super) fn remove(folder: &Path, path: &str) -> io::Result<()> {
    let path = folder.join(path);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // a namespace's folder goes with its last file
    if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
        let _ = fs::remove_dir(parent);
    }
    Ok(())
}
