//! The folder that a proposal is written to: all of it or nothing, never a file that flowmap did not write, and never
//! against what a person made of it.

mod blame;
mod lock;
mod sealed;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use super::ProposalError;
use crate::{
    model::Timestamp,
    render::{Decisions, Index, Kept, Later, PolicyKey, Step, WayBack, Written, read_document},
};
use lock::Lock;
pub use sealed::{replace_sealed, replace_sealed_folders};
pub use write::replace;

/// The document that lists the files of a proposal.
pub const INDEX: &str = "evidence.json";

/// The order of a rollout, written by an export.
pub const ROLLOUT: &str = "ROLLOUT.md";

/// The way back from it.
pub const UNDO: &str = "UNDO.sh";

/// Files that a proposal leaves: the way back is still that of what was exported, where the order would be of other files.
const LASTING: [&str; 1] = [UNDO];

/// What a folder holds of the last proposal.
#[derive(Debug, Default)]
pub struct Found {
    /// Where it is.
    folder: PathBuf,
    /// What was written and decided then.
    index: Index,
    /// The index and the documents with policies as they are, byte by byte; none where there is no such file.
    texts: BTreeMap<String, Option<String>>,
    /// The policies as they are now.
    pub now: Written,
    /// What the store keeps of decisions.
    pub kept: Kept,
    /// What was decided on the page after the folder was edited.
    pub later: Later,
    /// When each document was last changed; for one that is gone, when what was around it was.
    changed: BTreeMap<String, Timestamp>,
    /// Documents that were changed in the future, as their files tell.
    ahead: BTreeSet<String>,
    /// Whether an older flowmap wrote it, that did not note what.
    pub is_older: bool,
    /// Whether who wrote it was stopped halfway.
    was_stopped: bool,
    /// Nobody else writes there as long as this lives.
    lock: Option<Lock>,
}

impl Found {
    /// What a person decided until now: what was edited in the folder since it was written, unless it was decided
    /// otherwise later, else what the store keeps.
    pub fn decisions(&self) -> Decisions {
        let decisions = self.edited();
        self.kept.merged(&self.index.decisions, decisions, &self.later)
    }

    /// What the folder alone says, with what was edited in it.
    fn edited(&self) -> Decisions {
        let mut decisions = self.index.decisions.clone();
        if let Some(last) = &self.index.written {
            decisions.learn(last, &self.now);
        }
        decisions
    }

    /// Namespaces beside some of which the last proposal was.
    pub fn others(&self, namespaces: &BTreeSet<String>) -> Vec<&str> {
        let keys = self.index.written.iter().flat_map(|written| written.0.keys());
        let all: BTreeSet<&str> = keys.map(PolicyKey::namespace).collect();
        all.into_iter().filter(|namespace| !namespaces.contains(*namespace)).collect()
    }

    /// Documents that are there with other policies than were written.
    pub fn edited_documents(&self) -> BTreeSet<&str> {
        let Some(last) = &self.index.written else { return BTreeSet::new() };
        let is_other = |key: &&PolicyKey| !key.is_kustomization() && last.0.get(*key) != self.now.0.get(*key);
        let is_there = |document: &&str| matches!(self.texts.get(*document), Some(Some(_)));
        let keys = last.0.keys().chain(self.now.0.keys()).filter(is_other);
        keys.map(PolicyKey::document).filter(is_there).collect()
    }

    /// Edits that do not count, for it was decided otherwise on the page later.
    pub fn overruled(&self) -> Vec<(PolicyKey, Step)> {
        self.kept.overruled(&self.index.decisions, &self.edited(), &self.later)
    }

    /// When the document of a policy was last edited, as far as files tell; none where there is no folder.
    pub fn changed(&self, key: &PolicyKey) -> Option<Timestamp> {
        self.changed.get(key.document()).copied()
    }

    /// What the store is to keep where these are the decisions from now on.
    pub fn keeps(&self, decisions: &Decisions) -> Kept {
        self.kept.followed_by(&self.index.decisions, decisions)
    }

    /// Files of an export that outlast other proposals: how to go on with it, and how to go back.
    pub fn lasting(&self) -> impl Iterator<Item = &str> {
        self.files().into_iter().filter(|path| LASTING.contains(path))
    }

    /// What was there before anything was exported.
    pub fn way_back(&self) -> &WayBack {
        &self.index.way_back
    }

    /// What is said to have been changed after now was changed now: clocks differ.
    pub fn clamp(&mut self, now: Timestamp) {
        for (document, changed) in self.changed.iter_mut().filter(|(_, changed)| **changed > now) {
            *changed = now;
            self.ahead.insert(document.clone());
        }
    }

    /// Documents whose time of change lies in the future.
    pub fn ahead(&self) -> impl Iterator<Item = &str> {
        self.ahead.iter().map(String::as_str)
    }

    /// The files that are flowmap's.
    fn files(&self) -> BTreeSet<&str> {
        self.index.files.iter().map(String::as_str).filter(|path| stays_inside(path)).collect()
    }
}

/// Waits until nobody else writes to the folder, and reads what is there. Anything that cannot be read is an error: what
/// a person decided is never guessed, nor taken for a decision on another site. Where somebody else writes there,
/// `is_waiting` is told of it first.
pub fn read(folder: &Path, site: &str, is_waiting: &dyn Fn(&Path)) -> Result<Found, ProposalError> {
    let lock = Lock::of(folder, is_waiting);
    Ok(Found { lock, ..look(folder, site)? })
}

/// What is there, while others may write to it.
pub fn look(folder: &Path, site: &str) -> Result<Found, ProposalError> {
    let path = folder.join(INDEX);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        // whatever else is wrong with the folder is told when it is written
        Err(error) if error.kind() != io::ErrorKind::InvalidData => {
            return Ok(Found { texts: [(INDEX.to_owned(), None)].into(), ..Found::default() });
        }
        Err(error) => return Err(foreign(&path, &error.to_string())),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| foreign(&path, &error.to_string()))?;
    let index: Index = serde_json::from_value(value).map_err(|error| foreign(&path, &error.to_string()))?;
    if let Some(other) = index.site.clone().filter(|other| other != site) {
        return Err(ProposalError::OtherSite { folder: folder.to_owned(), other, site: site.to_owned() });
    }
    let mut found = Found { folder: folder.to_owned(), is_older: index.written.is_none(), ..Found::default() };
    for document in index.documents().into_iter().filter(|path| stays_inside(path)) {
        let path = folder.join(&document);
        let text = text_of(&path).map_err(|error| unreadable(&path, &error.to_string()))?;
        if let Some(text) = &text {
            found.now.0.extend(read_document(&document, text).map_err(|reason| unreadable(&path, &reason))?.0);
        }
        found.changed.extend(changed(folder, &document).map(|time| (document.clone(), time)));
        found.texts.insert(document, text);
    }
    found.texts.insert(INDEX.to_owned(), Some(text));
    let mut index = index;
    for document in index.documents_rejected().into_iter().filter(|path| stays_inside(path)) {
        let Ok(Some(text)) = text_of(&folder.join(&document)) else { continue };
        // put back by hand; whatever else is there now is a person's own
        if let Ok(here) = read_document(&document, &text)
            && index.decisions.is_put_back(&here)
        {
            found.now.0.extend(here.0);
            found.texts.insert(document.clone(), Some(text));
            index.files.insert(document);
        }
    }
    found.was_stopped = index.before.is_some();
    if !folder.join(UNDO).exists() {
        // gone the way, or given up: what comes begins anew
        index.way_back = WayBack::default();
    }
    found.index = index.settled(&found.now, |document| write::staged(&folder.join(document)).exists());
    Ok(found)
}

/// When a file was last changed; where it is gone, when the folder was that it was in.
fn changed(folder: &Path, document: &str) -> Option<Timestamp> {
    let path = folder.join(document);
    let around = path.ancestors().take_while(|path| path.starts_with(folder));
    let time = around.filter_map(|path| fs::metadata(path).ok()).find_map(|data| data.modified().ok())?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

/// A file's text; none where there is no such file.
fn text_of(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn foreign(path: &Path, reason: &str) -> ProposalError {
    ProposalError::Foreign { path: path.to_owned(), reason: reason.to_owned() }
}

fn unreadable(path: &Path, reason: &str) -> ProposalError {
    ProposalError::Unreadable { path: path.to_owned(), reason: reason.to_owned() }
}

/// Whether a name leads to nowhere else: others are not believed.
fn stays_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
