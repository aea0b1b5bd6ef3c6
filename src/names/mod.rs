//! What captures say about who has an address: payloads to sightings of names, and sightings to answers.
//!
//! Names come from what is open on the wire: DNS answers that a client received, multicast DNS and LLMNR, the server name
//! of TLS, the Host field of HTTP, and DHCP. Whoever sends packets can make names up. So they are shown beside an address,
//! with their source and time, and never decide who somebody is: no direction and no identity rests on one, and no rule
//! unless somebody asks for it.

mod bytes;
mod dhcp;
mod dns;
mod gather;
mod http;
mod lookup;
mod tls;

pub use gather::{Gatherer, may_tell};
pub use lookup::Names;

use std::net::IpAddr;

use crate::model::{HostName, NameSource};

/// One message's word on a name.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    address: IpAddr,
    name: HostName,
    source: NameSource,
    used_by: Option<IpAddr>,
    ttl_s: u32,
}

/// Bytes that stand in the place of a name, and are none.
#[derive(Debug, PartialEq, Eq)]
struct NotAName;

#[cfg(test)]
mod tests;
