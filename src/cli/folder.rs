//! The folder that a proposal is written to: all of it or nothing, and never a file that flowmap did not write.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use serde_json::Value;

use super::Fault;
use crate::render::Document;

/// The document that lists the files of a proposal.
pub(super) const INDEX: &str = "evidence.json";

/// Writes the documents, and removes those of the proposal that was there before and are no longer wanted.
pub(super) fn replace(folder: &Path, documents: &[Document]) -> anyhow::Result<()> {
    let fault = |error: &io::Error| {
        let hint = "name a folder that you may write to with --out-dir";
        anyhow::Error::from(Fault::new(folder.display(), error).hint(hint))
    };
    let old = files_of(folder);
    for document in documents {
        let path = folder.join(&document.path);
        if path.exists() && !old.contains(&document.path) && !is_own(&path) {
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
    for path in old.iter().filter(|path| !wanted.contains(path.as_str())) {
        remove(folder, path).map_err(|error| fault(&error))?;
    }
    Ok(())
}

/// The files of the proposal that is there, as its index lists them; names that lead elsewhere are not believed.
fn files_of(folder: &Path) -> BTreeSet<String> {
    let Ok(text) = fs::read_to_string(folder.join(INDEX)) else { return BTreeSet::new() };
    let index: Value = serde_json::from_str(&text).unwrap_or_default();
    let listed = index.get("files").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let stays_inside = |path: &&str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    listed.filter(stays_inside).map(str::to_owned).collect()
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
