//! Capture files as they lie on disk: little-endian classic pcap, taken apart and put together without a look inside.

use std::{fs, path::Path};

/// A file's header and its records.
#[derive(Clone)]
pub struct Pcap {
    pub header: [u8; 24],
    /// Each with its own header of 16 bytes.
    pub packets: Vec<Vec<u8>>,
}

const RECORD_HEADER_BYTES: usize = 16;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

impl Pcap {
    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).expect("a readable capture");
        let (header, mut rest) = bytes.split_first_chunk().expect("a header");
        assert!([0xa1b2_c3d4, 0xa1b2_3c4d].contains(&word(header, 0)), "{}", path.display());
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let (packet, behind) = rest.split_at(RECORD_HEADER_BYTES + word(rest, 8) as usize);
            packets.push(packet.to_vec());
            rest = behind;
        }
        Self { header: *header, packets }
    }

    pub fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.packets.concat()].concat()
    }

    /// Its parts, cut before these packets; none is empty.
    pub fn cut(&self, before: impl Iterator<Item = usize>) -> Vec<Self> {
        let mut cuts: Vec<usize> = before.chain([0, self.packets.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let part = |range: &[usize]| Self { header: self.header, packets: self.packets[range[0]..range[1]].to_vec() };
        cuts.windows(2).map(part).collect()
    }

    /// The same, but the packets from this one on came so many seconds later.
    pub fn with_gap(&self, from: usize, seconds: u32) -> Self {
        let mut changed = self.clone();
        for packet in &mut changed.packets[from..] {
            let later = word(packet, 0) + seconds;
            packet[..4].copy_from_slice(&later.to_le_bytes());
        }
        changed
    }

    /// The same by a clock that is so many microseconds ahead, less than a second.
    pub fn later_by(&self, micros: u32) -> Self {
        let scale = if word(&self.header, 0) == 0xa1b2_3c4d { 1_000 } else { 1 };
        let mut changed = self.clone();
        for packet in &mut changed.packets {
            let fraction = word(packet, 4) + micros * scale;
            let seconds = word(packet, 0) + fraction / (1_000_000 * scale);
            packet[..4].copy_from_slice(&seconds.to_le_bytes());
            packet[4..8].copy_from_slice(&(fraction % (1_000_000 * scale)).to_le_bytes());
        }
        changed
    }

    /// The two addresses of a packet, in order: of an ICMP error those of the packet that it quotes. Only for captures
    /// of Ethernet without tags and of all interfaces.
    pub fn ends(&self, packet: &[u8]) -> Vec<u8> {
        let link_bytes = match word(&self.header, 20) {
            1 => 14,
            276 => 20,
            other => panic!("link type {other}"),
        };
        let ip = &packet[RECORD_HEADER_BYTES + link_bytes..];
        match ip {
            [0x45, ..] if ip[9] == 1 && ip[20] == 3 => pair(&ip[28..]),
            [first, ..] if first >> 4 == 4 => pair(ip),
            // ARP and IPv6: all in one queue
            _ => Vec::new(),
        }
    }
}

fn pair(ip: &[u8]) -> Vec<u8> {
    let (src, dst) = (&ip[12..16], &ip[16..20]);
    if src < dst { [src, dst].concat() } else { [dst, src].concat() }
}
