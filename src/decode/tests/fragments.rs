//! Fragments: ports from the first, the others through the table.

use super::*;

/// A fragment of an IPv4 datagram between 10.0.0.1 and 10.0.0.2: its offset in units of 8 bytes, whether more follow.
fn v4(id: u16, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let bits = (offset | u16::from(more) << 13).to_be_bytes();
    let ends = [10, 0, 0, 1, 10, 0, 0, 2];
    let ip = [&[0x45, 0][..], &length, &id.to_be_bytes(), &bits, &[64, 17, 0, 0], &ends, payload].concat();
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &ip].concat()
}

/// A fragment of IPv6; later ones name another protocol.
fn v6(id: u32, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let bits = (offset << 3 | u16::from(more)).to_be_bytes();
    let next = if offset == 0 { 17 } else { 60 };
    let fragment = [&[next, 0][..], &bits, &id.to_be_bytes()].concat();
    let ip = [&[0x60, 0, 0, 0][..], &length, &[44, 64], &[0x20; 16], &[0x21; 16], &fragment, payload].concat();
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd][..], &ip].concat()
}

/// From port 5353 to port 53.
fn udp(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).unwrap().to_be_bytes();
    [&[0x14, 0xe9, 0, 53][..], &length, &[0, 0], data].concat()
}

const LOST: NotDecoded = NotDecoded::LaterFragment(Layer::Ipv4);

fn join<'a>(table: &mut Fragments, second: i64, bytes: &'a [u8]) -> Result<Packet<'a>, NotDecoded> {
    table.joined(Timestamp(second * 1_000_000_000), ethernet(bytes).unwrap())
}

fn part(packet: &Packet<'_>) -> (u16, u16) {
    let Transport::Part { src_port, dst_port } = packet.transport else { panic!("{packet:?}") };
    (src_port, dst_port)
}

#[test]
fn later_fragments_behind_an_authentication_header_are_found_too() {
    // next is UDP, 24 bytes in all (RFC 4302)
    let header = [&[17, 4, 0, 0][..], &[9; 20]].concat();
    let authenticated = |offset: u16, more: bool, payload: &[u8]| {
        let mut frame = v4(7, offset, more, payload);
        frame[14 + 9] = 51;
        frame
    };
    let first = authenticated(0, true, &[header, udp(&[1; 1_400])].concat());
    let later = authenticated(179, false, &[2; 300]);
    let mut table = Fragments::default();
    assert_eq!(ports(&join(&mut table, 0, &first).unwrap()), (5_353, 53));
    let joined = join(&mut table, 0, &later).unwrap();
    assert_eq!((part(&joined), joined.protocol), ((5_353, 53), Protocol::UDP));
}

#[test]
fn a_tunnel_whose_packets_are_fragmented_is_opened_in_the_first() {
    // GTP-U tells the length of the whole, of which the first fragment has a part
    let inner = [
        &[0x45, 0, 5, 0x78, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2][..],
        &[0x9c, 0x40, 1, 0xbb, 5, 0x64],
    ];
    let whole = [&inner.concat()[..], &[0; 1_374]].concat();
    let gtp = [&[0x30, 255][..], &u16::try_from(whole.len()).unwrap().to_be_bytes(), &[0, 0, 0, 26], &whole].concat();
    let mut datagram = udp(&gtp);
    datagram[2..4].copy_from_slice(&2_152u16.to_be_bytes());
    let (first, later) = datagram.split_at(1_200);
    let (first, later) = (v4(7, 0, true, first), v4(7, 150, false, later));
    let mut table = Fragments::default();
    let first = join(&mut table, 0, &first).unwrap();
    assert_eq!((first.tunnels.to_string(), ports(&first)), ("gtp:26".into(), (40_000, 443)));
    assert_eq!(join(&mut table, 0, &later).unwrap().transport, Transport::Rest);
}

#[test]
fn a_packet_on_a_route_is_for_the_last_address_of_it() {
    let [first, last] = [[0x23; 16], [0x24; 16]];
    let routed = |kind: u8, left: u8, addresses: &[[u8; 16]]| {
        let units = u8::try_from(addresses.len() * 2).unwrap();
        let route = [&[17, units, kind, left, 0, 0, 0, 0][..], &addresses.concat(), &udp(&[])].concat();
        let length = u16::try_from(route.len()).unwrap().to_be_bytes();
        let ip = [&[0x60, 0, 0, 0][..], &length, &[43, 64], &[0x20; 16], &[0x21; 16], &route].concat();
        let bytes = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd][..], &ip].concat();
        let packet = ethernet(&bytes).unwrap();
        assert_eq!(ports(&packet), (5_353, 53));
        packet.dst
    };
    // RFC 8754 lists the segments backwards, RFC 6275 has one, the first type had them in their order
    assert_eq!(routed(4, 1, &[last, first]), std::net::IpAddr::from(last));
    assert_eq!(routed(2, 1, &[last]), std::net::IpAddr::from(last));
    assert_eq!(routed(0, 2, &[first, last]), std::net::IpAddr::from(last));
    // it has arrived, it names nobody, or how it names them is not known
    for (kind, left, addresses) in [(4, 0, &[last, first][..]), (4, 1, &[]), (3, 1, &[last])] {
        assert_eq!(routed(kind, left, addresses), std::net::IpAddr::from([0x21; 16]), "{kind} {left}");
    }
}

#[test]
fn the_first_fragment_of_a_datagram_tells_the_length_of_the_whole() {
    let data_bytes = |frame: &[u8]| match ethernet(frame).unwrap().transport {
        Transport::Udp { data_bytes, .. } => data_bytes,
        other => panic!("{other:?}"),
    };
    let whole = udp(&[1; 1_400]);
    for length in [64, 1_408] {
        let first = &whole[..length];
        assert_eq!([v4(7, 0, true, first), v6(7, 0, true, first)].map(|frame| data_bytes(&frame)), [1_400; 2]);
    }
    // 0 tells nothing, nor does what was not captured; and what is whole goes by what there is
    let mut untold = whole.clone();
    untold[4..6].fill(0);
    assert_eq!(data_bytes(&v4(7, 0, true, &untold)), 1_400);
    assert_eq!(data_bytes(&v4(7, 0, false, &untold)), 1_400);
    assert_eq!(data_bytes(&v4(7, 0, true, &whole)[..38]), 1_400);
}

#[test]
fn later_fragments_have_the_ports_of_the_first_and_lengths_of_their_own() {
    let data = udp(&[1; 1_400]);
    let families = [
        [v4(7, 0, false, &data), v4(7, 0, true, &data), v4(7, 176, false, &[2; 300])],
        [v6(7, 0, false, &data), v6(7, 0, true, &data), v6(7, 176, false, &[2; 300])],
    ];
    for [whole, first, later] in families {
        let mut table = Fragments::default();
        // a fragment that is the whole packet is none
        assert_eq!(ethernet(&whole).unwrap().fragment, None);
        let first = join(&mut table, 0, &first).unwrap();
        assert_eq!(ports(&first), (5_353, 53));
        let later_packet = ethernet(&later).unwrap();
        assert_eq!(part(&later_packet), (0, 0));
        let joined = join(&mut table, 0, &later).unwrap();
        assert_eq!((part(&joined), joined.protocol, joined.point), ((5_353, 53), Protocol::UDP, first.point));
        assert_eq!(joined.ip_bytes, later_packet.ip_bytes);
    }
}

#[test]
fn a_later_fragment_whose_first_was_not_seen_is_counted_and_joins_no_other() {
    let mut table = Fragments::default();
    let later = |id| v4(id, 185, false, &[2; 300]);
    assert_eq!(join(&mut table, 0, &later(7)), Err(LOST));
    join(&mut table, 1, &v4(7, 0, true, &udp(&[1; 16]))).unwrap();
    assert_eq!(join(&mut table, 1, &later(8)), Err(LOST));
    assert!(join(&mut table, 2, &later(7)).is_ok());
    // the number is another packet's by then
    assert_eq!(join(&mut table, 120, &later(7)), Err(LOST));
    assert_eq!(LOST.to_string(), "ipv4: fragment whose first part was not seen");
    // in another VLAN it is of another packet
    let mut tagged = later(7);
    tagged.splice(12..12, [0x81, 0, 0, 9]);
    assert_eq!(join(&mut table, 2, &tagged), Err(LOST));
}

#[test]
fn the_table_forgets_its_oldest_first() {
    let mut table = Fragments::default();
    let first = |id: u16| v4(id, 0, true, &udp(&[1; 16]));
    let mut is_known = |range: std::ops::Range<u16>, noted: std::ops::Range<u16>| {
        for id in noted {
            join(&mut table, 0, &first(id)).unwrap();
        }
        range.map(|id| join(&mut table, 0, &v4(id, 3, false, &[2; 30])).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(is_known(0..2, 0..4_096), [true, true]);
    // a number that comes again is as new as any
    assert_eq!(is_known(0..3, 0..1), [true, true, true]);
    assert_eq!(is_known(0..3, 4_096..4_097), [true, false, true]);
    assert_eq!(is_known(0..1, 5_000..9_094), [true]);
    assert_eq!(is_known(0..1, 9_094..9_095), [false]);
}

#[test]
fn a_fragmented_tunnel_packet_counts_once_to_the_flow_inside() {
    let inner = {
        let mut bytes = syn(&[]);
        // a whole kilobyte, of which the first fragment has a part
        (bytes[16], bytes[17]) = (4, 40);
        [bytes, vec![b'x'; 500]].concat()
    };
    let vxlan = [&[8, 0, 0, 0, 0, 0, 42, 0][..], &inner].concat();
    let mut datagram = udp(&vxlan);
    datagram[2..4].copy_from_slice(&4_789u16.to_be_bytes());
    let (first, later) = (v4(7, 0, true, &datagram), v4(7, 72, false, &[2; 300]));
    let mut table = Fragments::default();
    let first = join(&mut table, 0, &first).unwrap();
    assert_eq!((ports(&first), first.tunnels.to_string().as_str()), ((40_000, 443), "vxlan:42"));
    let later = join(&mut table, 0, &later).unwrap();
    assert_eq!((first.ip_bytes, later.protocol, later.tunnels), (1_064, Protocol::TCP, first.tunnels));
    assert_eq!((later.transport, later.as_part().map(|it| it.transport)), (Transport::Rest, Some(Transport::Rest)));
}
