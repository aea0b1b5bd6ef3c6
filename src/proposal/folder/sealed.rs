//! A folder of documents of which each tells by itself whether anybody changed it: its first line has a digest of all
//! that follows.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{text_of, write::Stage};
use crate::{proposal::ProposalError, render::Document};

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
