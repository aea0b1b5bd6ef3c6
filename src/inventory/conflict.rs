//! Addresses that two owners had at one time.

use std::{fmt, net::IpAddr};

use serde::Serialize;

use super::{past::Past, timeline::AddressDispute};
use crate::model::Timestamp;

/// An address that two owners had at one time: which of them a packet then belonged to cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Conflict {
    /// The address.
    pub address: IpAddr,
    /// Since when; none where nobody tells.
    pub from: Option<Timestamp>,
    /// Until when; none where no end is known.
    pub until: Option<Timestamp>,
    /// Who they are: `Pod shop/web-1`. No more than a handful are named.
    pub owners: Vec<String>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            |time: Option<Timestamp>, else_: &str| time.map_or_else(|| else_.to_owned(), |time| time.to_string());
        let (from, until) = (time(self.from, "always"), time(self.until, "now"));
        write!(f, "{}: {} had it at one time, from {from} until {until}", self.address, self.owners.join(" and "))
    }
}

/// Owners that are named in one conflict.
const MAX_NAMED: usize = 5;

/// The conflicts behind disputes, in order.
pub(super) fn conflicts(past: &Past, disputes: Vec<AddressDispute>) -> Vec<Conflict> {
    let known = |moment: i64, never: i64| Some(Timestamp(moment)).filter(|_| moment != never);
    let mut conflicts: Vec<Conflict> = disputes
        .into_iter()
        .map(|AddressDispute { address, class, dispute }| {
            let mut owners: Vec<String> = dispute.owners.iter().map(|owner| past.name(class, *owner)).collect();
            owners.sort_unstable();
            owners.dedup();
            owners.truncate(MAX_NAMED);
            Conflict { address, from: known(dispute.from, i64::MIN), until: known(dispute.to, i64::MAX), owners }
        })
        .collect();
    conflicts.sort_unstable();
    conflicts
}
