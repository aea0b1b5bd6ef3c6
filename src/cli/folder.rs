//! The folder that a proposal is written to: all of it or nothing, never a file that flowmap did not write, and never
//! against what a person made of it.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use serde_json::Value;

use super::Fault;
use crate::render::{Decisions, Document, Index, Written, read_document};

/// The document that lists the files of a proposal.
pub(super) const INDEX: &str = "evidence.json";

/// What a folder holds of the last proposal.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What was written and decided then.
    index: Index,
    /// The policies as they are now.
    pub now: Written,
    /// What the store keeps of decisions.
    pub kept: Decisions,
    /// Whether an older flowmap wrote it, that did not note what.
    pub is_older: bool,
}

impl Found {
    /// What a person decided until now. Of namespaces that the folder does not know, what the store keeps counts.
    pub fn decisions(&self) -> Decisions {
        let Some(last) = &self.index.written else { return self.kept.clone() };
        let mut decisions = self.index.decisions.clone();
        decisions.learn(last, &self.now);
        let known: BTreeSet<&str> = last.documents().iter().filter_map(|path| path.split('/').next()).collect();
        decisions.join(self.kept.without(&known));
        decisions
    }
}

/// Reads what is there. Anything that cannot be read is an error: what a person decided is never guessed.
pub(super) fn read(folder: &Path) -> anyhow::Result<Found> {
    let path = folder.join(INDEX);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        // whatever else is wrong with the folder is told when it is written
        Err(error) if error.kind() != io::ErrorKind::InvalidData => return Ok(Found::default()),
        Err(error) => return Err(foreign(&path, &error.to_string())),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| foreign(&path, &error.to_string()))?;
    let index: Index = serde_json::from_value(value).map_err(|error| foreign(&path, &error.to_string()))?;
    let mut found = Found { is_older: index.written.is_none(), ..Found::default() };
    for document in index.written.iter().flat_map(Written::documents).filter(|path| stays_inside(path)) {
        let path = folder.join(document);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&path, &error.to_string())),
        };
        let now = read_document(document, &text).map_err(|reason| unreadable(&path, &reason))?;
        found.now.0.extend(now.0);
    }
    found.index = index;
    Ok(found)
}

fn foreign(path: &Path, reason: &str) -> anyhow::Error {
    let why = format!("is there already, and is not what flowmap wrote: {reason}");
    Fault::new(path.display(), why).hint("move it away, or choose another --out-dir; if it is damaged, restore it: it holds what was decided by hand").into()
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    let hint = "mend it, or delete it: a policy that is deleted is not proposed again";
    Fault::new(path.display(), format!("what was changed there cannot be read: {reason}")).hint(hint).into()
}

/// Writes the documents, and removes those of the proposal that was there before and are no longer wanted.
pub(super) fn replace(folder: &Path, documents: &[Document], found: &Found) -> anyhow::Result<()> {
    let fault = |error: &io::Error| {
        let hint = "name a folder that you may write to with --out-dir";
        anyhow::Error::from(Fault::new(folder.display(), error).hint(hint))
    };
    let old: BTreeSet<&str> = found.index.files.iter().map(String::as_str).filter(|path| stays_inside(path)).collect();
    for document in documents {
        let path = folder.join(&document.path);
        if path.exists() && !old.contains(document.path.as_str()) && !is_own(&path) {
            let why = "is there already, and flowmap did not write it";
            return Err(Fault::new(path.display(), why).hint("move it away, or choose another --out-dir").into());
        }
    }
    fs::create_dir_all(folder).map_err(|error| fault(&error))?;
    // everything is written beside its place first: what can fail has failed before the first rename
    let staged: Vec<(PathBuf, PathBuf)> = documents
        .iter()
        .map(|document| stage(folder, document))
        .collect::<io::Result<_>>()
        .map_err(|error| fault(&error))?;
    for (from, to) in &staged {
        fs::rename(from, to).map_err(|error| fault(&error))?;
    }
    let wanted: BTreeSet<&str> = documents.iter().map(|document| document.path.as_str()).collect();
    for path in old.iter().filter(|path| !wanted.contains(*path)) {
        remove(folder, path).map_err(|error| fault(&error))?;
    }
    Ok(())
}

/// Whether a name leads to nowhere else: others are not believed.
fn stays_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a policy carries flowmap's label.
fn is_own(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains("app.kubernetes.io/managed-by: flowmap"))
}

fn stage(folder: &Path, document: &Document) -> io::Result<(PathBuf, PathBuf)> {
    let path = folder.join(&document.path);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = parent.join(format!(".{name}.new"));
    let mut file = fs::File::create(&staged)?;
    file.write_all(document.text.as_bytes())?;
    file.sync_all()?;
    Ok((staged, path))
}

fn remove(folder: &Path, path: &str) -> io::Result<()> {
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
