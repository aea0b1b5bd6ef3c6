use etherparse::{IpNumber, PacketBuilder};
use proptest::prelude::*;

use super::*;
use crate::{capture::LinkType, model::Timestamp};

mod fragments;
mod links;
mod reference;
mod tunnels;

fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    let wire_length = u32::try_from(data.len()).unwrap();
    Frame { time: Timestamp(0), link, interface: 0, wire_length, data }
}

fn ethernet(data: &[u8]) -> Result<Packet<'_>, NotDecoded> {
    decode(&frame(LinkType::ETHERNET, data))
}

/// A SYN of 10.0.0.1:40000 to 10.0.0.2:443, behind these tags.
fn syn(tags: &[(u16, u16)]) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    builder.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(40_000, 443, 77, 1_000).syn().write(&mut frame, &[]).unwrap();
    let mut at = 12;
    for (tag_type, id) in tags {
        frame.splice(at..at, [tag_type.to_be_bytes(), id.to_be_bytes()].concat());
        at += 4;
    }
    frame
}

fn ports(packet: &Packet<'_>) -> (u16, u16) {
    match packet.transport {
        Transport::Tcp { src_port, dst_port, .. } | Transport::Udp { src_port, dst_port, .. } => (src_port, dst_port),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tags_of_all_kinds_are_taken_off_and_kept_outer_first() {
    let cases: [(&[(u16, u16)], &str); 7] = [
        (&[], ""),
        (&[(0x8100, 10)], "10"),
        (&[(0x8100, 0xe000)], "0"),
        (&[(0x88a8, 100), (0x8100, 0x6014)], "100.20"),
        (&[(0x88a8, 0x6000), (0x8100, 20)], "0.20"),
        (&[(0x88a8, 100), (0x8100, 0xe000)], "100.0"),
        (&[(0x9100, 1), (0x8100, 2), (0x8100, 3), (0x8100, 4)], "1.2.3.4"),
    ];
    for (tags, stack) in cases {
        let bytes = syn(tags);
        let packet = ethernet(&bytes).unwrap();
        assert_eq!(packet.vlans.to_string(), stack);
        assert_eq!(ports(&packet), (40_000, 443));
        assert_eq!(packet.ip_bytes, 40);
    }
    assert_eq!(ethernet(&syn(&[(0x88a8, 7); 8])).unwrap().vlans.to_string(), "7.7.7.7.7.7.7.7");
    assert_eq!(ethernet(&syn(&[(0x8100, 1); 9])), Err(NotDecoded::TooManyTags));
}

#[test]
fn a_segment_cut_behind_its_ports_still_tells_them() {
    let bytes = syn(&[]);
    let packet = ethernet(&bytes[..14 + 20 + 12]).unwrap();
    assert!(matches!(packet.transport, Transport::Tcp { flags: None, sequence: 77, dst_port: 443, .. }));
    for cut in 4..12 {
        let packet = ethernet(&bytes[..14 + 20 + cut]).unwrap();
        let known = if cut < 8 { 0 } else { 77 };
        assert!(
            matches!(packet.transport, Transport::Tcp { flags: None, sequence, acknowledgment: 0, .. } if sequence == known)
        );
        assert_eq!(ports(&packet), (40_000, 443));
    }
    assert_eq!(ethernet(&bytes[..14 + 20 + 3]), Err(NotDecoded::CutShort(Layer::Tcp)));
    assert_eq!(ethernet(&bytes[..14 + 19]), Err(NotDecoded::CutShort(Layer::Ipv4)));
    assert_eq!(ethernet(&bytes[..13]), Err(NotDecoded::CutShort(Layer::Link)));
}

#[test]
fn cooked_captures_name_the_interface_and_the_protocol() {
    let ip = &syn(&[])[14..];
    let v1 = [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x08, 0x00][..], ip].concat();
    let v2 =
        |interface: u8| [&[0x08, 0, 0, 0, 0, 0, 0, interface, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], ip].concat();
    let (first, second) = (v2(7), v2(8));
    let first = decode(&frame(LinkType::LINUX_SLL2, &first)).unwrap();
    let second = decode(&frame(LinkType::LINUX_SLL2, &second)).unwrap();
    assert_eq!(ports(&decode(&frame(LinkType::LINUX_SLL, &v1)).unwrap()), (40_000, 443));
    assert_eq!(first.transport, second.transport);
    assert_ne!(first.point, second.point);
}

#[test]
fn extension_headers_lead_to_the_transport() {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([0x20; 16], [0x21; 16], 63);
    builder.udp(5_353, 53).write(&mut bytes, b"question").unwrap();
    // hop-by-hop and destination options of 8 bytes each between IPv6 and UDP
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    bytes.splice(54..54, [options(60), options(17)].concat());
    bytes[20] = 0;
    bytes[19] += 16;
    let packet = ethernet(&bytes).unwrap();
    assert_eq!((packet.protocol, packet.hop_limit, ports(&packet)), (Protocol::UDP, 63, (5_353, 53)));
    assert!(matches!(packet.transport, Transport::Udp { data: b"question", data_bytes: 8, .. }));
}

#[test]
fn an_unreachable_tells_the_attempt_it_answers() {
    let inner = &syn(&[])[14..];
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 254], [10, 0, 0, 1], 64);
    builder.icmpv4_raw(3, 3, [0; 4]).write(&mut bytes, inner).unwrap();
    let error = ethernet(&bytes).unwrap();
    let Transport::Unreachable(quote) = error.transport else { panic!("no attempt") };
    let attempt = quoted(&error, quote).unwrap();
    assert_eq!((attempt.src.to_string(), ports(&attempt)), ("10.0.0.1".to_owned(), (40_000, 443)));
}

#[test]
fn messages_of_icmp_tell_whether_they_ask_or_answer() {
    use crate::model::Control::{Answers, Asks, Tells};
    let of = |protocol: u8, message: &[u8], expected: Transport<'_>| {
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([0x20; 16], [0x21; 16], 64);
        builder.write(&mut bytes, IpNumber(protocol), message).unwrap();
        assert_eq!(ethernet(&bytes).unwrap().transport, expected, "{protocol} {message:?}");
    };
    let cases = [
        (58, &[128, 0][..], Asks),
        (58, &[129, 0], Answers),
        (58, &[133, 0], Asks),
        (58, &[134, 0], Tells),
        (58, &[135, 0], Asks),
        // a neighbour that was asked for says so (RFC 4861, section 4.4)
        (58, &[136, 0, 0, 0, 0x60], Answers),
        (58, &[136, 0, 0, 0, 0x20], Tells),
        (58, &[2, 0], Tells),
        (58, &[], Tells),
        (1, &[8, 0], Asks),
        (1, &[0, 0], Answers),
        (1, &[11, 0], Tells),
    ];
    for (protocol, message, control) in cases {
        of(protocol, message, Transport::Control(control));
    }
}

#[test]
fn discovery_of_neighbours_makes_no_flow() {
    let of = |hops: u8, kind: u8| {
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([0x20; 16], [0x21; 16], hops);
        builder.write(&mut bytes, IpNumber(58), &[kind, 0, 0, 0, 0x60]).unwrap();
        bytes
    };
    for kind in 133..=137 {
        assert_eq!(ethernet(&of(255, kind)), Err(NotDecoded::Discovery), "{kind}");
        // what was forwarded is none, whatever it says
        assert!(ethernet(&of(254, kind)).is_ok(), "{kind}");
    }
    assert!(ethernet(&of(255, 128)).is_ok() && ethernet(&of(255, 138)).is_ok());
    assert!(!NotDecoded::Discovery.may_hide_packet() && !NotDecoded::Discovery.is_damage());
    // in a tunnel it tells of the tunnel
    let tunnelled = tunnels::in_udp(4_789, &tunnels::in_vxlan(42, &of(255, 135)));
    assert_eq!(ethernet(&tunnelled).map(|packet| packet.tunnels.is_empty()), Ok(false));
}

/// All link types that are read, and one that is not.
const LINKS: [u32; 40] = [
    0, 1, 6, 9, 10, 12, 14, 50, 51, 100, 101, 104, 105, 107, 108, 109, 113, 117, 119, 122, 127, 147, 163, 166, 178,
    192, 197, 204, 205, 206, 219, 226, 239, 242, 258, 276, 281, 282, 284, 285,
];

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(link in prop::sample::select(LINKS.to_vec()), data in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&frame(LinkType(link), &data));
    }

    #[test]
    fn a_damaged_packet_is_decoded_or_refused(at in 0usize..54, value: u8, cut in 0usize..=54) {
        let mut bytes = syn(&[]);
        bytes[at] = value;
        let _ = ethernet(&bytes[..cut]);
    }
}

#[test]
fn a_packet_without_room_for_its_header_is_malformed_and_not_cut() {
    let mut bytes = syn(&[]);
    // 39 bytes of IP: one too few for TCP
    bytes[17] = 39;
    assert_eq!(ethernet(&bytes), Err(NotDecoded::Malformed(Layer::Tcp)));
    assert_eq!(ethernet(&bytes[..40]), Err(NotDecoded::Malformed(Layer::Tcp)));
    (bytes[17], bytes[23]) = (27, 17);
    assert_eq!(ethernet(&bytes), Err(NotDecoded::Malformed(Layer::Udp)));
    bytes[17] = 28;
    assert_eq!(ethernet(&bytes).map(|packet| ports(&packet)), Ok((40_000, 443)));
    (bytes[17], bytes[23]) = (31, 132);
    assert_eq!(ethernet(&bytes), Err(NotDecoded::Malformed(Layer::Sctp)));
}
