//! Captures made by the tests themselves.

use std::net::Ipv4Addr;

/// Link type of packets that begin with their IP header, `LINKTYPE_RAW`.
const RAW_IP: u32 = 101;
/// An ordinary day in November 2026.
const START_SECONDS: u32 = 1_795_500_000;
const SYN: u8 = 0x02;
const RST_ACK: u8 = 0x14;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const PUSH_ACK: u8 = 0x18;

/// A capture in the making: classic pcap, little-endian, microseconds.
pub struct Capture {
    bytes: Vec<u8>,
    packets: u32,
}

impl Capture {
    pub fn new() -> Self {
        let mut bytes = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(262_144u32.to_le_bytes());
        bytes.extend(RAW_IP.to_le_bytes());
        Self { bytes, packets: 0 }
    }

    /// A connection that the server accepts.
    pub fn accepted(&mut self, client: [u8; 4], client_port: u16, server: [u8; 4], port: u16) -> &mut Self {
        let number = self.packets.wrapping_mul(2_654_435_761);
        self.segment((client, client_port), (server, port), SYN, number, 0);
        self.segment((server, port), (client, client_port), SYN_ACK, !number, number.wrapping_add(1));
        self.segment((client, client_port), (server, port), ACK, number.wrapping_add(1), (!number).wrapping_add(1))
    }

    /// A connection that the server refuses.
    pub fn refused(&mut self, client: [u8; 4], client_port: u16, server: [u8; 4], port: u16) -> &mut Self {
        let number = self.packets.wrapping_mul(2_654_435_761);
        self.segment((client, client_port), (server, port), SYN, number, 0);
        self.segment((server, port), (client, client_port), RST_ACK, 0, number.wrapping_add(1))
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A segment with data, of a connection that was accepted or not.
    pub fn said(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), data: &[u8]) -> &mut Self {
        self.tcp(from, to, PUSH_ACK, 1, 1, data)
    }

    /// A UDP datagram.
    pub fn datagram(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), data: &[u8]) -> &mut Self {
        let length = u16::try_from(8 + data.len()).expect("a datagram");
        let mut datagram = [from.1.to_be_bytes(), to.1.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
        datagram.extend(data);
        self.packet(from.0, to.0, 17, &datagram)
    }

    fn segment(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), flags: u8, sequence: u32, ack: u32) -> &mut Self {
        self.tcp(from, to, flags, sequence, ack, &[])
    }

    fn tcp(
        &mut self,
        from: ([u8; 4], u16),
        to: ([u8; 4], u16),
        flags: u8,
        sequence: u32,
        ack: u32,
        data: &[u8],
    ) -> &mut Self {
        let mut segment = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
        segment.extend(sequence.to_be_bytes());
        segment.extend(ack.to_be_bytes());
        segment.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        segment.extend(data);
        self.packet(from.0, to.0, 6, &segment)
    }

    fn packet(&mut self, from: [u8; 4], to: [u8; 4], protocol: u8, payload: &[u8]) -> &mut Self {
        let length = u16::try_from(20 + payload.len()).expect("a packet");
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        packet.extend(Ipv4Addr::from(from).octets());
        packet.extend(Ipv4Addr::from(to).octets());
        packet.extend(payload);
        // a hundred packets a second
        self.bytes.extend((START_SECONDS + self.packets / 100).to_le_bytes());
        self.bytes.extend((self.packets % 100 * 10_000).to_le_bytes());
        self.bytes.extend(u32::from(length).to_le_bytes());
        self.bytes.extend(u32::from(length).to_le_bytes());
        self.bytes.extend(packet);
        self.packets += 1;
        self
    }
}
