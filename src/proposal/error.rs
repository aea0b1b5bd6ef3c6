use std::{io, path::PathBuf};

use crate::{
    model::words::count,
    policy::{PolicyError, ReadError},
    render::{self, RenderError},
    store::StoreError,
};

/// What to do where nobody said which pods there are.
const NO_CLUSTER: &str = "no inventory of a cluster was imported: `flowmap inventory import cluster.json`; \
                          hosts have `flowmap graph` and `flowmap firewall`";

/// Why there is no proposal, or why it cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A document does not read as it was written.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A policy is not what an API server would take.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What the store knows of who is who does not read.
    #[error("store: the inventory of site {site} cannot be read: {error}")]
    Inventory {
        /// The site.
        site: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// What the store keeps of decisions does not read.
    #[error("decisions on namespace `{namespace}`: {error}")]
    Decisions {
        /// The namespace.
        namespace: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Somebody decided meanwhile.
    #[error("decisions on {what}: somebody decided meanwhile; nothing was written")]
    DecidedMeanwhile {
        /// The namespace or policy.
        what: String,
    },
    /// The store is empty.
    #[error("store: nothing was captured or imported yet")]
    Empty,
    /// No run and no inventory is of the site.
    #[error("--site {site}: nothing is known of it")]
    NoSuchSite {
        /// What was asked for.
        site: String,
        /// What there is.
        known: Vec<String>,
    },
    /// There are captures, and no connections in what was selected of them.
    #[error("captures: there are no connections in what was selected of them")]
    NoConnections,
    /// Nobody knows the namespace.
    #[error("namespace `{}`: not in the inventory", namespaces.join(", "))]
    NotInInventory {
        /// What was asked for.
        namespaces: Vec<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// Several sites have a namespace of that name.
    #[error("{}{}", Self::in_several(namespaces), sites.join(", "))]
    SeveralSites {
        /// What was asked for; nothing where all were.
        namespaces: Vec<String>,
        /// The sites.
        sites: Vec<String>,
    },
    /// All captures are of other sites.
    #[error("captures: none is of site {site}, which this inventory is of; there are of {}", others.join(", "))]
    CapturedElsewhere {
        /// The site that was asked for.
        site: String,
        /// Those of captures and flow logs.
        others: Vec<String>,
    },
    /// There are no pods to write policies for.
    #[error("inventory: no pods are known, and policies are for pods")]
    NoPods,
    /// Nothing was seen of what was asked for.
    #[error("{what}: nothing was seen of its pods, a proposal would be a guess")]
    NothingSeen {
        /// A namespace or a flag.
        what: String,
        /// Namespaces of the cluster itself, of which something was.
        system: Vec<String>,
    },
    /// The index of a folder is not what flowmap wrote.
    #[error("{}: is there already, and is not what flowmap wrote: {reason}", path.display())]
    Foreign {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A folder holds what is for another site.
    #[error("{}: holds the policies of site {other}, and these are for {site}", folder.display())]
    OtherSite {
        /// The folder.
        folder: PathBuf,
        /// Whose policies it holds.
        other: String,
        /// Whose were to be written.
        site: String,
    },
    /// A document that was edited does not read.
    #[error("{}: what was changed there cannot be read: {reason}", path.display())]
    Unreadable {
        /// The document.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A folder is in the way.
    #[error("{}: is a folder, where a file of flowmap's belongs", .0.display())]
    IsFolder(PathBuf),
    /// Somebody else's file is in the way.
    #[error("{}: is there already, and flowmap did not write it", .0.display())]
    NotOurs(PathBuf),
    /// A document that flowmap wrote was edited since.
    #[error("{}: was edited since flowmap wrote it", .0.display())]
    Edited(PathBuf),
    /// There is no host to write rules for.
    #[error("hosts: nothing was seen of {}", match known { 0 => "private addresses".to_owned(), _ => count(*known as u64, "host") })]
    NoHosts {
        /// How many the inventory knows.
        known: usize,
    },
    /// Somebody changed the folder meanwhile.
    #[error("{}: was changed while flowmap read it", .0.display())]
    Changed(PathBuf),
    /// The folder cannot be written.
    #[error("{}: {error}", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl ProposalError {
    fn in_several(namespaces: &[String]) -> String {
        let of_one = "sites: there are several, and addresses are unique within one alone: ";
        if namespaces.is_empty() {
            of_one.to_owned()
        } else {
            format!("namespace `{}`: is in several sites: ", namespaces.join(", "))
        }
    }

    /// Whether a document is not what it should be.
    #[must_use]
    pub fn is_of_document(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Policy(_) | Self::Render(_) | Self::Unreadable { .. })
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Store(_)
            | Self::Render(_)
            | Self::Read(_)
            | Self::Policy(_)
            | Self::Inventory { .. }
            | Self::Decisions { .. } => return None,
            Self::Empty => "start with `flowmap import FILE` and `flowmap inventory import FILE`",
            Self::NoConnections => "`flowmap status` tells what was captured, and when",
            Self::NoPods => NO_CLUSTER,
            Self::NotInInventory { known, .. } if known.is_empty() => NO_CLUSTER,
            Self::NotInInventory { known, .. } | Self::NoSuchSite { known, .. } => {
                return Some(format!("known are {}", known.join(", ")));
            }
            Self::SeveralSites { .. } => "choose one with --site",
            Self::CapturedElsewhere { others, .. } => {
                let one = others.first().map(|site| render::quoted(site)).unwrap_or_default();
                return Some(format!(
                    "take the inventory in at the captures' site: `flowmap inventory import --site {one} FILE`"
                ));
            }
            Self::NothingSeen { system, .. } if !system.is_empty() => {
                return Some(format!("of the cluster's own something was: name it with -n: {}", system.join(", ")));
            }
            Self::NothingSeen { .. } => "import captures of the nodes that its pods run on, taken while they worked",
            Self::Foreign { .. } => {
                "move it away, or choose another --out-dir; if it is damaged, restore it: it holds what was decided by hand"
            }
            Self::OtherSite { .. } => "choose another --out-dir: what was edited there was decided for that site",
            Self::Unreadable { .. } => "mend it, or delete it: a policy that is deleted is not proposed again",
            Self::Edited(_) => "rules made anew would overwrite that: move it away, or choose another --out-dir",
            Self::NoHosts { .. } => {
                "hosts come from a hosts file (`flowmap inventory import hosts.csv`); without an inventory private addresses are hosts. For pods: `flowmap suggest -n NAMESPACE`"
            }
            Self::IsFolder(_) | Self::NotOurs(_) => "move it away, or choose another --out-dir",
            Self::Changed(_) | Self::DecidedMeanwhile { .. } => "run the command again",
            Self::Write { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, then run the command again",
                _ => "name a folder that you may write to with --out-dir",
            },
        };
        Some(hint.to_owned())
    }
}
