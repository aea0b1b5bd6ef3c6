//! Addresses that two owners had at one time.

use std::{fmt, net::IpAddr};

use serde::Serialize;

use super::{past::Past, timeline::AddressDispute};
use crate::model::{Host, Timestamp};

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

/// Ranges of hosts files that have several names, of hosts in order.
pub(super) fn named_twice(hosts: &[Host]) -> impl Iterator<Item = Conflict> {
    let same_range = hosts.chunk_by(|one, other| one.range == other.range).filter(|hosts| hosts.len() > 1);
    same_range.filter_map(|hosts| {
        let names = hosts.iter().filter_map(|host| host.name.as_deref());
        let owners = names.take(MAX_NAMED).map(|name| format!("Host {name}")).collect();
        Some(Conflict { address: hosts.first()?.range.addr(), from: None, until: None, owners })
    })
}

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
