//! Tunnels, whole, nested, and what only looks like one.

use super::*;

const OUTER: ([u8; 4], [u8; 4]) = ([192, 0, 2, 1], [192, 0, 2, 2]);

/// The IP packet of a SYN of 10.0.0.1:40000 to 10.0.0.2:443.
fn ip() -> Vec<u8> {
    syn(&[])[14..].to_vec()
}

fn ip6() -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv6([0x20; 16], [0x21; 16], 63).tcp(40_000, 443, 77, 1_000).syn().write(&mut bytes, &[]).unwrap();
    bytes
}

fn in_ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &ether_type.to_be_bytes(), payload].concat()
}

fn in_ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let header = [&[0x45, 0][..], &length, &[0, 1, 0x40, 0, 64, protocol, 0, 0], &OUTER.0, &OUTER.1].concat();
    in_ethernet(0x0800, &[&header, payload].concat())
}

fn in_ip6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    in_ethernet(0x86dd, &[&[0x60, 0, 0, 0][..], &length, &[protocol, 64], &[0x22; 16], &[0x23; 16], payload].concat())
}

pub(super) fn in_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(OUTER.0, OUTER.1, 64).udp(50_000, port);
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

pub(super) fn in_vxlan(network: u32, frame: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0][..], &(network << 8).to_be_bytes(), frame].concat()
}

fn in_geneve(network: u32, ether_type: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(options.len() / 4).unwrap();
    [&[words, 0][..], &ether_type.to_be_bytes(), &(network << 8).to_be_bytes(), options, payload].concat()
}

fn in_gtp(flags: u8, further: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(further.len() + payload.len()).unwrap().to_be_bytes();
    [&[0x30 | flags, 255][..], &length, &[0, 0, 0, 26], further, payload].concat()
}

/// The tunnels and tags of a frame, where the packet inside is the SYN.
#[track_caller]
fn of_syn(bytes: &[u8]) -> (String, String) {
    let packet = ethernet(bytes).unwrap();
    assert_eq!(ports(&packet), (40_000, 443), "{packet:?}");
    assert!(["10.0.0.1", "2020:2020:2020:2020:2020:2020:2020:2020"].contains(&packet.src.to_string().as_str()));
    (packet.tunnels.to_string(), packet.vlans.to_string())
}

fn all() -> Vec<(&'static str, Vec<u8>)> {
    let gre = |header: &[u8], payload: &[u8]| in_ip(47, &[header, payload].concat());
    let syn = syn(&[]);
    let label = |label: u32, bottom: u32| (label << 12 | bottom << 8 | 64).to_be_bytes();
    let mpls = |labels: &[[u8; 4]], payload: &[u8]| in_ethernet(0x8847, &[&labels.concat(), payload].concat());
    let session = |payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        in_ethernet(0x8864, &[&[0x11, 0, 0, 7][..], &length, payload].concat())
    };
    let call = |payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0x30, 0x81, 0x88, 0x0b][..], &length, &[0, 5, 0, 0, 0, 1, 0, 0, 0, 2], payload].concat()
    };
    vec![
        ("ipip", in_ip(4, &ip())),
        ("6in4", in_ip(41, &ip6())),
        ("4in6", in_ip6(4, &ip())),
        ("6in6", in_ip6(41, &ip6())),
        ("etherip", in_ip(97, &[&[0x30, 0][..], &syn].concat())),
        ("ethernet", in_ip(143, &syn)),
        ("ethernet", in_ip6(143, &syn)),
        ("ethernet", in_ip6(43, &[&[143, 2, 4, 0, 0, 0, 0, 0][..], &[0x24; 16], &syn].concat())),
        ("ip/mpls:42", in_ip(137, &[&label(42, 1)[..], &ip()].concat())),
        ("gre", gre(&[0, 0, 8, 0], &ip())),
        ("gre", gre(&[0, 0, 0x86, 0xdd], &ip6())),
        ("gre:7", gre(&[0x20, 0, 8, 0, 0, 0, 0, 7], &ip())),
        ("gre:7", gre(&[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], &ip())),
        ("gre:7", gre(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 7], &syn)),
        ("gre", gre(&[0, 0, 0x88, 0x3e], &ip())),
        ("gre", gre(&[0, 0, 0x88, 0x3e, 1, 0, 1, 0], &ip())),
        ("erspan", gre(&[0, 0, 0x88, 0xbe], &syn)),
        ("erspan:100", gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x14, 0x18, 100, 0, 0, 0, 0], &syn)),
        ("erspan:100", gre(&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 20, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0], &syn)),
        (
            "erspan:100",
            gre(
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 20, 0, 100, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8],
                &syn,
            ),
        ),
        ("pptp:5", in_ip(47, &call(&[&[0xff, 3, 0, 0x21][..], &ip()].concat()))),
        ("pptp:5", in_ip(47, &call(&[&[0x21][..], &ip()].concat()))),
        ("eoip:300", gre(&[0x20, 1, 0x64, 0, 0, 54, 0x2c, 1], &syn)),
        ("vxlan:42", in_udp(4_789, &in_vxlan(42, &syn))),
        ("vxlan:42", in_udp(8_472, &in_vxlan(42, &syn))),
        ("vxlan:3", in_udp(4_789, &[&[0x88, 0, 0, 9, 0, 0, 3, 0][..], &syn].concat())),
        ("vxlan:3", in_udp(4_790, &[&[0x0c, 0, 0, 1, 0, 0, 3, 0][..], &ip()].concat())),
        ("vxlan:3", in_udp(4_790, &[&[8, 0, 0, 1, 0, 0, 3, 0][..], &ip()].concat())),
        ("vxlan:3", in_udp(4_790, &[&[0x0c, 0, 0, 3, 0, 0, 3, 0][..], &syn].concat())),
        ("geneve:9", in_udp(6_081, &in_geneve(9, 0x6558, &[], &syn))),
        ("geneve:9", in_udp(6_081, &in_geneve(9, 0x0800, &[1; 32], &ip()))),
        ("geneve:9", in_udp(6_081, &[&[0, 1, 0x65, 0x58, 0, 0, 9, 5][..], &syn].concat())),
        ("gtp:26", in_udp(2_152, &in_gtp(0, &[], &ip()))),
        ("gtp:26", in_udp(2_152, &in_gtp(2, &[0, 1, 0, 0], &ip6()))),
        ("gtp:26", in_udp(2_152, &in_gtp(4, &[0, 0, 0, 0x85, 1, 0, 0, 0x85, 2, 0, 0, 0, 0, 0, 0, 0], &ip()))),
        ("ip/mpls:42", in_udp(6_635, &[&label(42, 1)[..], &ip()].concat())),
        ("teredo", in_udp(3_544, &ip6())),
        (
            "teredo",
            in_udp(3_544, &[&[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6][..], &ip6()].concat()),
        ),
        ("mpls:299", mpls(&[label(17, 0), label(299, 1)], &ip())),
        ("mpls:299", mpls(&[label(299, 0), label(7, 0), label(77_777, 1)], &ip())),
        ("mpls:0", mpls(&[label(2, 1)], &ip6())),
        ("mpls:299", mpls(&[label(299, 1)], &[&[0, 0, 0, 5][..], &syn].concat())),
        ("mpls:299", mpls(&[label(299, 1)], &syn)),
        ("pppoe:7", session(&[&[0, 0x21][..], &ip()].concat())),
        ("pppoe:7", session(&[&[0, 0x57][..], &ip6()].concat())),
        ("pbb:20000", in_ethernet(0x88e7, &[&[0x40, 0, 0x4e, 0x20][..], &syn].concat())),
        ("ipip/vxlan:42", in_ip(4, &in_udp(4_789, &in_vxlan(42, &syn))[14..])),
        ("vxlan:1/geneve:2/gre/ipip", {
            let inner = in_ip(47, &[&[0, 0, 8, 0][..], &in_ip(4, &ip())[14..]].concat());
            in_udp(4_789, &in_vxlan(1, &in_udp(6_081, &in_geneve(2, 0x6558, &[], &inner))))
        }),
        ("", in_ip(51, &[&[6, 4, 0, 0][..], &[9; 20], &ip()[20..]].concat())[..14].to_vec()),
    ]
}

#[test]
fn every_tunnel_leads_to_the_packet_inside() {
    for (tunnels, bytes) in all() {
        if !tunnels.is_empty() {
            assert_eq!(of_syn(&bytes).0, tunnels, "{bytes:02x?}");
        }
    }
}

#[test]
fn a_tunnel_cut_anywhere_gives_the_packet_inside_or_the_outer_one_or_is_counted_as_cut() {
    for (tunnels, bytes) in all() {
        let wire_length = u32::try_from(bytes.len()).unwrap();
        for cut in 0..bytes.len() {
            let data = &bytes[..cut];
            match decode(&Frame { wire_length, data, ..frame(LinkType::ETHERNET, data) }) {
                Ok(packet) if packet.src.to_string().starts_with("10.") => assert_eq!(ports(&packet), (40_000, 443)),
                Ok(packet) => assert!(!matches!(packet.transport, Transport::Part { .. }), "{packet:?}"),
                Err(reason) => {
                    // behind labels alone nothing tells what follows
                    let is_cut = matches!(reason, NotDecoded::CutShort(_) | NotDecoded::Mpls);
                    assert!(is_cut, "{tunnels} at {cut}: {reason}");
                }
            }
        }
    }
}

#[test]
fn an_authentication_header_leads_to_the_transport_in_both_families() {
    let authenticated = [&[6, 4, 0, 0][..], &[9; 20], &ip()[20..]].concat();
    for bytes in [in_ip(51, &authenticated), in_ip6(51, &authenticated)] {
        let packet = ethernet(&bytes).unwrap();
        assert_eq!((packet.protocol, ports(&packet), packet.tunnels.is_empty()), (Protocol::TCP, (40_000, 443), true));
    }
    let opaque = ethernet(&in_ip(50, &[7; 40])).map(|packet| (packet.protocol, packet.transport == Transport::Other));
    assert_eq!(opaque, Ok((Protocol(50), true)));
}

#[test]
fn tags_before_labels_and_sessions_are_the_packets_and_those_before_other_tunnels_are_not() {
    let tagged = |mut bytes: Vec<u8>| {
        bytes.splice(12..12, [0x81, 0, 0, 100]);
        bytes
    };
    let inner = syn(&[(0x8100, 5)]);
    assert_eq!(of_syn(&tagged(in_udp(4_789, &in_vxlan(42, &inner)))), ("vxlan:42".into(), "5".into()));
    assert_eq!(of_syn(&tagged(in_udp(4_789, &in_vxlan(42, &syn(&[]))))), ("vxlan:42".into(), String::new()));
    let labels = (299u32 << 12 | 1 << 8).to_be_bytes();
    let mpls = tagged(in_ethernet(0x8847, &[&labels[..], &ip()].concat()));
    assert_eq!(of_syn(&mpls), ("mpls:299".into(), "100".into()));
    let backbone = tagged(in_ethernet(0x88e7, &[&[0, 0, 0, 9][..], &inner].concat()));
    assert_eq!(of_syn(&backbone), ("pbb:9".into(), "5".into()));
    // a switch took the tag off and told it in its own header
    let header = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x14, 0x10, 100, 0, 0, 0, 0];
    let mirrored = in_ip(47, &[&header[..], &syn(&[])].concat());
    assert_eq!(of_syn(&mirrored), ("erspan:100".into(), "20".into()));
    let third = |frame: &[u8]| {
        let header = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0x14, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0];
        in_ip(47, &[&header[..], frame].concat())
    };
    assert_eq!(of_syn(&third(&syn(&[]))), ("erspan:100".into(), "20".into()));
    assert_eq!(of_syn(&third(&syn(&[(0x8100, 7)]))), ("erspan:100".into(), "7".into()), "the frame's own tag");
    // what is reserved is not looked at (RFC 7348, section 5)
    for header in [[0x08, 0, 0, 0, 0, 0, 42, 1], [0x0a, 0x20, 0, 1, 0, 0, 42, 0], [0x88, 0, 0, 5, 0, 0, 42, 0]] {
        let udp = in_udp(4_789, &[&header[..], &syn(&[])].concat());
        assert_eq!(of_syn(&udp), ("vxlan:42".into(), String::new()), "{header:02x?}");
    }
    // addresses of a wire that begin like IP, without a control word, also such as tell of less than there is
    let labels = (299u32 << 12 | 1 << 8 | 64).to_be_bytes();
    for address in [
        [0x64, 0, 0xf1, 0x12, 0x34, 0x56],
        [0x48, 0x4d, 0x7e, 1, 2, 3],
        [0x45, 0xff, 0xee, 1, 2, 3],
        [0x45, 0, 0, 0, 0, 0x12],
        [0x4c, 0, 0, 30, 0x20, 0x12],
        [0x6c, 0x3b, 0x6b, 1, 4, 0xff],
        [0x60, 0x38, 0xe0, 0x9b, 2, 0x33],
    ] {
        for further in [0, 20, 600, 1_400] {
            let mut frame = syn(&[]);
            frame[..6].copy_from_slice(&address);
            frame.resize(frame.len() + further, 0);
            let wire = in_ethernet(0x8847, &[&labels[..], &frame].concat());
            assert_eq!(of_syn(&wire), ("mpls:299".into(), String::new()), "{address:02x?} {further}");
        }
    }
    // and packets whose addresses stand where a frame has its type
    let mut packet = ip();
    packet[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    let packet = checked(packet);
    let packet = in_ethernet(0x8847, &[&labels[..], &packet].concat());
    let found = ethernet(&packet).unwrap();
    assert_eq!(found.src, std::net::IpAddr::from([8, 0, 0x45, 0]));
}

/// With the checksum that its header has (RFC 1071).
fn checked(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let sum: u32 = packet[..20].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&(!folded).to_be_bytes());
    packet
}

#[test]
fn a_tagged_frame_of_a_wire_keeps_its_tag_whatever_its_address_begins_with() {
    let labels = (299u32 << 12 | 1 << 8).to_be_bytes();
    for address in [[0, 0, 0x5e, 0, 1, 7], [2, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0]] {
        let mut frame = syn(&[(0x8100, 7)]);
        frame[..6].copy_from_slice(&address);
        for word in [&[][..], &[0; 4], &[0, 0, 0, 5]] {
            if word.is_empty() && address == [0; 6] {
                continue;
            }
            let wire = in_ethernet(0x8847, &[&labels[..], word, &frame].concat());
            assert_eq!(of_syn(&wire), ("mpls:299".into(), "7".into()), "{address:02x?} {word:02x?}");
        }
    }
    let arp = in_ethernet(0x8847, &[&labels[..], &[0, 0, 0, 5], &in_ethernet(0x0806, &[0; 28])].concat());
    assert_eq!(ethernet(&arp), Err(NotDecoded::Arp));
}

#[test]
fn what_merely_uses_a_tunnels_port_stays_a_datagram() {
    let whole = syn(&[]);
    let mut too_long = ip();
    too_long[2] = 2;
    let mut no_ip = whole.clone();
    no_ip[14] = 0x55;
    let cases = [
        (4_789, b"\x08\0\0\0not a network, but as long as one".to_vec()),
        (4_789, in_vxlan(42, &no_ip)),
        (4_789, in_vxlan(42, &whole[..30])),
        (4_789, [&[0, 0, 0, 0, 0, 0, 42, 0][..], &whole].concat()),
        (4_790, [&[0x0c, 0, 0, 77, 0, 0, 3, 0][..], &whole].concat()),
        (6_081, [&[0x40, 0, 0x65, 0x58, 0, 0, 9, 0][..], &whole].concat()),
        (6_081, [&[0, 0x80, 0x65, 0x58, 0, 0, 9, 0][..], &whole].concat()),
        (6_081, in_geneve(9, 0x1234, &[], &whole)),
        (6_081, [&[0, 0, 0x65, 0x58, 0, 0, 9, 5][..], &in_ethernet(0x88cc, &[0; 60])].concat()),
        (6_081, [&[0, 0x80, 0x65, 0x58, 0, 0, 9, 0][..], &whole].concat()),
        (6_081, in_geneve(9, 0x0800, &[], &too_long)),
        (2_152, in_gtp(0, &[], b"echo")),
        (2_152, [in_gtp(0, &[], &ip()), vec![0; 4]].concat()),
        (2_152, [&[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0][..]].concat()),
        (2_152, in_gtp(0, &[], &too_long)),
        (3_544, b"hello".to_vec()),
        (3_544, [ip6(), vec![0]].concat()),
        (6_635, [&[0, 0, 1, 64][..], &[0; 40]].concat()),
        (6_635, [&[0, 0, 1, 64][..], &ip()[..30]].concat()),
        (6_635, b"not a label".to_vec()),
        (15_000, in_geneve(9, 0x6558, &[], &whole)),
        (9_999, in_vxlan(42, &whole)),
    ];
    for (port, payload) in cases {
        let bytes = in_udp(port, &payload);
        let packet = ethernet(&bytes).unwrap();
        assert_eq!((ports(&packet), packet.tunnels.is_empty()), ((50_000, port), true), "{payload:02x?}");
        assert_eq!(packet.src.to_string(), "192.0.2.1");
    }
    for (protocol, payload) in
        [(47, &[0, 0, 0, 0][..]), (47, &[0x40, 0, 8, 0]), (4, b"\x55junk"), (97, b"\x20junk"), (143, b"too short")]
    {
        let bytes = in_ip(protocol, payload);
        let packet = ethernet(&bytes).unwrap();
        assert_eq!((packet.protocol.0, packet.tunnels.is_empty()), (protocol, true));
    }
}

#[test]
fn ports_of_vxlan_that_a_user_names_are_read_too() {
    let bytes = in_udp(9_999, &in_vxlan(42, &syn(&[])));
    let options = Options { vxlan_ports: vec![9_999] };
    assert!(is_tunnel_port(9_999, &options) && !is_tunnel_port(9_998, &options) && is_tunnel_port(6_081, &options));
    let packet = decode_with(&frame(LinkType::ETHERNET, &bytes), &options).unwrap();
    assert_eq!((packet.tunnels.to_string(), ports(&packet)), ("vxlan:42".into(), (40_000, 443)));
}

#[test]
fn tunnels_of_one_number_between_other_ends_are_other_places() {
    let mirrored = in_udp(4_789, &in_vxlan(42, &syn(&[])));
    let point = |bytes: &[u8]| ethernet(bytes).unwrap().point;
    for end in [29, 33] {
        let mut other = mirrored.clone();
        other[end] += 7;
        assert_eq!(of_syn(&other), ("vxlan:42".into(), String::new()));
        assert_ne!(point(&mirrored), point(&other), "{end}");
    }
    let v6 = in_ip6(4, &ip());
    let mut other = v6.clone();
    other[37] += 1;
    assert_ne!(point(&v6), point(&other));
    assert_eq!(point(&v6), point(&in_ip6(4, &ip())));
}

#[test]
fn what_a_tunnel_carries_beside_packets_is_counted_by_its_own_reason() {
    let arp = in_ethernet(0x0806, &[0; 28]);
    assert_eq!(ethernet(&in_udp(4_789, &in_vxlan(42, &arp))), Err(NotDecoded::Arp));
    let labels = (299u32 << 12 | 1 << 8).to_be_bytes();
    for payload in [&[0x10, 0, 0, 0x21][..], &[0xff; 30], &[0; 30]] {
        let bytes = in_ethernet(0x8847, &[&labels[..], payload].concat());
        assert_eq!(ethernet(&bytes), Err(NotDecoded::Mpls));
    }
    let endless = in_ethernet(0x8847, &[0; 200]);
    assert_eq!(ethernet(&endless), Err(NotDecoded::Malformed(Layer::Mpls)));
}

#[test]
fn ethernet_in_segment_routing_keeps_the_tags_inside_and_what_does_not_hold_together_stays_outside() {
    let tagged = in_ip6(143, &syn(&[(0x8100, 5)]));
    assert_eq!(of_syn(&tagged), ("ethernet".into(), "5".into()));
    assert_eq!(ethernet(&in_ip6(143, &in_ethernet(0x0806, &[0; 28]))), Err(NotDecoded::Arp));
    let mut damaged = syn(&[]);
    damaged[14] = 0x55;
    let bytes = in_ip6(143, &damaged);
    let packet = ethernet(&bytes).unwrap();
    assert_eq!((packet.protocol.0, packet.tunnels.is_empty()), (143, true));
}

#[test]
fn tunnels_nest_within_a_bound_and_the_innermost_that_is_read_is_told() {
    let mut bytes = in_ip(4, &ip());
    for _ in 0..10 {
        bytes = in_ip(4, &bytes[14..]);
    }
    let packet = ethernet(&bytes).unwrap();
    assert_eq!((packet.tunnels.to_string().as_str(), packet.protocol.0), ("ipip/ipip/ipip/ipip", 4));
    let labels = (299u32 << 12 | 1 << 8).to_be_bytes();
    let mut bytes = syn(&[]);
    for _ in 0..5 {
        bytes = in_ethernet(0x8847, &[&labels[..], &[0; 4], &bytes].concat());
    }
    assert_eq!(ethernet(&bytes), Err(NotDecoded::Mpls));
}

#[test]
fn lengths_of_zero_are_those_of_the_frame_also_in_tunnels() {
    let mut inner = ip();
    (inner[2], inner[3]) = (0, 0);
    inner.extend([b'x'; 500]);
    let frame_inside = in_ethernet(0x0800, &inner);
    let mut outer = in_udp(4_789, &in_vxlan(42, &frame_inside));
    (outer[16], outer[17]) = (0, 0);
    let data = &outer[..110];
    let wire_length = u32::try_from(outer.len()).unwrap();
    let packet = decode(&Frame { wire_length, data, ..frame(LinkType::ETHERNET, data) }).unwrap();
    assert_eq!((packet.ip_bytes, packet.tunnels.to_string().as_str()), (540, "vxlan:42"));
    assert!(matches!(packet.transport, Transport::Tcp { data_bytes: 500, .. }));
}

proptest! {
    #[test]
    fn a_damaged_tunnel_is_decoded_or_refused(case in 0usize..40, changes in prop::collection::vec((0usize..160, any::<u8>()), 1..4), cut in 0usize..400) {
        let all = all();
        let mut bytes = all[case % all.len()].1.clone();
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut.max(1));
        let _ = ethernet(&bytes);
    }
}
