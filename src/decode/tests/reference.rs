//! Held against etherparse on random stacks of headers, whole and damaged.

use etherparse::{
    EtherType, IpNumber, Ipv4Header, Ipv4Options, Ipv6ExtensionSlice, Ipv6Header, LinkExtSlice, NetSlice,
    SingleVlanHeader, SlicedPacket, TransportSlice, VlanId,
};

use super::*;

/// A frame: tags, options of IPv4 or extension headers of IPv6, TCP or UDP, data.
#[derive(Clone, Debug)]
struct Stack {
    tags: Vec<(u16, u16)>,
    is_v6: bool,
    options: Vec<u8>,
    extensions: Vec<(u8, u8)>,
    is_tcp: bool,
    ports: (u16, u16),
    sequence: u32,
    data: Vec<u8>,
}

fn stacks() -> impl Strategy<Value = Stack> {
    let tag = (prop::sample::select(vec![0x8100u16, 0x88a8, 0x9100]), any::<u16>());
    // hop-by-hop may stand at the beginning alone
    let extension = (prop::sample::select(vec![60u8, 43]), 0u8..4);
    (
        prop::collection::vec(tag, 0..=3),
        any::<bool>(),
        prop::collection::vec(any::<u8>(), 0..=10),
        prop::collection::vec(extension, 0..=2),
        any::<bool>(),
        any::<(u16, u16)>(),
        any::<u32>(),
        prop::collection::vec(any::<u8>(), 0..64),
    )
        .prop_map(|(tags, is_v6, options, mut extensions, is_tcp, ports, sequence, data)| {
            extensions.dedup_by_key(|(kind, _)| *kind);
            Stack { tags, is_v6, options, extensions, is_tcp, ports, sequence, data }
        })
}

impl Stack {
    fn bytes(&self) -> Vec<u8> {
        let transport = self.transport();
        let (ether_type, ip) = if self.is_v6 { (0x86dd, self.v6(transport)) } else { (0x0800, self.v4(&transport)) };
        let types: Vec<u16> = self.tags.iter().map(|(kind, _)| *kind).chain([ether_type]).collect();
        let mut frame = [&[2; 6][..], &[4; 6], &types[0].to_be_bytes()].concat();
        for ((_, id), next) in self.tags.iter().zip(&types[1..]) {
            frame.extend([id.to_be_bytes(), next.to_be_bytes()].concat());
        }
        frame.extend(ip);
        frame
    }

    fn transport(&self) -> Vec<u8> {
        let ports = [self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes()].concat();
        if self.is_tcp {
            [&ports[..], &self.sequence.to_be_bytes(), &[0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0], &self.data].concat()
        } else {
            let length = u16::try_from(8 + self.data.len()).unwrap().to_be_bytes();
            [&ports[..], &length, &[0, 0], &self.data].concat()
        }
    }

    fn protocol(&self) -> IpNumber {
        if self.is_tcp { IpNumber::TCP } else { IpNumber::UDP }
    }

    fn v4(&self, transport: &[u8]) -> Vec<u8> {
        let length = u16::try_from(transport.len()).unwrap();
        let mut header = Ipv4Header::new(length, 64, self.protocol(), [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
        let words = self.options.len() / 4 * 4;
        header.options = Ipv4Options::try_from(&self.options[..words]).unwrap();
        header.total_len += u16::try_from(words).unwrap();
        [&header.to_bytes()[..], transport].concat()
    }

    fn v6(&self, mut payload: Vec<u8>) -> Vec<u8> {
        let mut next = self.protocol().0;
        for (kind, units) in self.extensions.iter().rev() {
            let mut header = vec![next, *units];
            header.resize(8 + usize::from(*units) * 8, 0);
            payload.splice(0..0, header);
            next = *kind;
        }
        let payload_length = u16::try_from(payload.len()).unwrap();
        let header = Ipv6Header {
            payload_length,
            next_header: IpNumber(next),
            hop_limit: 64,
            source: [0x20; 16],
            destination: [0x21; 16],
            ..Ipv6Header::default()
        };
        [&header.to_bytes()[..], &payload].concat()
    }
}

/// What both decoders tell: tags, ends, protocol, hop limit, ports, sequence number and length of the data.
type Told = (Vec<u16>, IpAddr, IpAddr, u8, (u16, u16), u32, usize);

fn told(packet: &Packet<'_>) -> Option<Told> {
    let (ports, sequence, data_bytes) = match packet.transport {
        Transport::Tcp { src_port, dst_port, sequence, data_bytes, .. } => ((src_port, dst_port), sequence, data_bytes),
        Transport::Udp { src_port, dst_port, data_bytes, .. } => ((src_port, dst_port), 0, data_bytes),
        _ => return None,
    };
    let tags = packet.vlans.ids().collect();
    Some((tags, packet.src, packet.dst, packet.hop_limit, ports, sequence, usize::try_from(data_bytes).unwrap()))
}

/// What the reference tells of a frame; `None` where it does not read so far.
fn reference(bytes: &[u8]) -> Option<Told> {
    let packet = SlicedPacket::from_ethernet(bytes).ok()?;
    let tag = |it: &LinkExtSlice<'_>| match it {
        LinkExtSlice::Vlan(tag) => Some(tag.vlan_identifier().value()),
        LinkExtSlice::Macsec(_) => None,
    };
    let tags = packet.link_exts.iter().map(tag).collect::<Option<Vec<u16>>>()?;
    let (src, dst, hop_limit, payload) = match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.ttl(), ip.payload())
        }
        NetSlice::Ipv6(ip) => {
            // it tells the next on the way, and not whom the packet is for
            let has_left =
                |it| matches!(it, Ipv6ExtensionSlice::Routing(it) if it.slice().get(3).is_some_and(|left| *left > 0));
            if ip.extensions().clone().into_iter().any(has_left) {
                return None;
            }
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.hop_limit(), ip.payload())
        }
        NetSlice::Arp(_) => return None,
    };
    if payload.fragmented {
        return None;
    }
    let (ports, sequence, data) = match packet.transport.as_ref()? {
        TransportSlice::Tcp(tcp) => {
            ((tcp.source_port(), tcp.destination_port()), tcp.sequence_number(), tcp.payload().len())
        }
        TransportSlice::Udp(udp) => ((udp.source_port(), udp.destination_port()), 0, payload.payload.len() - 8),
        _ => return None,
    };
    Some((tags, src, dst, hop_limit, ports, sequence, data))
}

#[test]
fn the_reference_reads_what_these_tests_make() {
    let tag =
        SingleVlanHeader { vlan_id: VlanId::try_new(10).unwrap(), ether_type: EtherType::IPV4, ..Default::default() };
    assert_eq!(tag.to_bytes(), [0, 10, 8, 0]);
    let stack = Stack {
        tags: vec![(0x88a8, 100), (0x8100, 10)],
        is_v6: true,
        options: Vec::new(),
        extensions: vec![(60, 1), (43, 0)],
        is_tcp: true,
        ports: (40_000, 443),
        sequence: 77,
        data: vec![1; 10],
    };
    assert_eq!(reference(&stack.bytes()).unwrap().0, [100, 10]);
}

proptest! {
    #[test]
    fn the_short_way_and_the_general_one_agree(
        stack in stacks(),
        changes in prop::collection::vec((0usize..120, any::<u8>()), 0..3),
        cut in 0usize..300,
        padding in 0usize..20,
        interface in 0u32..3,
    ) {
        let mut bytes = stack.bytes();
        bytes.resize(bytes.len() + padding, 0);
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let whole = bytes.len();
        bytes.truncate(cut);
        let frame = Frame { wire_length: u32::try_from(whole).unwrap(), interface, ..frame(LinkType::ETHERNET, &bytes) };
        let options = Options { vxlan_ports: vec![9_999] };
        prop_assert_eq!(decode_with(&frame, &options), general(&frame, &options));
    }

    #[test]
    fn the_reference_decoder_agrees_on_whole_packets(stack in stacks()) {
        let bytes = stack.bytes();
        let packet = ethernet(&bytes).unwrap();
        let expected = reference(&bytes);
        prop_assert!(expected.is_some());
        // what by chance is sent to a tunnel's port has no tunnel inside
        prop_assert_eq!(told(&packet), expected);
    }

    #[test]
    fn the_reference_decoder_agrees_on_damaged_packets_where_it_reads_them(
        stack in stacks(),
        changes in prop::collection::vec((0usize..120, any::<u8>()), 1..4),
        cut in 0usize..200,
    ) {
        let mut bytes = stack.bytes();
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut.max(54));
        if let Some(expected) = reference(&bytes) {
            let packet = ethernet(&bytes);
            prop_assert!(packet.is_ok(), "{:?} but {:?}", packet, expected);
            if let Ok(packet) = &packet && packet.tunnels.is_empty() {
                prop_assert_eq!(told(packet), Some(expected));
            }
        }
    }
}
