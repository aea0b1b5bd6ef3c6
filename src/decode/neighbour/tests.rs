use super::*;
use crate::model::Timestamp;

const HOST: Mac = Mac([2, 0, 0, 0, 0, 5]);

fn frame(data: &[u8]) -> Frame<'_> {
    of_link(LinkType::ETHERNET, data)
}

fn of_link(link: LinkType, data: &[u8]) -> Frame<'_> {
    let wire_length = u32::try_from(data.len()).unwrap();
    Frame { time: Timestamp::default(), link, interface: 0, wire_length, data }
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &HOST.0, &ether_type.to_be_bytes(), payload].concat()
}

/// What a frame announces: `arp 02:00:00:00:00:05 10.0.0.5`, with the length of networks.
fn announced(data: &[u8]) -> Vec<String> {
    announced_by(&frame(data))
}

fn announced_by(frame: &Frame<'_>) -> Vec<String> {
    let seen = neighbour(frame);
    let mut all = Vec::new();
    seen.announced(&seen.carried(), |Fact { how, mac, address, prefix }| {
        let length = if prefix > 0 { format!("/{prefix}") } else { String::new() };
        all.push(format!("{} {mac} {address}{length}", how.as_str()));
    });
    all
}

fn arp_request() -> Vec<u8> {
    let packet = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &HOST.0, &[10, 0, 0, 5], &[0; 6], &[10, 0, 0, 1]].concat();
    ethernet(0x0806, &packet)
}

/// A router advertisement with a prefix of 64 bits, on-link.
fn advertisement() -> Vec<u8> {
    let prefix = [&[3, 4, 64, 0xc0][..], &[0; 12], &[0xfd, 0, 0, 0x10], &[0; 12]].concat();
    let message = [&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8], &[1, 1, 2, 0, 0, 0, 0, 9], &prefix].concat();
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let (src, dst) = ([&[0xfe, 0x80][..], &[0; 13], &[1]].concat(), [&[0xff, 2][..], &[0; 13], &[1]].concat());
    ethernet(0x86dd, &[&[0x60, 0, 0, 0][..], &length, &[58, 255], &src, &dst, &message].concat())
}

/// The acknowledgment of a lease of 10.0.0.77/20 with the router 10.0.0.1.
fn lease() -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..4].copy_from_slice(&[2, 1, 6, 0]);
    message[16..20].copy_from_slice(&[10, 0, 0, 77]);
    message[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    message.extend([53, 1, 5, 0, 1, 4, 255, 255, 240, 0, 3, 4, 10, 0, 0, 1, 255]);
    let length = u16::try_from(8 + message.len()).unwrap().to_be_bytes();
    let udp = [&[0, 67, 0, 68][..], &length, &[0, 0], &message].concat();
    let ip = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255];
    ethernet(0x0800, &[&ip[..], &udp].concat())
}

#[test]
fn arp_tells_the_sender_and_whom_it_asks_for() {
    assert_eq!(announced(&arp_request()), ["arp 02:00:00:00:00:05 10.0.0.5", "asked 02:00:00:00:00:05 10.0.0.1"]);
    let mut probe = arp_request();
    probe[28..32].fill(0);
    assert_eq!(announced(&probe), [""; 0], "who has no address yet claims none");
}

/// A frame of 802.3: its length, then LLC and SNAP with the type of what it carries.
fn with_snap(whole: &[u8]) -> Vec<u8> {
    let (macs, typed) = whole.split_at(12);
    let length = u16::try_from(6 + typed.len()).unwrap();
    [macs, &length.to_be_bytes(), &[0xaa, 0xaa, 3, 0, 0, 0], typed].concat()
}

fn tagged(whole: &[u8]) -> Vec<u8> {
    [&whole[..12], &[0x81, 0, 0, 7], &whole[12..]].concat()
}

#[test]
fn behind_llc_and_snap_frames_say_the_same() {
    for whole in [arp_request(), advertisement(), lease()] {
        let (told, snap) = (announced(&whole), with_snap(&whole));
        assert_eq!(announced(&snap), told);
        assert_eq!(announced(&[&snap[..], &[0; 18]].concat()), told, "what fills the frame up is none of it");
        for tagged in [tagged(&snap), with_snap(&tagged(&whole))] {
            assert_eq!(announced(&tagged), told);
            assert_eq!(neighbour(&frame(&tagged)).vlans, VlanStack::of(&[7]));
        }
        let cooked = |number: u8| [&[0, 1, 0, 1, 0, 6][..], &HOST.0, &[0, 0, 0, number], &snap[14..]].concat();
        assert_eq!(announced_by(&of_link(LinkType::LINUX_SLL, &cooked(4))), told);
        assert_eq!(announced_by(&of_link(LinkType::LINUX_SLL, &cooked(1))), [""; 0], "802.3 without LLC");
    }
    assert_eq!(announced(&ethernet(3, &[0x42, 0x42, 3])), [""; 0], "spanning tree");
}

#[test]
fn a_router_advertises_itself_and_its_prefix() {
    let told =
        ["nd 02:00:00:00:00:09 fe80::1", "router 02:00:00:00:00:09 fe80::1", "ra 02:00:00:00:00:09 fd00:10::/64"];
    assert_eq!(announced(&advertisement()), told);
    let mut forwarded = advertisement();
    forwarded[14 + 7] = 254;
    assert_eq!(announced(&forwarded), [""; 0], "what a router forwarded is not of this link");
}

#[test]
fn a_lease_tells_the_network_and_its_router() {
    let told = ["dhcp 02:00:00:00:00:05 10.0.0.0/20", "dhcp-router 02:00:00:00:00:05 10.0.0.1"];
    assert_eq!(announced(&lease()), told);
}

#[test]
fn frames_cut_anywhere_say_less_and_never_fail() {
    for whole in [arp_request(), advertisement(), lease(), with_snap(&arp_request())] {
        for cut in 0..whole.len() {
            assert!(announced(&whole[..cut]).len() <= announced(&whole).len());
        }
    }
}
