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

    fn segment(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), flags: u8, sequence: u32, ack: u32) -> &mut Self {
        const LENGTH: u16 = 40;
        let mut packet = vec![0x45, 0];
        packet.extend(LENGTH.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend(Ipv4Addr::from(from.0).octets());
        packet.extend(Ipv4Addr::from(to.0).octets());
        packet.extend(from.1.to_be_bytes());
        packet.extend(to.1.to_be_bytes());
        packet.extend(sequence.to_be_bytes());
        packet.extend(ack.to_be_bytes());
        packet.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        // a hundred packets a second
        self.bytes.extend((START_SECONDS + self.packets / 100).to_le_bytes());
        self.bytes.extend((self.packets % 100 * 10_000).to_le_bytes());
        self.bytes.extend(u32::from(LENGTH).to_le_bytes());
        self.bytes.extend(u32::from(LENGTH).to_le_bytes());
        self.bytes.extend(packet);
        self.packets += 1;
        self
    }
}
