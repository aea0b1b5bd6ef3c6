//! A folder of documents of which each tells by itself whether anybody changed it: its first line has a digest of all
//! that follows.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    text_of,
    write::{Stage, remove},
};
use crate::{proposal::ProposalError, render::Document};

/// Writes a folder of folders of documents over those that flowmap wrote there before: of theirs, those that are no longer
/// wanted go. What somebody changed since, or wrote in the first place, is an error.
pub fn replace_sealed_folders(folder: &Path, documents: &[Document]) -> Result<(), ProposalError> {
    let stale = stale(folder, documents)?;
    replace_sealed(folder, documents)?;
    let fault = |error| ProposalError::Write { folder: folder.to_owned(), error };
    stale.iter().try_for_each(|path| remove(folder, path)).map_err(fault)
}

/// Documents in folders below this one that flowmap wrote, and that are not among these.
fn stale(folder: &Path, documents: &[Document]) -> Result<Vec<String>, ProposalError> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = entries(folder).filter(|path| path.is_dir() && !path.is_symlink());
    let mut stale = Vec::new();
    for path in folders.flat_map(|inner| entries(&inner).collect::<Vec<_>>()) {
        let Some(name) = path.strip_prefix(folder).ok().and_then(Path::to_str) else { continue };
        let is_wanted = documents.iter().any(|document| document.path == name);
        let Ok(Some(text)) = text_of(&path) else { continue };
        if is_wanted || !text.contains(SEAL) {
            continue;
        }
        if !is_sealed(&text) {
            return Err(ProposalError::Edited(path));
        }
        stale.push(name.to_owned());
    }
    Ok(stale)
}

/// Writes documents over those that flowmap wrote there before: all of them or none. What somebody changed since, or
/// wrote in the first place, is an error.
pub fn replace_sealed(folder: &Path, documents: &[Document]) -> Result<(), ProposalError> {
    for document in documents {
        let path = folder.join(&document.path);
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            return Err(ProposalError::IsFolder(path));
        }
        match text_of(&path) {
            Ok(Some(text)) if is_sealed(&text) => {}
            Ok(Some(text)) if text.contains(SEAL) => return Err(ProposalError::Edited(path)),
            _ => return Err(ProposalError::NotOurs(path)),
        }
    }
    let write = || {
        let mut stage = Stage::default();
        stage.make(folder)?;
        for document in documents {
            let place = folder.join(&document.path);
            stage.make(place.parent().unwrap_or(folder))?;
            stage.write(&place, &place, &sealed(document))?;
        }
        stage.put(documents.len())?;
        stage.keep();
        Ok(())
    };
    write().map_err(|error| ProposalError::Write { folder: folder.to_owned(), error })
}

/// What stands before the digest.
const SEAL: &str = "flowmap wrote what follows: sha256 ";

/// A document with its first line, which is a comment.
fn sealed(document: &Document) -> String {
    let Document { path, text } = document;
    let seal = format!("{SEAL}{}", digest(text));
    if Path::new(path).extension().is_some_and(|it| it == "md") {
        format!("<!-- {seal} -->\n{text}")
    } else {
        format!("# {seal}\n{text}")
    }
}

fn is_sealed(text: &str) -> bool {
    let Some((first, rest)) = text.split_once('\n') else { return false };
    first.contains(&format!("{SEAL}{}", digest(rest)))
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}
