//! What a datagram says by itself of who asks: between equal ports, where neither port tells the server, and the first that was
//! seen may be an answer. Protocols whose first bytes leave no doubt.

use crate::model::well_known;

/// Whether the sender asks, or answers, as the datagram itself says.
#[inline]
pub(super) fn asks(ports: (u16, u16), data_bytes: u32, data: &[u8]) -> Option<bool> {
    if ports.0 == ports.1 { between_equal(ports.0, data_bytes, data) } else { None }
}

/// Few have equal ports.
#[cold]
fn between_equal(port: u16, data_bytes: u32, data: &[u8]) -> Option<bool> {
    match port {
        // 137: NetBIOS' names (RFC 1002)
        well_known::DNS | well_known::MDNS | 137 => dns(data),
        well_known::DHCP_SERVER => dhcp(data_bytes, data),
        well_known::NTP => ntp(data_bytes, data),
        500 => ike(data_bytes, data),
        well_known::DHCP_V6_SERVER => dhcp_v6(data),
        1_645 | 1_646 | 1_812 | 1_813 | 3_799 => radius(data_bytes, data),
        4_500 => ike(data_bytes.checked_sub(4)?, data.strip_prefix(&[0; 4])?),
        5_060 => sip(data),
        _ => None,
    }
}

/// RFC 1035, section 4.1.1: a bit says that it is a response.
fn dns(data: &[u8]) -> Option<bool> {
    const LAST_OPCODE: u8 = 8;
    let [_, _, bits, _, counts @ ..] = data.first_chunk::<12>()?;
    let is_plausible = bits >> 3 & 0x0f <= LAST_OPCODE && counts.chunks(2).all(|count| count.first() == Some(&0));
    is_plausible.then_some(bits & 0x80 == 0)
}

/// RFC 2131: the operation, and the cookie that follows the addresses and names. A relay and a server have one port. Where a capture
/// ends before the cookie the kind of the link and how long its addresses are say as much.
fn dhcp(data_bytes: u32, data: &[u8]) -> Option<bool> {
    const COOKIE: [u8; 4] = [99, 130, 83, 99];
    const HEADER_BYTES: u32 = 240;
    const ETHERNET: [u8; 2] = [1, 6];
    let [operation, link @ ..] = *data.first_chunk::<3>()?;
    let is_dhcp = match data.get(236..240) {
        Some(cookie) => cookie == COOKIE,
        None => data_bytes >= HEADER_BYTES && link == ETHERNET,
    };
    one_of(operation, &[1], &[2]).filter(|_| is_dhcp)
}

/// RFC 8415, section 9: what relays hand on, and get back.
fn dhcp_v6(data: &[u8]) -> Option<bool> {
    one_of(*data.first()?, &[12], &[13])
}

/// RFC 5905, section 7.3: the mode of clients and of servers. Peers and broadcasts tell nothing.
fn ntp(data_bytes: u32, data: &[u8]) -> Option<bool> {
    const LEAST_BYTES: u32 = 48;
    let first = *data.first()?;
    let is_ntp = data_bytes >= LEAST_BYTES && (1..=4).contains(&(first >> 3 & 7));
    one_of(first & 7, &[3], &[4]).filter(|_| is_ntp)
}

/// RFC 7296, section 3.1: a bit says that it comes from who began. Of version 1 the first message has no cookie of the other side.
fn ike(data_bytes: u32, data: &[u8]) -> Option<bool> {
    const IS_OF_INITIATOR: u8 = 0x08;
    let header = data.first_chunk::<28>()?;
    let [.., a, b, c, d] = *header;
    if u32::from_be_bytes([a, b, c, d]) != data_bytes {
        return None;
    }
    match header[17] {
        0x20 => Some(header[19] & IS_OF_INITIATOR != 0),
        0x10 => (header[8..16] == [0; 8]).then_some(true),
        _ => None,
    }
}

/// RFC 2865, section 3, RFC 2866 and RFC 5176: requests and their answers.
fn radius(data_bytes: u32, data: &[u8]) -> Option<bool> {
    let [code, _, high, low] = *data.first_chunk()?;
    let is_radius = u32::from(u16::from_be_bytes([high, low])) == data_bytes && data_bytes >= 20;
    one_of(code, &[1, 4, 12, 40, 43], &[2, 3, 5, 11, 41, 42, 44, 45]).filter(|_| is_radius)
}

/// RFC 3261, section 7: a response begins with the version, a request with a method and whom it is for.
fn sip(data: &[u8]) -> Option<bool> {
    const SCHEMES: [&[u8]; 3] = [b"sip:", b"sips:", b"tel:"];
    if data.starts_with(b"SIP/2.0 ") {
        return Some(false);
    }
    let method = data.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let target = data.get(method..)?.strip_prefix(b" ")?;
    (method > 0 && SCHEMES.iter().any(|scheme| target.starts_with(scheme))).then_some(true)
}

fn one_of(code: u8, asked: &[u8], answered: &[u8]) -> Option<bool> {
    if asked.contains(&code) { Some(true) } else { answered.contains(&code).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said from a port to the same port.
    fn said(port: u16, data: &[u8]) -> Option<bool> {
        asks((port, port), u32::try_from(data.len()).unwrap(), data)
    }

    fn with(at: usize, bytes: &[u8], length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        data[at..at + bytes.len()].copy_from_slice(bytes);
        data
    }

    #[test]
    fn questions_and_answers_are_told_by_what_they_say() {
        let cookie = [99, 130, 83, 99];
        let ike = |flags: u8| [&with(16, &[33, 0x20, 34, flags], 24)[..], &[0, 0, 0, 28]].concat();
        let cases: [(u16, Vec<u8>, Vec<u8>); 9] = [
            (53, with(2, &[1, 0, 0, 1], 30), with(2, &[0x81, 0x80, 0, 1], 30)),
            (137, with(2, &[0x29, 0x10, 0, 1], 30), with(2, &[0xad, 0x80, 0, 0, 0, 1], 30)),
            (
                67,
                [with(0, &[1, 1, 6], 236), cookie.to_vec()].concat(),
                [with(0, &[2, 1, 6], 236), cookie.to_vec()].concat(),
            ),
            (547, vec![12, 0], vec![13, 0]),
            (123, with(0, &[0x23], 48), with(0, &[0x24], 48)),
            (500, ike(0x08), ike(0x20)),
            (4_500, [vec![0; 4], ike(0x08)].concat(), [vec![0; 4], ike(0x20)].concat()),
            (1_812, with(0, &[1, 7, 0, 20], 20), with(0, &[2, 7, 0, 20], 20)),
            (5_060, b"OPTIONS sip:a@b SIP/2.0\r\n".to_vec(), b"SIP/2.0 200 OK\r\n".to_vec()),
        ];
        for (port, question, answer) in cases {
            assert_eq!((said(port, &question), said(port, &answer)), (Some(true), Some(false)), "{port}");
            assert_eq!(asks((port, 40_000), 48, &question), None, "{port}");
            assert_eq!(said(port, &question[..1]).filter(|_| port != 547), None, "{port}");
        }
    }

    #[test]
    fn what_has_such_a_port_alone_says_nothing() {
        for port in [53, 67, 123, 137, 500, 1_812, 4_500, 5_060, 9_999] {
            for data in [&[][..], &[0xff; 64], b"hello, this is something else altogether, of no protocol"] {
                assert_eq!(said(port, data), None, "{port} {data:?}");
            }
        }
        // peers, and a broadcast
        for mode in [1, 2, 5, 6] {
            assert_eq!(said(123, &with(0, &[0x20 | mode], 48)), None);
        }
    }
}
