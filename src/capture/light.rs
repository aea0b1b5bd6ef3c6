//! The kernel's filter of the light mode: what tells of connections, and a sample of the rest.

/// Of this many packets within TCP connections one is taken.
pub const LIGHT_SHARE: u64 = 32;

/// All that is not plainly TCP over IP passes as a whole: UDP with its DNS, ICMP, ARP, tunnels, further tags. Of TCP pass
/// what opens and closes (SYN, FIN, RST), name resolution, later fragments, and of the rest those whose sequence and
/// acknowledgement numbers hash to 0 (a multiplicative hash, Knuth volume 3, section 6.4; its upper five bits). The kernel
/// keeps no state for it, so that the first packets of a connection cannot be told from the others.
const LIGHT: &str = "(not (ip proto 6) and not (ip6[6] = 6)) \
     or (ip proto 6 and ip[6:2] & 0x1fff != 0) \
     or (tcp[13] & 7 != 0) or (ip6[6] = 6 and ip6[53] & 7 != 0) \
     or (tcp port 53) \
     or (ip proto 6 and ((tcp[4:4] ^ tcp[8:4]) * 2654435769) >> 27 = 0) \
     or (ip6[6] = 6 and ((ip6[44:4] ^ ip6[48:4]) * 2654435769) >> 27 = 0)";

/// The light filter, and a person's where there is one.
#[must_use]
pub fn light_filter(with: Option<&str>) -> String {
    match with {
        Some(filter) => format!("({LIGHT}) and ({filter})"),
        None => LIGHT.to_owned(),
    }
}
