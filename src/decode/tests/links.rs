//! Every link type, with one packet in it.

use super::*;

/// The IP packet of a SYN of 10.0.0.1:40000 to 10.0.0.2:443.
fn ip() -> Vec<u8> {
    syn(&[])[14..].to_vec()
}

fn behind(header: &[u8]) -> Vec<u8> {
    [header, &ip()].concat()
}

const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

/// A data frame from a station to its access point; the flags beside that it is so.
fn wifi(subtype: u8, flags: u8, further: &[u8]) -> Vec<u8> {
    let header = [&[subtype << 4 | 8, flags | 1, 0, 0][..], &[2; 6], &[4; 6], &[6; 6], &[0x10, 0], further].concat();
    [header, SNAP.to_vec(), ip()].concat()
}

/// A frame that may hold several, with one and what stands behind it.
fn aggregate(behind: &[u8]) -> Vec<u8> {
    let length = u8::try_from(SNAP.len() + ip().len()).unwrap();
    let inner = [&[2; 6][..], &[4; 6], &[0, length], &SNAP, &ip(), behind].concat();
    let head = wifi(8, 0, &[0x80, 0]);
    [&head[..26], &inner].concat()
}

fn wired(link: u32, data: &[u8]) -> Result<(u16, u16), NotDecoded> {
    let packet = decode(&frame(LinkType(link), data))?;
    assert_eq!((packet.src.to_string().as_str(), packet.dst.to_string().as_str()), ("10.0.0.1", "10.0.0.2"));
    Ok(ports(&packet))
}

fn all() -> Vec<(u32, Vec<u8>)> {
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    let radiotap = |clock: bool, flags: u8| {
        let mut header = if clock {
            // two words of fields, so that the clock is moved to a multiple of eight bytes
            [&[0, 0, 0, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0][..], &[9; 8], &[flags]].concat()
        } else {
            vec![0, 0, 0, 0, 2, 0, 0, 0, flags]
        };
        header[2] = u8::try_from(header.len()).unwrap();
        header
    };
    let quality_padded = wifi(8, 0, &[0, 0, 0, 0]);
    let between = [&[0x08, 3, 0, 0][..], &[2; 6], &[4; 6], &[6; 6], &[0x10, 0], &[8; 6], &SNAP, &ip()].concat();
    let mut pktap = vec![0; 108];
    (pktap[0], pktap[8]) = (108, 1);
    let nflog = |big: bool| {
        let word = |value: usize| {
            let value = u16::try_from(value).unwrap();
            if big { value.to_be_bytes() } else { value.to_le_bytes() }
        };
        let packet = ip();
        [&[2, 0, 0, 1][..], &word(5), &word(10), &[7, 0, 0, 0], &word(4 + packet.len()), &word(9), &packet].concat()
    };
    let length = u16::try_from(8 + ip().len()).unwrap().to_be_bytes();
    let length_tag = [&[0x81, 0, 0, 7][..], &length].concat();
    vec![
        (0, behind(&[2, 0, 0, 0])),
        (108, behind(&[0, 0, 0, 2])),
        (101, ip()),
        (12, ip()),
        (14, ip()),
        (228, ip()),
        (1, behind(&[&ethernet[..], &[8, 0]].concat())),
        (1, behind(&[&ethernet[..], &length, &SNAP].concat())),
        (1, behind(&[&ethernet[..], &length_tag, &SNAP].concat())),
        (1, [&ethernet[..], &length, &[0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0], &ip(), &[0; 6]].concat()),
        (1, behind(&[&ethernet[..], &[0x89, 0x09, 1, 1, 0, 1, 0, 17, 8, 0]].concat())),
        (1, behind(&[&ethernet[..], &[0x81, 0, 0, 7, 0x89, 0x09, 1, 1, 0, 1, 0, 17, 8, 0]].concat())),
        (1, behind(&[&ethernet[..], &[0x89, 0x03, 0, 0x60], &ethernet[..], &[0x81, 0, 0, 7, 8, 0]].concat())),
        (1, behind(&[&ethernet[..], &[0xd2, 0x8b, 0, 1, 0, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0]].concat())),
        (1, behind(&[&ethernet[..], &[0xd2, 0x8b, 0, 1, 1, 0x20, 1, 2, 3, 4, 5, 6, 8, 0]].concat())),
        (1, behind(&[&ethernet[..], &[0x89, 0x26, 0x80, 1, 0, 2, 0x81, 0, 0, 7, 8, 0]].concat())),
        (1, behind(&[&ethernet[..], &[0x89, 0x3f, 0, 1, 0, 2, 0, 0, 8, 0]].concat())),
        (276, behind(&[&[8, 0][..], &[0; 18], &[0, 10, 8, 0]].concat())),
        (276, behind(&[&[8, 0][..], &[0; 18], &[0, 10, 0x81, 0, 0, 5, 8, 0]].concat())),
        (9, behind(&[0, 0x21])),
        (9, behind(&[0x21])),
        (9, behind(&[0xff, 3, 0, 0x21])),
        (9, behind(&[0x0f, 0, 8, 0])),
        (50, behind(&[0xff, 3, 0, 0x21])),
        (50, behind(&[0x0f, 0, 8, 0])),
        (51, behind(&[0x11, 0, 0, 9, 0, 42, 0, 0x21])),
        (166, behind(&[1, 3, 0, 0x21])),
        (204, behind(&[1, 0xff, 3, 0, 0x21])),
        (104, behind(&[0x8f, 0, 8, 0])),
        (107, behind(&[0x18, 0x41, 3, 0xcc])),
        (107, behind(&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0])),
        (107, behind(&[0x18, 0x41, 8, 0])),
        (10, behind(&[&[0x50][..], &ethernet, &SNAP].concat())),
        (105, wifi(0, 0, &[])),
        (105, wifi(8, 0, &[0, 0])),
        (105, wifi(8, 0x80, &[0, 0, 1, 2, 3, 4])),
        (105, between),
        (127, [radiotap(false, 0), wifi(8, 0, &[0, 0])].concat()),
        (127, [radiotap(true, 0), wifi(8, 0, &[0, 0])].concat()),
        (127, [radiotap(true, 0x20), quality_padded].concat()),
        (119, [vec![0x44, 0, 0, 0, 16, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], wifi(0, 0, &[])].concat()),
        (119, [vec![0x80, 0x21, 0x10, 1, 0, 0, 0, 12, 1, 2, 3, 4], wifi(0, 0, &[])].concat()),
        (163, [vec![0x80, 0x21, 0x10, 1, 0, 0, 0, 12, 1, 2, 3, 4], wifi(0, 0, &[])].concat()),
        (117, behind(&[&[61, 2][..], &[0; 62]].concat())),
        (192, [vec![0, 0, 8, 0, 105, 0, 0, 0], wifi(0, 0, &[])].concat()),
        (239, nflog(false)),
        (239, nflog(true)),
        (258, [pktap, behind(&[&ethernet[..], &[8, 0]].concat())].concat()),
    ]
}

/// Those that are rare, and the tags between switch chips and processors.
fn rare() -> Vec<(u32, Vec<u8>)> {
    let addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    let plain = syn(&[]);
    let tagged = |tag: &[u8]| [&addresses[..], tag, &[8, 0], &ip()].concat();
    let juniper = |flags: u8, further: &[u8], data: &[u8]| [b"MGC", &[flags][..], further, data].concat();
    let record = |kind: u8, further: &[u8]| [&[0; 8][..], &[kind, 4], &[0; 6], further].concat();
    let routed = [0x10, 0x40, 2, 0, 0, 0, 0, 2, 0x82, 0, 0, 0, 0, 1, 6, 0, 0, 1, 0, 2];
    vec![
        (6, behind(&[&[0x10, 0x40][..], &addresses, &SNAP].concat())),
        (6, behind(&[&routed[..], &SNAP].concat())),
        (100, behind(&SNAP)),
        (109, behind(&[2, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 0])),
        (122, behind(&[&[0x10, 0, 2, 0, 0, 0, 0, 1].repeat(2)[..], &SNAP].concat())),
        (178, juniper(1, &[], &plain)),
        (178, juniper(0x81, &[0, 6, 1, 1, 0, 2, 1, 7], &plain)),
        (178, juniper(0x82, &[0, 3, 2, 1, 7, 0, 0, 0, 2], &ip())),
        (197, record(2, &[&[0, 0][..], &plain].concat())),
        (197, record(0x96, &[&[0x83, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..], &ip()].concat())),
        (197, record(1, &[&[0x0f, 0, 8, 0][..], &ip()].concat())),
        (205, behind(&[1, 0x8f, 0, 8, 0])),
        (206, behind(&[1, 0x18, 0x41, 3, 0xcc])),
        (219, behind(&[0, 1, 0x21, 64])),
        (226, behind(&[&[1, 2, 0, 0][..], &[0, 0, 0, 40], &[7; 16]].concat())),
        (242, behind(&[&[0; 40][..], &[8, 0, 0, 0]].concat())),
        (281, tagged(&[0x20, 0, 0, 2])),
        (282, [&[0, 0, 0, 2][..], &plain].concat()),
        (284, tagged(&[0xc0, 8, 0, 1])),
        (284, tagged(&[0xe0, 8, 0, 100])),
        (285, tagged(&[0xda, 0xda, 0, 0, 0x20, 8, 0, 100])),
        (1, tagged(&[0xda, 0xda, 0, 0, 0x00, 8, 0, 1])),
    ]
}

#[test]
fn every_link_type_leads_to_its_packet() {
    for (link, bytes) in all().into_iter().chain(rare()) {
        assert_eq!(wired(link, &bytes), Ok((40_000, 443)), "{} {bytes:02x?}", LinkType(link));
    }
}

#[test]
fn a_packet_cut_anywhere_on_any_link_is_told_or_counted_as_cut() {
    for (link, bytes) in all().into_iter().chain(rare()) {
        let wire_length = u32::try_from(bytes.len()).unwrap();
        for cut in 0..bytes.len() {
            let data = &bytes[..cut];
            let cut_frame = Frame { wire_length, data, ..frame(LinkType(link), data) };
            match decode(&cut_frame) {
                Ok(packet) => assert_eq!(ports(&packet), (40_000, 443), "{} at {cut}", LinkType(link)),
                Err(reason) => {
                    let is_cut = matches!(reason, NotDecoded::CutShort(_));
                    assert!(is_cut, "{} at {cut}: {reason}", LinkType(link));
                }
            }
        }
    }
}

#[test]
fn tags_that_name_no_vlan_are_no_deeper_than_others() {
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    let stacked = |count: usize| [&ethernet[..], &[0x89, 0x26, 0, 1, 0, 2].repeat(count), &[8, 0], &ip()].concat();
    assert_eq!(wired(1, &stacked(8)), Ok((40_000, 443)));
    assert_eq!(wired(1, &stacked(9_000)).unwrap_err().to_string(), "vlan: too many tags");
}

#[test]
fn frames_without_a_packet_are_named() {
    let ethernet = |rest: &[u8]| [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], rest, &[0; 40]].concat();
    let encrypted = wifi(0, 0x40, &[]);
    let mut later = wifi(0, 0, &[]);
    later[22] = 0x11;
    let several = aggregate(&[9; 14]);
    let cases = [
        (1, ethernet(&[0, 38, 0x42, 0x42, 3]), "spanning tree"),
        (1, ethernet(&[0, 38, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0]), "cdp"),
        (1, ethernet(&[0, 38, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x77, 0]), "llc: cisco 0x7700"),
        (1, ethernet(&[0, 38, 0xaa, 0xaa, 3, 1, 2, 3, 0, 1]), "llc: vendor's protocol"),
        (1, ethernet(&[0, 38, 0x12, 0x34, 3]), "llc 0x12"),
        (1, ethernet(&[8, 6]), "arp"),
        (1, ethernet(&[0x88, 0xcc]), "lldp"),
        (1, ethernet(&[0x88, 0x63]), "pppoe discovery"),
        (1, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 4, 0xc0, 0x21]), "ppp: lcp"),
        (1, ethernet(&[0x12, 0x34]), "ethertype 0x1234"),
        (104, ethernet(&[])[..0].iter().copied().chain([0x8f, 0, 0x80, 0x35, 0, 0]).collect(), "c-hdlc: not data"),
        (107, vec![0x18, 0x41, 3, 8, 0, 0], "frelay: not data"),
        (10, vec![0x41; 40], "fddi: not data"),
        (105, vec![0x80; 40], "802.11: not data"),
        (105, wifi(4, 0, &[]), "802.11: no data"),
        (105, encrypted, "802.11: encrypted"),
        (105, several, "802.11: several frames in one"),
        (105, later, "802.11: later fragment"),
        (113, [&[0; 14][..], &[0, 12], &[0; 20]].concat(), "cooked protocol 0x000c"),
        (195, vec![0; 40], "link type ieee802-15-4-withfcs"),
        (178, vec![b'M'; 40], "link: malformed"),
        (197, vec![3; 40], "erf: not data"),
        (6, vec![0; 40], "ieee802-5: not data"),
        (65_000, vec![0; 40], "link type 65000"),
        (9, vec![0xc0, 0x21, 1, 1], "ppp: lcp"),
    ];
    for (link, bytes, reason) in cases {
        let told = decode(&frame(LinkType(link), &bytes)).map(|packet| packet.src).unwrap_err();
        assert_eq!(told.to_string(), reason, "link {link}");
    }
}

#[test]
fn an_aggregate_of_one_frame_is_read() {
    for behind in [&[][..], &[0; 3], &[9; 7]] {
        assert_eq!(wired(105, &aggregate(behind)), Ok((40_000, 443)));
    }
    let whole = aggregate(&[]);
    for cut in 0..whole.len() {
        let reason = decode(&frame(LinkType(105), &whole[..cut])).map(|packet| packet.src).unwrap_err();
        let is_told = matches!(reason, NotDecoded::CutShort(_) | NotDecoded::Wifi(crate::decode::Wifi::Aggregate));
        assert!(is_told, "{cut}: {reason}");
    }
}

#[test]
fn a_relayed_frame_on_the_air_is_seen_at_another_place() {
    let (sent, mut relayed) = (wifi(0, 0, &[]), wifi(0, 0, &[]));
    relayed[1] = 2;
    let [sent, relayed] = [&sent, &relayed].map(|bytes| decode(&frame(LinkType(105), bytes)).unwrap().point);
    assert_ne!(sent, relayed);
}

/// Where a frame was seen, the tags being a part of it.
fn point(link: u32, bytes: &[u8]) -> u32 {
    decode(&frame(LinkType(link), bytes)).unwrap().point
}

#[test]
fn headers_of_captures_of_several_interfaces_tell_places_apart() {
    let pktap = |name: &[u8], direction: u8| {
        let mut header = vec![0; 108];
        (header[0], header[8], header[36]) = (108, 1, direction);
        header[12..12 + name.len()].copy_from_slice(name);
        [header, syn(&[])].concat()
    };
    let pflog = |name: &[u8], direction: u8| {
        let mut header = vec![0; 64];
        (header[0], header[60]) = (61, direction);
        header[4..4 + name.len()].copy_from_slice(name);
        behind(&header)
    };
    let nflog = |hook: u8, interface: u8| {
        behind(&[2, 0, 0, 1, 8, 0, 1, 0, 8, 0, hook, 0, 8, 0, 5, 0, 0, 0, 0, interface, 44, 0, 9, 0])
    };
    let cases = [
        (258, pktap(b"en0", 1), pktap(b"bridge0", 1)),
        (258, pktap(b"en0", 1), pktap(b"en0", 2)),
        (117, pflog(b"em0", 1), pflog(b"em1", 1)),
        (117, pflog(b"em0", 1), pflog(b"em0", 2)),
        (239, nflog(0, 3), nflog(2, 3)),
        (239, nflog(0, 3), nflog(0, 4)),
        (226, behind(&[7; 24]), behind(&[8; 24])),
        (178, [b"MGC\x01", &syn(&[])[..]].concat(), [b"MGC\x00", &syn(&[])[..]].concat()),
        (282, [&[0, 0, 0, 2][..], &syn(&[])].concat(), [&[0, 0, 0, 3][..], &syn(&[])].concat()),
    ];
    for (link, one, other) in cases {
        assert_eq!(wired(link, &one), Ok((40_000, 443)));
        assert_ne!(point(link, &one), point(link, &other), "{}", LinkType(link));
        assert_eq!(point(link, &one), point(link, &one));
    }
}

#[test]
fn the_tag_of_a_switch_chip_tells_the_port_and_the_vlan_of_a_frame_that_had_one() {
    let marvell = |tag: &[u8]| {
        let mut bytes = syn(&[]);
        bytes.splice(12..12, tag.iter().copied());
        bytes
    };
    let vlans = |link, bytes: &[u8]| decode(&frame(LinkType(link), bytes)).unwrap().vlans.to_string();
    assert_eq!(vlans(284, &marvell(&[0xe0, 8, 0x60, 100])), "100");
    assert_eq!(vlans(284, &marvell(&[0xc0, 8, 0x60, 100])), "");
    assert_eq!(vlans(284, &marvell(&[0xe0, 8, 0x60, 100, 0x81, 0, 0, 20])), "100.20");
    assert_eq!(vlans(285, &marvell(&[0xda, 0xda, 0, 0, 0x20, 8, 0, 100])), "100");
    assert_eq!(vlans(1, &marvell(&[0xda, 0xda, 0, 0, 0x20, 8, 0, 100])), "100");
    let ports = [8, 16].map(|port| point(284, &marvell(&[0xc0, port, 0, 1])));
    assert_ne!(ports[0], ports[1]);
}

#[test]
fn a_frame_sent_again_is_known_and_one_whose_first_was_lost_is_not() {
    const RETRY: u8 = 8;
    let numbered = |flags: u8, number: u8| {
        let mut bytes = wifi(8, flags, &[0, 0]);
        bytes[22] = number << 4;
        // the check sequence differs, for it is of the flags too
        [bytes, vec![flags; 4]].concat()
    };
    let mut repeats = crate::decode::Repeats::default();
    let mut has = |bytes: &[u8], link: u32, time_ms: i64| {
        repeats.has(&Frame { time: Timestamp(time_ms * 1_000_000), ..frame(LinkType(link), bytes) })
    };
    assert!(!has(&numbered(0, 1), 105, 0));
    assert!(has(&numbered(RETRY, 1), 105, 3));
    assert!(has(&numbered(RETRY, 1), 105, 9));
    assert!(!has(&numbered(0, 1), 105, 12), "it does not say that it was sent before");
    assert!(!has(&numbered(RETRY, 2), 105, 15), "its first was lost");
    assert!(!has(&numbered(RETRY, 1), 105, 5_000), "the numbers have come round");
    let radiotap = |bytes: Vec<u8>| [vec![0, 0, 8, 0, 0, 0, 0, 0], bytes].concat();
    assert!(!has(&radiotap(numbered(0, 3)), 127, 6_000));
    assert!(has(&radiotap(numbered(RETRY, 3)), 127, 6_001));
    let (encrypted, wired) = (numbered(0x40 | RETRY, 4), syn(&[]));
    assert!(!has(&encrypted, 105, 6_002) && !has(&encrypted, 105, 6_003));
    assert!(!has(&wired, 1, 6_004) && !has(&wired, 1, 6_005));
}
