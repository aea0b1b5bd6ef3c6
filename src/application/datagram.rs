//! What is recognised of datagrams.

use super::{Message, Sent, directory, network, tls, web};
use crate::model::well_known::{self, DHCP_CLIENT, DHCP_SERVER, LLMNR, MDNS};

/// Ports of DNS, multicast DNS and LLMNR, whose messages are alike.
pub(super) const DNS: [u16; 3] = [well_known::DNS, MDNS, LLMNR];
/// Ports of DHCP: the server's and the client's.
const DHCP: [u16; 2] = [DHCP_SERVER, DHCP_CLIENT];

/// Whether a datagram may be recognised: by its ports or its first bytes.
#[inline]
pub(super) fn may_tell((src, dst): (u16, u16), data: &[u8]) -> bool {
    is_port(src) || is_port(dst) || is_beginning(data)
}

#[inline]
fn is_port(port: u16) -> bool {
    matches!(port, well_known::DNS | DHCP_SERVER | DHCP_CLIENT | well_known::NTP | MDNS | LLMNR)
}

#[inline]
fn is_beginning(data: &[u8]) -> bool {
    let Some([first, second, third, fourth, fifth]) = data.first_chunk::<5>() else { return false };
    match first {
        // DTLS
        22 | 23 => *second == 254,
        // QUIC
        0xc0..=0xdf => matches!([*second, *third, *fourth, *fifth], tls::QUIC_1 | tls::QUIC_2),
        // SNMP, LDAP
        0x30 => true,
        // SIP
        b'A'..=b'Z' => second.is_ascii_uppercase(),
        _ => false,
    }
}

/// What a datagram is.
pub(super) fn recognised(ports: (u16, u16), sent: Sent<'_>) -> Option<Message> {
    let is_on = |known: &[u16]| known.contains(&ports.0) || known.contains(&ports.1);
    match () {
        () if is_on(&DNS) => network::dns(ports, sent),
        () if is_on(&DHCP) => network::dhcp(sent),
        () if is_on(&[well_known::NTP]) => network::ntp(ports, sent),
        () => match sent.data.first()? {
            22 | 23 => tls::datagram(sent),
            0xc0..=0xdf => tls::quic(sent),
            0x30 => network::snmp(sent).or_else(|| directory::cldap(sent)),
            _ => web::sip(sent),
        },
    }
}
