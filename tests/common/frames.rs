//! Frames made by the tests themselves: Ethernet with VLAN tags, IPv4, and what the connection room knows of transports.

use std::net::Ipv4Addr;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

/// An ordinary day in November 2026, in microseconds.
pub const START_US: u64 = 1_795_500_000_000_000;

/// Time between the packets of a list, in microseconds.
const STEP_US: u64 = 10_000;

/// An IPv4 packet in an Ethernet frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When it was seen; frames of a list follow each other where it is not set.
    pub time_us: Option<u64>,
    /// Tags, outer first.
    pub vlans: Vec<u16>,
    pub hop_limit: u8,
    pub ip_id: u16,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    payload: Vec<u8>,
}

/// `10.0.0.1:40000` as its parts.
fn end(text: &str) -> (Ipv4Addr, u16) {
    let (address, port) = text.split_once(':').expect("an address and a port");
    (address.parse().expect("an IPv4 address"), port.parse().expect("a port"))
}

impl Frame {
    fn new(src: &str, dst: &str, protocol: u8, rest: &[u8]) -> Self {
        let ((src, src_port), (dst, dst_port)) = (end(src), end(dst));
        let payload = [&src_port.to_be_bytes(), &dst_port.to_be_bytes(), rest].concat();
        Self { time_us: None, vlans: Vec::new(), hop_limit: 64, ip_id: 0, src, dst, protocol, payload }
    }

    fn tcp(src: &str, dst: &str, flags: u8, sequence: u32, acknowledgment: u32, data_bytes: usize) -> Self {
        let numbers = [sequence.to_be_bytes(), acknowledgment.to_be_bytes()].concat();
        let data = vec![b'x'; data_bytes];
        Self::new(src, dst, 6, &[&numbers, &[0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0][..], &data].concat())
    }

    pub fn syn(src: &str, dst: &str, sequence: u32) -> Self {
        Self::tcp(src, dst, SYN, sequence, 0, 0)
    }

    pub fn syn_ack(src: &str, dst: &str, sequence: u32, acknowledgment: u32) -> Self {
        Self::tcp(src, dst, SYN | ACK, sequence, acknowledgment, 0)
    }

    pub fn ack(src: &str, dst: &str, sequence: u32, acknowledgment: u32) -> Self {
        Self::tcp(src, dst, ACK, sequence, acknowledgment, 0)
    }

    pub fn data(src: &str, dst: &str, sequence: u32, acknowledgment: u32, bytes: usize) -> Self {
        Self::tcp(src, dst, PSH | ACK, sequence, acknowledgment, bytes)
    }

    pub fn fin(src: &str, dst: &str, sequence: u32, acknowledgment: u32) -> Self {
        Self::tcp(src, dst, FIN | ACK, sequence, acknowledgment, 0)
    }

    /// The refusal of a SYN (RFC 9293, section 3.10.7.1).
    pub fn refusal(src: &str, dst: &str, acknowledgment: u32) -> Self {
        Self::tcp(src, dst, RST | ACK, 0, acknowledgment, 0)
    }

    pub fn udp(src: &str, dst: &str, ip_id: u16, data: &[u8]) -> Self {
        let length = u16::try_from(8 + data.len()).expect("a short datagram").to_be_bytes();
        Self { ip_id, ..Self::new(src, dst, 17, &[&length, &[0, 0][..], data].concat()) }
    }

    /// An SCTP packet with one chunk; `initiate_tag` where that is an INIT or an INIT ACK.
    pub fn sctp(src: &str, dst: &str, tag: u32, chunk: u8, initiate_tag: u32) -> Self {
        let chunk = [&[chunk, 0, 0, 20][..], &initiate_tag.to_be_bytes(), &[0; 12]].concat();
        Self::new(src, dst, 132, &[&tag.to_be_bytes(), &[0; 4][..], &chunk].concat())
    }

    /// A router's word that a packet cannot be delivered.
    pub fn unreachable(router: &str, packet: &Self) -> Self {
        let (quote, to) = (packet.ip(), packet.src);
        let mut error = Self::new(&format!("{router}:0"), &format!("{to}:0"), 1, &[]);
        error.payload = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quote].concat();
        error
    }

    pub fn in_vlan(self, vlan: u16) -> Self {
        Self { vlans: [vec![vlan], self.vlans].concat(), ..self }
    }

    pub fn with_hop_limit(self, hop_limit: u8) -> Self {
        Self { hop_limit, ..self }
    }

    /// So many microseconds after [`START_US`].
    pub fn at_us(self, after_us: u64) -> Self {
        Self { time_us: Some(START_US + after_us), ..self }
    }

    fn ip(&self) -> Vec<u8> {
        let length = u16::try_from(20 + self.payload.len()).expect("a short packet").to_be_bytes();
        let id = self.ip_id.to_be_bytes();
        let head = [0x45, 0, length[0], length[1], id[0], id[1], 0x40, 0, self.hop_limit, self.protocol, 0, 0];
        [&head[..], &self.src.octets(), &self.dst.octets(), &self.payload].concat()
    }

    fn ethernet(&self) -> Vec<u8> {
        let tags: Vec<u8> = self.vlans.iter().flat_map(|vlan| [&[0x81, 0][..], &vlan.to_be_bytes()].concat()).collect();
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &tags, &[8, 0], &self.ip()].concat()
    }
}

/// A connection from its opening to its end, with a question and an answer.
pub fn conversation(client: &str, server: &str, number: u32, answer: u32) -> Vec<Frame> {
    vec![
        Frame::syn(client, server, number),
        Frame::syn_ack(server, client, answer, number.wrapping_add(1)),
        Frame::ack(client, server, number.wrapping_add(1), answer.wrapping_add(1)),
        Frame::data(client, server, number.wrapping_add(1), answer.wrapping_add(1), 100),
        Frame::data(server, client, answer.wrapping_add(1), number.wrapping_add(101), 200),
        Frame::fin(client, server, number.wrapping_add(101), answer.wrapping_add(201)),
        Frame::fin(server, client, answer.wrapping_add(201), number.wrapping_add(102)),
    ]
}

/// The frames as a pcap file, in their order.
pub fn pcap(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
    bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(262_144u32.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    let mut next_us = START_US;
    for frame in frames {
        let time_us = frame.time_us.unwrap_or(next_us);
        next_us = time_us + STEP_US;
        let data = frame.ethernet();
        let length = u32::try_from(data.len()).expect("a short frame").to_le_bytes();
        bytes.extend(u32::try_from(time_us / 1_000_000).expect("a time before 2106").to_le_bytes());
        bytes.extend(u32::try_from(time_us % 1_000_000).expect("less than a second").to_le_bytes());
        bytes.extend([length, length].concat());
        bytes.extend(data);
    }
    bytes
}
