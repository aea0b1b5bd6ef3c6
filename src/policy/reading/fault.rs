//! What is wrong with a policy, and where.

use ipnet::IpNet;

/// A policy that a strict API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {path}: {reason}")]
pub struct PolicyError {
    /// The file it came from with its place there, or which object it is of an inventory.
    pub origin: String,
    /// The place in the object, e.g. `spec.ingress[0].ports[1].port`.
    pub path: String,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A field that must be there is not.
    #[error("is required")]
    Missing,
    /// A field that the API does not know, mostly a misspelt one.
    #[error("is no field of the API; known here are {}", .known.join(", "))]
    UnknownField {
        /// The fields that it knows there.
        known: &'static [&'static str],
    },
    /// A value of the wrong type.
    #[error("is {found}, must be {expected}")]
    Type {
        /// What the API wants.
        expected: &'static str,
        /// What was there.
        found: &'static str,
    },
    /// A word that is not among those the API knows.
    #[error("`{word}` is none of {}", .known.join(", "))]
    UnknownWord {
        /// The word.
        word: String,
        /// Those it knows.
        known: &'static [&'static str],
    },
    /// A kind or group that the API does not serve.
    #[error("`{found}` must be {expected}")]
    Expected {
        /// What was there.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A name, label or port name of the wrong form.
    #[error("`{word}` must be {form}")]
    Form {
        /// The word.
        word: String,
        /// The form it must have.
        form: &'static str,
    },
    /// A port out of range.
    #[error("{0} is not between 1 and 65535")]
    PortRange(i64),
    /// A range of ports that ends before it starts.
    #[error("{end} is below port {port}")]
    EndBelowPort {
        /// Where the range starts.
        port: u16,
        /// Where it ends.
        end: u16,
    },
    /// A range of ports without a number to start from.
    #[error("needs a numeric port")]
    EndWithoutNumber,
    /// `In` or `NotIn` without values.
    #[error("{0} needs at least one value")]
    ValuesMissing(&'static str),
    /// `Exists` or `DoesNotExist` with values.
    #[error("{0} takes no values")]
    ValuesForbidden(&'static str),
    /// A text that is no CIDR.
    #[error("`{0}` is no CIDR such as 10.0.0.0/8 or 2001:db8::/32")]
    NoCidr(String),
    /// A CIDR with bits beyond its prefix, or written in an unusual way.
    #[error("`{found}` is not canonical; write {canonical}")]
    NotCanonical {
        /// What was there.
        found: String,
        /// This range as the API wants it.
        canonical: IpNet,
    },
    /// An exception that does not lie inside the block, or is all of it.
    #[error("{except} does not lie strictly inside {cidr}")]
    ExceptOutside {
        /// The exception.
        except: IpNet,
        /// The block.
        cidr: IpNet,
    },
    /// A peer that names nobody.
    #[error("must name a peer: podSelector, namespaceSelector or ipBlock")]
    EmptyPeer,
    /// A peer that is both addresses and pods.
    #[error("ipBlock and selectors exclude each other in one peer")]
    MixedPeer,
    /// An object that must have one of several fields, and has none or more of them.
    #[error("must have exactly one of {}, has {found}", .known.join(", "))]
    NotOne {
        /// The fields.
        known: &'static [&'static str],
        /// How many of them it has.
        found: usize,
    },
    /// A list that is too short or too long.
    #[error("has {found} entries, must have {least} to {most}")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it must have.
        least: usize,
        /// How many it may have.
        most: usize,
    },
    /// A list that has something twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// A priority out of range.
    #[error("{0} is not between 0 and 1000")]
    Priority(i64),
    /// A range of ports that does not end behind its start.
    #[error("end {end} is not above start {start}")]
    EndNotAbove {
        /// Where the range starts.
        start: u16,
        /// Where it ends.
        end: u16,
    },
    /// The name of a port beside peers of which none has names for its ports.
    #[error("names a port, and networks, nodes and domainNames have no names of ports")]
    NamedPortOutside,
    /// More policy types than there are.
    #[error("has {0} entries, may have 2 at most")]
    TooManyTypes(usize),
    /// A second policy of one name.
    #[error("{name} is already defined by {origin}")]
    Duplicate {
        /// `namespace/name`.
        name: String,
        /// Where the first is.
        origin: String,
    },
}

/// A reason at its place in an object; who reads the object knows its file.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: String,
    pub(super) reason: Reason,
}

impl Fault {
    /// A fault at a place.
    pub(super) fn at(path: impl Into<String>, reason: Reason) -> Self {
        Self { path: path.into(), reason }
    }
}
