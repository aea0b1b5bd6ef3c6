//! Captures put together packet by packet, for what [`super::packets`] has no word for: tags, interfaces, lost and
//! doubled packets. Ends are written `10.0.0.1:80`.

use std::net::SocketAddrV4;

/// An ordinary day in November 2026, on the hour.
const START_S: u32 = 1_795_500_000;

/// The ends of a connection where it matters not which they are.
pub const CLIENT: &str = "10.0.0.1:40000";
pub const SERVER: &str = "10.0.0.2:80";

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A packet in the making.
#[derive(Clone)]
pub struct Packet {
    from: SocketAddrV4,
    to: SocketAddrV4,
    protocol: u8,
    payload: Vec<u8>,
    hops: u8,
    id: u16,
    vlans: Vec<u16>,
    interface: u32,
    at_s: Option<f64>,
    tunnel: Option<Tunnel>,
    /// Flags and offset of fragments.
    fragment: u16,
    is_to_all: bool,
}

/// A tunnel from one host of a provider to another, with the number of its network.
#[derive(Clone, Copy)]
pub enum Tunnel {
    /// On this port.
    Vxlan(u16, u32),
    Geneve(u32),
    Gre(u32),
}

impl Tunnel {
    /// The protocol and the headers in front of an Ethernet frame.
    fn headers(self, frame_bytes: usize) -> (u8, Vec<u8>) {
        let (port, header) = match self {
            Self::Gre(key) => return (47, [&[0x20, 0, 0x65, 0x58][..], &key.to_be_bytes()].concat()),
            Self::Vxlan(port, network) => (port, [[8, 0, 0, 0], (network << 8).to_be_bytes()].concat()),
            Self::Geneve(network) => (6_081, [[0, 0, 0x65, 0x58], (network << 8).to_be_bytes()].concat()),
        };
        let length = u16::try_from(8 + header.len() + frame_bytes).expect("a short packet").to_be_bytes();
        (17, [&[0xc0, 0][..], &port.to_be_bytes(), &length, &[0, 0], &header].concat())
    }
}

const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

impl Packet {
    fn new(from: &str, to: &str, protocol: u8, payload: Vec<u8>) -> Self {
        let end = |text: &str| text.parse().expect("an address with a port");
        let (from, to) = (end(from), end(to));
        let (vlans, at_s, tunnel) = (Vec::new(), None, None);
        let (hops, fragment, is_to_all) = (64, 0x4000, false);
        Self { from, to, protocol, payload, hops, id: 0, vlans, interface: 2, at_s, tunnel, fragment, is_to_all }
    }

    /// Whether this end sent it.
    pub fn is_from(&self, end: &str) -> bool {
        self.from.to_string() == end
    }

    /// With this hop limit instead of 64.
    pub fn hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    /// With this IP identification instead of 0.
    pub fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    /// With these 802.1Q tags, outer first. Captures of Ethernet alone carry them.
    pub fn vlans(self, vlans: &[u16]) -> Self {
        Self { vlans: vlans.to_vec(), ..self }
    }

    /// In a frame to everybody on the link. Captures of Ethernet alone tell.
    pub fn sent_to_all(self) -> Self {
        Self { is_to_all: true, ..self }
    }

    /// Seen on this interface. Cooked captures alone tell.
    pub fn on(self, interface: u32) -> Self {
        Self { interface, ..self }
    }

    /// Seen so many seconds after the captures' start, instead of 10 ms after the packet before.
    pub fn at(self, seconds: f64) -> Self {
        Self { at_s: Some(seconds), ..self }
    }

    /// Its time, where it has one of its own.
    pub fn time_s(&self) -> f64 {
        self.at_s.unwrap_or_default()
    }

    /// Inside a tunnel. Its tags are then those outside.
    pub fn through(self, tunnel: Tunnel) -> Self {
        Self { tunnel: Some(tunnel), ..self }
    }

    /// In fragments with so many bytes behind their IP headers, a multiple of 8.
    pub fn fragments(self, bytes: usize) -> Vec<Self> {
        let count = self.payload.len().div_ceil(bytes);
        let fragment = |(n, part): (usize, &[u8])| {
            let more = if n + 1 < count { 0x2000 } else { 0 };
            let offset = u16::try_from(n * bytes / 8).expect("a packet of IP");
            Self { payload: part.to_vec(), fragment: offset | more, ..self.clone() }
        };
        self.payload.chunks(bytes).enumerate().map(fragment).collect()
    }

    /// Whether it comes from or goes to this address.
    pub fn names(&self, address: &str) -> bool {
        [self.from, self.to].iter().any(|end| end.ip().to_string() == address)
    }

    fn ip(&self) -> Vec<u8> {
        let length = u16::try_from(20 + self.payload.len()).expect("a short packet");
        let mut ip = vec![0x45, 0];
        ip.extend(length.to_be_bytes());
        ip.extend(self.id.to_be_bytes());
        ip.extend(self.fragment.to_be_bytes());
        ip.extend([self.hops, self.protocol, 0, 0]);
        ip.extend(self.from.ip().octets());
        ip.extend(self.to.ip().octets());
        ip.extend(&self.payload);
        self.tunnel.map_or(ip.clone(), |tunnel| outer(tunnel, &ip).ip())
    }

    /// The packet of a provider's that carries this one.
    pub fn carried_by(&self, tunnel: Tunnel) -> Self {
        outer(tunnel, &self.ip())
    }
}

/// The packet of a provider's that carries this one of IP.
fn outer(tunnel: Tunnel, ip: &[u8]) -> Packet {
    let frame = [&ETHERNET[..], &[8, 0], ip].concat();
    let (protocol, headers) = tunnel.headers(frame.len());
    let payload = [headers, frame].concat();
    Packet { protocol, payload, ..Packet::new("192.0.2.1:0", "192.0.2.2:0", 0, Vec::new()) }
}

fn ports(from: &str, to: &str) -> Vec<u8> {
    let port = |text: &str| text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
    [port(from).to_be_bytes(), port(to).to_be_bytes()].concat()
}

fn segment(from: &str, to: &str, flags: u8, sequence: u32, acknowledgment: u32, data_bytes: usize) -> Packet {
    let mut tcp = ports(from, to);
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(acknowledgment.to_be_bytes());
    tcp.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    tcp.resize(tcp.len() + data_bytes, b'x');
    Packet::new(from, to, 6, tcp)
}

pub fn syn(from: &str, to: &str, sequence: u32) -> Packet {
    segment(from, to, SYN, sequence, 0, 0)
}

pub fn syn_ack(from: &str, to: &str, sequence: u32, acknowledgment: u32) -> Packet {
    segment(from, to, SYN | ACK, sequence, acknowledgment, 0)
}

/// A segment past the opening, with so many bytes of data.
pub fn traffic(from: &str, to: &str, sequence: u32, acknowledgment: u32, data_bytes: usize) -> Packet {
    segment(from, to, ACK, sequence, acknowledgment, data_bytes)
}

pub fn fin(from: &str, to: &str, sequence: u32, acknowledgment: u32) -> Packet {
    segment(from, to, FIN | ACK, sequence, acknowledgment, 0)
}

/// The answer to a SYN where nobody listens.
pub fn reset(from: &str, to: &str, acknowledgment: u32) -> Packet {
    segment(from, to, RST | ACK, 0, acknowledgment, 0)
}

/// The answer to any other segment where nobody listens: it has the number that the segment acknowledges.
pub fn disowned(from: &str, to: &str, sequence: u32) -> Packet {
    segment(from, to, RST, sequence, 0, 0)
}

/// A segment that belongs to no connection: a FIN that acknowledges nothing.
pub fn probe(from: &str, to: &str, sequence: u32) -> Packet {
    segment(from, to, FIN, sequence, 0, 0)
}

/// A message of ICMP of this type, between addresses.
pub fn icmp(from: &str, to: &str, kind: u8) -> Packet {
    Packet::new(&format!("{from}:0"), &format!("{to}:0"), 1, vec![kind, 0, 0, 0, 0, 1, 0, 1])
}

/// A packet of ESP, which has no ports.
pub fn esp(from: &str, to: &str) -> Packet {
    Packet::new(&format!("{from}:0"), &format!("{to}:0"), 50, vec![0, 0, 0, 9, 0, 0, 0, 1])
}

pub fn datagram(from: &str, to: &str, data: &str) -> Packet {
    let mut udp = ports(from, to);
    udp.extend(u16::try_from(8 + data.len()).expect("a short datagram").to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(data.as_bytes());
    Packet::new(from, to, 17, udp)
}

/// SCTP with one chunk: 0 DATA, 1 INIT, 2 INIT ACK (both give the sender's own tag), 6 ABORT, 10 COOKIE ECHO.
pub fn sctp(from: &str, to: &str, tag: u32, chunk: u8, own_tag: u32) -> Packet {
    let mut sctp = ports(from, to);
    sctp.extend(tag.to_be_bytes());
    sctp.extend([0, 0, 0, 0, chunk, 0, 0, 20]);
    sctp.extend(own_tag.to_be_bytes());
    sctp.resize(sctp.len() + 12, 0);
    Packet::new(from, to, 132, sctp)
}

/// ICMP port unreachable from a router: quotes so many bytes of the packet that found no way, its IP header of 20 among
/// them. RFC 792 asks for 28, Linux gives all of a short packet.
pub fn unreachable(router: &str, lost: &Packet, quoted_bytes: usize) -> Packet {
    let mut icmp = vec![3, 3, 0, 0, 0, 0, 0, 0];
    icmp.extend(lost.ip().iter().take(quoted_bytes));
    Packet { at_s: None, ..Packet::new(&format!("{router}:0"), &lost.from.to_string(), 1, icmp) }
}

/// A router cannot pass a packet on in one piece: the sender is to send less at once.
pub fn too_big(router: &str, lost: &Packet) -> Packet {
    let mut icmp = vec![3, 4, 0, 0, 0, 0, 5, 0x14];
    icmp.extend(lost.ip().iter().take(28));
    Packet { at_s: None, ..Packet::new(&format!("{router}:0"), &lost.from.to_string(), 1, icmp) }
}

/// A whole TCP connection: opened, a request of 100 bytes and an answer of 1,000, closed. The numbers are the initial
/// sequence numbers of client and server.
pub fn connection(client: &str, server: &str, number: u32, answer: u32) -> Vec<Packet> {
    let (a, b) = (number.wrapping_add(1), answer.wrapping_add(1));
    opening(client, server, number, answer).into_iter().chain(rest(client, server, a, b)).collect()
}

/// Its opening alone.
pub fn opening(client: &str, server: &str, number: u32, answer: u32) -> [Packet; 3] {
    let (a, b) = (number.wrapping_add(1), answer.wrapping_add(1));
    [syn(client, server, number), syn_ack(server, client, answer, a), traffic(client, server, a, b, 0)]
}

/// The same without its opening; the numbers are those of the first bytes of data.
pub fn rest(client: &str, server: &str, a: u32, b: u32) -> [Packet; 4] {
    let (a_end, b_end) = (a.wrapping_add(100), b.wrapping_add(1_000));
    [
        traffic(client, server, a, b, 100),
        traffic(server, client, b, a_end, 1_000),
        fin(client, server, a_end, b_end),
        fin(server, client, b_end, a_end.wrapping_add(1)),
    ]
}

/// Packets as a second place sees them: each right behind the first sighting, changed in this way.
pub fn seen_again(packets: Vec<Packet>, change: impl Fn(&Packet) -> Packet) -> Vec<Packet> {
    packets.into_iter().flat_map(|packet| [packet.clone(), change(&packet)]).collect()
}

/// What packets begin with in a capture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Ethernet II, with tags.
    Ethernet = 1,
    /// `LINKTYPE_LINUX_SLL2`, as `tcpdump -i any` has it.
    Cooked = 276,
}

/// A capture in the making: classic pcap, little-endian, microseconds.
pub struct Frames {
    link: Link,
    bytes: Vec<u8>,
    /// The time of the last packet, in microseconds since the start.
    now_us: u64,
}

impl Frames {
    /// Of one interface, with VLAN tags.
    pub fn ethernet(packets: impl IntoIterator<Item = Packet>) -> Self {
        Self::of(Link::Ethernet).with(packets)
    }

    /// Of all interfaces.
    pub fn cooked(packets: impl IntoIterator<Item = Packet>) -> Self {
        Self::of(Link::Cooked).with(packets)
    }

    fn of(link: Link) -> Self {
        let mut bytes = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(262_144u32.to_le_bytes());
        bytes.extend((link as u32).to_le_bytes());
        Self { link, bytes, now_us: 0 }
    }

    fn with(mut self, packets: impl IntoIterator<Item = Packet>) -> Self {
        packets.into_iter().for_each(|packet| self.push(&packet));
        self
    }

    /// Adds a packet.
    fn push(&mut self, packet: &Packet) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hours, never negative")]
        let micros = |seconds: f64| (seconds * 1e6).round() as u64;
        self.now_us = packet.at_s.map_or(self.now_us + 10_000, micros);
        let seconds = START_S + u32::try_from(self.now_us / 1_000_000).expect("some hours");
        let micros = u32::try_from(self.now_us % 1_000_000).expect("below a second");
        let frame = [self.link_header(packet), packet.ip()].concat();
        let length = u32::try_from(frame.len()).expect("a short frame");
        for word in [seconds, micros, length, length] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(frame);
    }

    fn link_header(&self, packet: &Packet) -> Vec<u8> {
        match self.link {
            Link::Ethernet => {
                let tag = |vlan: &u16| [0x8100u16.to_be_bytes(), vlan.to_be_bytes()].concat();
                let tags: Vec<u8> = packet.vlans.iter().flat_map(tag).collect();
                let to = if packet.is_to_all { &[0xff; 6] } else { &ETHERNET[..6] };
                [to, &ETHERNET[6..], &tags, &[8, 0]].concat()
            }
            Link::Cooked => {
                let interface = packet.interface.to_be_bytes();
                [&[8, 0, 0, 0][..], &interface, &[0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]].concat()
            }
        }
    }

    /// The same with packets cut to so many bytes.
    pub fn cut_to(&self, snaplen: usize) -> Self {
        const FILE_HEADER_BYTES: usize = 24;
        let mut bytes = self.bytes[..FILE_HEADER_BYTES].to_vec();
        let mut rest = &self.bytes[FILE_HEADER_BYTES..];
        while let Some((header, packets)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes(header[8..12].try_into().expect("four bytes")) as usize;
            let (packet, later) = packets.split_at(length);
            let kept = &packet[..snaplen.min(length)];
            bytes.extend(&header[..8]);
            bytes.extend(u32::try_from(kept.len()).expect("a short frame").to_le_bytes());
            bytes.extend(&header[12..]);
            bytes.extend(kept);
            rest = later;
        }
        Self { link: self.link, bytes, now_us: self.now_us }
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
