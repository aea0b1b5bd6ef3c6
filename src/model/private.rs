use std::net::IpAddr;

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
