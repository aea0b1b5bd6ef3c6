//! `ipBlock`: ranges of addresses with exceptions.

use std::net::IpAddr;

use ipnet::IpNet;

/// A range of addresses without some ranges inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpBlock {
    /// The range.
    pub cidr: IpNet,
    /// The ranges inside it that do not count.
    pub except: Vec<IpNet>,
}

impl IpBlock {
    /// Whether an address is in the range and in none of the exceptions.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(&address) && self.exception(address).is_none()
    }

    /// The exception that an address falls into.
    #[must_use]
    pub fn exception(&self, address: IpAddr) -> Option<IpNet> {
        self.except.iter().copied().find(|except| except.contains(&address))
    }
}
