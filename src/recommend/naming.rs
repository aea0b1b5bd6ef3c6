//! Names of policies and of their files: no two of a namespace are alike, whatever its workloads are called.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::form::SUBDOMAIN;

/// Names that policies and files of a namespace have already.
const RESERVED: [&str; 3] = ["default-deny", "allow-dns", "kustomization"];

/// What the names of policies for name resolution begin with where there are several.
const DNS: &str = "allow-dns-";

/// What the names of policies end in that leave a member of a group open.
const OPEN: &str = "-open";

/// Longer names are cut: with what is put before and behind them they must stay below the 253 letters of an object's
/// name, and as a file's that is staged below 255.
const MAX_LENGTH: usize = 220;

/// What a digest takes, with the dash before it.
const DIGEST: usize = 17;

/// Names for the units of a namespace.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// How many units would have a name.
    pub uses: BTreeMap<String, usize>,
    /// Names that were given to those that cannot have their own.
    given: BTreeSet<String>,
}

impl Names {
    /// A name that no other unit has, nor any policy that is derived from one: its own where it may be.
    pub fn find(&mut self, own: &str, kind: Option<&str>) -> String {
        let is_good = (SUBDOMAIN.holds)(own) && own.len() <= MAX_LENGTH;
        if is_good && self.uses.get(own).is_none_or(|uses| *uses < 2) && !self.is_reserved(own) {
            return own.to_owned();
        }
        let kind = kind.filter(|kind| !kind.is_empty()).unwrap_or("workload").to_lowercase();
        let plain = if (SUBDOMAIN.holds)(own) {
            short(&format!("{own}-{kind}"))
        } else {
            told(&format!("{own}-{kind}"), MAX_LENGTH)
        };
        let others = (2_usize..).map(|n| format!("{plain}-{n}"));
        let is_known = |name: &str| self.uses.contains_key(name) || self.given.contains(name);
        let is_free = |name: &String| {
            let is_derived = [(name.strip_prefix(DNS)), (name.strip_suffix(OPEN))].into_iter().flatten().any(is_known);
            let is_base = is_known(&format!("{name}{OPEN}")) || is_known(&format!("{DNS}{name}"));
            !is_known(name) && !is_derived && !is_base && !RESERVED.contains(&name.as_str())
        };
        let name = std::iter::once(plain.clone()).chain(others).find(is_free).unwrap_or(plain);
        self.given.insert(name.clone());
        name
    }

    fn is_reserved(&self, name: &str) -> bool {
        is_reserved(name) || name.strip_suffix(OPEN).is_some_and(|whole| self.uses.contains_key(whole))
    }
}

/// Whether policies that are always there have a name, or may have it.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with(DNS)
}

/// A name of a length that can be lengthened; what is cut from it is told by a digest.
fn short(name: &str) -> String {
    if name.len() <= MAX_LENGTH {
        return name.to_owned();
    }
    let kept: String = name.chars().take(MAX_LENGTH - DIGEST).collect();
    format!("{}-{:016x}", kept.trim_end_matches(['-', '.']), digest(name.as_bytes()))
}

/// A name that objects may have, in place of one that they may not: its letters, and what they do not say by a digest.
pub(super) fn told(name: &str, max_length: usize) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let words: String = name.chars().take(max_length - DIGEST).map(letter).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    format!("{}-{:016x}", words.join("-"), digest(name.as_bytes())).trim_start_matches('-').to_owned()
}

/// FNV-1a: the same everywhere and for ever, for names of files rest on it.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |all, byte| (all ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(all: &[(&str, &str)]) -> Vec<String> {
        let mut names = Names::default();
        for (name, _) in all {
            *names.uses.entry((*name).to_owned()).or_default() += 1;
        }
        all.iter().map(|(name, kind)| names.find(name, Some(kind))).collect()
    }

    #[test]
    fn names_of_workloads_that_meet_those_of_policies_stay_apart() {
        let found = named(&[
            ("default-deny", "Deployment"),
            ("default-deny-deployment", "Deployment"),
            ("allow-dns", "Deployment"),
            ("allow-dns-web", "Deployment"),
            ("allow-dns-web-deployment", "Deployment"),
            ("web", "Deployment"),
            ("web", "StatefulSet"),
            ("web-open", "Job"),
            ("web-deployment", "Job"),
        ]);
        let expected = [
            "default-deny-deployment-2",
            "default-deny-deployment",
            "allow-dns-deployment",
            "allow-dns-web-deployment-2",
            "allow-dns-web-deployment-deployment",
            // the policy for its name resolution would be the second of that name
            "web-deployment-3",
            "web-statefulset",
            "web-open-job",
            "web-deployment",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn workloads_with_names_that_no_object_may_have_are_told_apart_all_the_same() {
        let found =
            named(&[("<script>\nweb", "Deployment"), ("<script> web", "Deployment"), ("\u{202e}", ""), ("Web", "Pod")]);
        assert!(found.iter().all(|name| (SUBDOMAIN.holds)(name)), "{found:?}");
        assert!(found[0].starts_with("script-web-deployment-") && found[3].starts_with("web-pod-"), "{found:?}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "{found:?}");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (a, b) = (format!("{}a", "x".repeat(252)), format!("{}b", "x".repeat(252)));
        let found = named(&[(&a, "Deployment"), (&b, "Deployment")]);
        assert_ne!(found[0], found[1]);
        assert!(found.iter().all(|name| name.len() <= MAX_LENGTH));
    }
}
