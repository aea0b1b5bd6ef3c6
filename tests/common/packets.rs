//! Captures made by the tests themselves.

use std::net::{IpAddr, SocketAddr};

use flowmap::model::Timestamp;

/// Link type of packets that begin with their IP header, `LINKTYPE_RAW`.
const RAW_IP: u32 = 101;
/// An ordinary day in November 2026, in microseconds since 1970.
const START_MICROS: u64 = 1_795_500_000_000_000;
/// A hundred packets a second.
const STEP_MICROS: u64 = 10_000;
const SYN: u8 = 0x02;
const RST_ACK: u8 = 0x14;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const PUSH_ACK: u8 = 0x18;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// What a host sends with; a router takes one away.
const HOPS: u8 = 64;

/// A capture in the making: classic pcap, little-endian, microseconds.
pub struct Capture {
    bytes: Vec<u8>,
    packets: u32,
    clock_micros: u64,
    hops: u8,
}

/// An end of a connection.
type End = SocketAddr;

impl Capture {
    pub fn new() -> Self {
        let mut bytes = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(262_144u32.to_le_bytes());
        bytes.extend(RAW_IP.to_le_bytes());
        Self { bytes, packets: 0, clock_micros: START_MICROS, hops: HOPS }
    }

    /// What follows is of this time, in RFC 3339.
    pub fn at(&mut self, time: &str) -> &mut Self {
        let time = Timestamp::parse(time).expect("a time in RFC 3339");
        self.clock_micros = u64::try_from(time.0 / 1_000).expect("a time after 1970");
        self
    }

    /// What follows has crossed this many routers.
    pub fn behind(&mut self, routers: u8) -> &mut Self {
        self.hops = HOPS - routers;
        self
    }

    /// A connection that the server accepts.
    pub fn accepted(&mut self, client: [u8; 4], client_port: u16, server: [u8; 4], port: u16) -> &mut Self {
        self.open((client, client_port).into(), (server, port).into());
        self
    }

    /// A connection with a request and an answer; ends read `10.244.1.5:40000`, `[fd00::5]:40000`.
    pub fn talk(&mut self, client: &str, server: &str) -> &mut Self {
        let (client, server) = (end(client), end(server));
        let (number, answer) = self.open(client, server);
        self.segment(client, server, PUSH_ACK, (number.wrapping_add(1), answer.wrapping_add(1)), b"ask");
        self.segment(server, client, PUSH_ACK, (answer.wrapping_add(1), number.wrapping_add(4)), b"tell")
    }

    /// A connection to a Service, as the node of its client sees it: dialled, then on the way to the pod behind it.
    pub fn through(&mut self, client: &str, dialled: &str, server: &str) -> &mut Self {
        let packets = self.packets;
        self.talk(client, dialled);
        let after = std::mem::replace(&mut self.packets, packets);
        self.behind(1).talk(client, server).behind(0);
        self.packets = after.max(self.packets);
        self
    }

    /// A datagram and its answer.
    pub fn ask(&mut self, client: &str, server: &str) -> &mut Self {
        let (client, server) = (end(client), end(server));
        let question = self.packets.to_be_bytes();
        self.send(client, server, &question);
        self.send(server, client, b"answer")
    }

    /// A connection that the server refuses.
    pub fn refused(&mut self, client: [u8; 4], client_port: u16, server: [u8; 4], port: u16) -> &mut Self {
        let (client, server) = ((client, client_port).into(), (server, port).into());
        let number = self.number();
        self.segment(client, server, SYN, (number, 0), b"");
        self.segment(server, client, RST_ACK, (0, number.wrapping_add(1)), b"")
    }

    /// A segment with data, of a connection that was accepted or not.
    pub fn said(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), data: &[u8]) -> &mut Self {
        self.segment(from.into(), to.into(), PUSH_ACK, (1, 1), data)
    }

    /// A UDP datagram.
    pub fn datagram(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), data: &[u8]) -> &mut Self {
        self.send(from.into(), to.into(), data)
    }

    /// An answer of DNS to whoever asked: the address of a name.
    pub fn answered(&mut self, client: &str, name: &str, address: [u8; 4]) -> &mut Self {
        let mut bytes = vec![0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).expect("a short label"));
            bytes.extend(label.as_bytes());
        }
        bytes.extend(b"\0\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04");
        bytes.extend(address);
        self.send(end("10.244.1.2:53"), end(client), &bytes)
    }

    /// The same, and then a request to it by this name.
    pub fn called(&mut self, client: &str, name: &str, address: [u8; 4]) -> &mut Self {
        self.answered(client, name, address);
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n");
        self.segment(end(client), (address, 443).into(), PUSH_ACK, (1, 1), request.as_bytes())
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A sequence number that no other connection of this capture begins with.
    fn number(&self) -> u32 {
        (self.packets + 1).wrapping_mul(2_654_435_761)
    }

    /// The handshake; gives the numbers that both sides began with.
    fn open(&mut self, client: End, server: End) -> (u32, u32) {
        let number = self.number();
        self.segment(client, server, SYN, (number, 0), b"");
        self.segment(server, client, SYN_ACK, (!number, number.wrapping_add(1)), b"");
        self.segment(client, server, ACK, (number.wrapping_add(1), (!number).wrapping_add(1)), b"");
        (number, !number)
    }

    fn segment(&mut self, from: End, to: End, flags: u8, numbers: (u32, u32), data: &[u8]) -> &mut Self {
        let mut segment = ports(from, to);
        segment.extend(numbers.0.to_be_bytes());
        segment.extend(numbers.1.to_be_bytes());
        segment.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        segment.extend(data);
        self.packet(from.ip(), to.ip(), TCP, &segment)
    }

    fn send(&mut self, from: End, to: End, data: &[u8]) -> &mut Self {
        let mut datagram = ports(from, to);
        datagram.extend(length(8 + data.len()));
        datagram.extend([0, 0]);
        datagram.extend(data);
        self.packet(from.ip(), to.ip(), UDP, &datagram)
    }

    fn packet(&mut self, from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> &mut Self {
        let mut packet = Vec::new();
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                packet.extend([0x45, 0]);
                packet.extend(length(20 + payload.len()));
                packet.extend([0, 0, 0x40, 0, self.hops, protocol, 0, 0]);
                packet.extend(from.octets());
                packet.extend(to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                packet.extend([0x60, 0, 0, 0]);
                packet.extend(length(payload.len()));
                packet.extend([protocol, self.hops]);
                packet.extend(from.octets());
                packet.extend(to.octets());
            }
            _ => panic!("both ends are of one family"),
        }
        packet.extend(payload);
        self.record(&packet)
    }

    fn record(&mut self, packet: &[u8]) -> &mut Self {
        let word = |number: u64| u32::try_from(number).expect("a small number").to_le_bytes();
        self.bytes.extend(word(self.clock_micros / 1_000_000));
        self.bytes.extend(word(self.clock_micros % 1_000_000));
        self.bytes.extend(word(packet.len() as u64));
        self.bytes.extend(word(packet.len() as u64));
        self.bytes.extend(packet);
        self.packets += 1;
        self.clock_micros += STEP_MICROS;
        self
    }
}

fn end(text: &str) -> End {
    text.parse().expect("an address with a port")
}

fn ports(from: End, to: End) -> Vec<u8> {
    [from.port().to_be_bytes(), to.port().to_be_bytes()].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).expect("a small packet").to_be_bytes()
}
