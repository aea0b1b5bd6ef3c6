use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{PodLife, WorkloadRef};

/// Whether captures could have seen something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// No capture was taken at its side.
    #[default]
    Unseen,
    /// For a part of its time one was.
    Partly,
    /// All the time, but for moments.
    Covered,
}

impl Watched {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Partly => "partly",
            Self::Covered => "covered",
        }
    }
}

/// For how much of its time something was watched at its own side, and by which captures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cover {
    /// The state in a word.
    pub state: Watched,
    /// The share of its time within the window of all captures, from 0 to 1.
    pub share: f64,
    /// The captures, by the ids of their runs.
    pub runs: BTreeSet<String>,
}

/// What the captures could have seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// By pod, each life for itself; those that did not live within the window are not among them.
    pub pods: BTreeMap<PodLife, Cover>,
    /// By workload, over all its pods.
    pub workloads: BTreeMap<WorkloadRef, Cover>,
    /// How long pods of a workload were there, in nanoseconds, where that is a small part of the window of all captures.
    pub brief: BTreeMap<WorkloadRef, i64>,
}

impl Coverage {
    /// The state of a workload alone.
    #[must_use]
    pub fn state(&self, workload: &WorkloadRef) -> Watched {
        self.workloads.get(workload).map(|cover| cover.state).unwrap_or_default()
    }

    /// That of a workload; unseen where none of its pods lived within the window.
    #[must_use]
    pub fn of(&self, workload: &WorkloadRef) -> Cover {
        self.workloads.get(workload).cloned().unwrap_or_default()
    }
}
