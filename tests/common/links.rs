//! Frames for what MAC addresses and tags tell: stations are small numbers, their MACs `02:00:00:00:00:NN`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An ordinary day in November 2026.
const START_S: u32 = 1_795_500_000;

/// A classic pcap file of frames, a hundredth of a second apart.
pub struct Wire {
    bytes: Vec<u8>,
    frames: u32,
    link: Link,
    interface: u32,
}

/// How frames are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Ethernet = 1,
    /// As `-i any` wrote them for long: without the interface.
    Cooked = 113,
    /// As it does now.
    Cooked2 = 276,
}

fn mac(station: u32) -> [u8; 6] {
    let [kind, a, b, c] = station.to_be_bytes();
    match kind {
        0xff => [0xff; 6],
        // the MACs of VRRP, HSRP and GLBP
        1 => [0, 0, 0x5e, 0, 1, c],
        2 => [0, 0, 0x0c, 7, 0xac, c],
        3 => [0, 7, 0xb4, 0, 1, c],
        _ => [2, 0, 0, a, b, c],
    }
}

/// The first virtual router of VRRP, of HSRP, of GLBP: others have the numbers behind.
pub const VIRTUAL: [u32; 3] = [0x0100_0001, 0x0200_0001, 0x0300_0001];

/// All stations.
pub const ALL: u32 = u32::MAX;

impl Wire {
    pub fn new() -> Self {
        Self::of(Link::Ethernet)
    }

    /// Of frames that are written so; those of all interfaces without tags.
    pub fn of(link: Link) -> Self {
        let mut bytes = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(262_144u32.to_le_bytes());
        bytes.extend((link as u32).to_le_bytes());
        Self { bytes, frames: 0, link, interface: 1 }
    }

    /// A station tells its address, and asks for a neighbour.
    pub fn arp(&mut self, tags: &[u16], station: u32, address: &str, asked: &str) -> &mut Self {
        let [address, asked] = [address, asked].map(|text| text.parse::<Ipv4Addr>().expect("an address").octets());
        let packet = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &mac(station), &address, &[0; 6], &asked].concat();
        self.frame(tags, (station, ALL), 0x0806, &packet)
    }

    /// A datagram from one station to another, with its addresses and hop limit.
    pub fn ip(&mut self, tags: &[u16], stations: (u32, u32), ends: (&str, &str), hops: u8) -> &mut Self {
        let [src, dst] = [ends.0, ends.1].map(|text| text.parse::<Ipv4Addr>().expect("an address").octets());
        let udp = [0x9c, 0x40, 0, 53, 0, 12, 0, 0, b'p', b'i', b'n', b'g'];
        let length = u8::try_from(20 + udp.len()).expect("a short packet");
        let packet = [&[0x45, 0, 0, length, 0, 1, 0, 0, hops, 17, 0, 0][..], &src, &dst, &udp].concat();
        self.frame(tags, stations, 0x0800, &packet)
    }

    /// The same over IPv6.
    pub fn ip6(&mut self, tags: &[u16], stations: (u32, u32), ends: (&str, &str), hops: u8) -> &mut Self {
        let udp = [0x9c, 0x40, 0, 53, 0, 12, 0, 0, b'p', b'i', b'n', b'g'];
        self.packet6(tags, stations, ends, (17, hops), &udp)
    }

    /// A router advertises itself and, where it is given, a prefix of 64 bits.
    pub fn advertised(&mut self, tags: &[u16], station: u32, address: &str, prefix: Option<&str>) -> &mut Self {
        let option = |prefix: &str| {
            let network = prefix.parse::<Ipv6Addr>().expect("a network").octets();
            [&[3, 4, 64, 0xc0][..], &[0; 12], &network].concat()
        };
        let options = prefix.map(option).unwrap_or_default();
        let message = [&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8], &options].concat();
        self.packet6(tags, (station, ALL), (address, "ff02::1"), (58, 255), &message)
    }

    fn packet6(
        &mut self,
        tags: &[u16],
        stations: (u32, u32),
        ends: (&str, &str),
        (protocol, hops): (u8, u8),
        payload: &[u8],
    ) -> &mut Self {
        let [src, dst] = [ends.0, ends.1].map(|text| text.parse::<Ipv6Addr>().expect("an address").octets());
        let length = u8::try_from(payload.len()).expect("a short packet");
        let packet = [&[0x60, 0, 0, 0, 0, length, protocol, hops][..], &src, &dst, payload].concat();
        self.frame(tags, stations, 0x86dd, &packet)
    }

    /// What follows is at this interface of the host.
    pub fn at(&mut self, interface: u32) -> &mut Self {
        self.interface = interface;
        self
    }

    fn header(&self, tags: &[u16], (from, to): (u32, u32), ether_type: u16) -> Vec<u8> {
        let (from, to, ether_type) = (mac(from), mac(to), ether_type.to_be_bytes());
        match self.link {
            Link::Ethernet => {
                let tags = tags.iter().flat_map(|tag| [0x8100u16.to_be_bytes(), tag.to_be_bytes()].concat());
                to.into_iter().chain(from).chain(tags).chain(ether_type).collect()
            }
            Link::Cooked => [&[0, 1, 0, 1, 0, 6][..], &from, &[0, 0], &ether_type].concat(),
            Link::Cooked2 => {
                [&ether_type[..], &[0, 0], &self.interface.to_be_bytes(), &[0, 1, 1, 6], &from, &[0, 0]].concat()
            }
        }
    }

    fn frame(&mut self, tags: &[u16], stations: (u32, u32), ether_type: u16, payload: &[u8]) -> &mut Self {
        let mut frame = self.header(tags, stations, ether_type);
        frame.extend(payload);
        let length = u32::try_from(frame.len()).expect("a short frame");
        let moment = [START_S + self.frames / 100, self.frames % 100 * 10_000];
        for word in [moment[0], moment[1], length, length] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(frame);
        self.frames += 1;
        self
    }

    /// Nothing is sent for so many seconds.
    pub fn wait(&mut self, seconds: u32) -> &mut Self {
        self.frames += 100 * seconds;
        self
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
