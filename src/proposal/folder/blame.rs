//! Which document of a folder is the reason that there is no proposal.

use super::{Found, INDEX, unreadable};
use crate::{
    proposal::{ProposalError, judge::read_back},
    render::{Document, PolicyKey},
};

impl Found {
    /// The error of a whole proposal as that of the document whose edit it comes from, where one is found: an error that
    /// names a document may name the one that clashes with it.
    pub fn blame(&self, error: ProposalError) -> ProposalError {
        if !error.is_of_document() {
            return error;
        }
        let here = self.texts.iter().filter(|(path, _)| *path != INDEX);
        let here = here.filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)));
        let fault = |(path, text)| Some((path, misread(path, text).or_else(|| self.copied(path))?));
        match here.into_iter().find_map(fault) {
            Some((path, reason)) => unreadable(&self.folder.join(path), &reason),
            None => error,
        }
    }

    /// Whether a policy was put into a document that another one has already.
    fn copied(&self, path: &str) -> Option<String> {
        let last = self.index.written.as_ref()?;
        let is_new = |key: &&_| !last.0.contains_key(*key);
        let new = self.now.0.keys().filter(|key| key.document() == path && !key.is_kustomization()).filter(is_new);
        let of_all = |key: &PolicyKey| {
            let is_same = |other: &&PolicyKey| {
                other.document() != path && other.namespace() == key.namespace() && other.name() == key.name()
            };
            let other = self.now.0.keys().find(is_same)?;
            Some(format!("{} is also in {}", key.name(), other.document()))
        };
        new.into_iter().find_map(of_all)
    }
}

/// Why a document by itself is none of policies.
fn misread(path: &str, text: &str) -> Option<String> {
    let error = read_back(&[Document { path: path.to_owned(), text: text.to_owned() }]).err()?.to_string();
    Some(error.strip_prefix(path).map_or(&*error, |rest| rest.trim_start_matches([':', ' '])).to_owned())
}
