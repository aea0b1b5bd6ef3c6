//! What the address alone tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Private ranges (RFC 1918, RFC 6598, RFC 4193), in which clusters and what is around them have their addresses.
pub const PRIVATE_RANGES: [IpNet; 5] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)),
];

/// Whether an address is of a private network, is shared by carriers, or stays on its link (RFC 1918, RFC 6598, RFC 4193, RFC 3927,
/// RFC 4291).
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let [a, b, ..] = it.octets();
            it.is_private() || it.is_link_local() || a == 100 && (64..128).contains(&b)
        }
        IpAddr::V6(it) => it.is_unique_local() || it.is_unicast_link_local(),
    }
}

/// Whether an address is that of a group: multicast, or the broadcast of every link (RFC 919). A subnet's own broadcast address
/// cannot be told without its mask.
#[must_use]
pub fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(it) if it.is_broadcast())
}
