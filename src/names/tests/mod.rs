//! Each rule by its sentence, on literal bytes.

mod gathering;
mod lookup;
mod messages;
mod resolving;

use std::net::IpAddr;

use crate::{
    decode::{Packet, Transport, TunnelStack},
    model::{HostName, NameSighting, NameSource, Protocol, Timestamp, VlanStack},
};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name(text: &str) -> HostName {
    HostName::parse(text.as_bytes()).unwrap()
}

fn packet<'a>(src: &str, dst: &str, protocol: Protocol, transport: Transport<'a>) -> Packet<'a> {
    Packet {
        vlans: VlanStack::default(),
        tunnels: TunnelStack::default(),
        point: 1,
        is_broadcast: false,
        fragment: None,
        src: address(src),
        dst: address(dst),
        protocol,
        hop_limit: 64,
        ip_id: 0,
        ip_bytes: 0,
        transport,
    }
}

fn datagram<'a>(src: (&str, u16), dst: (&str, u16), data: &'a [u8]) -> Packet<'a> {
    let data_bytes = u32::try_from(data.len()).unwrap();
    let transport = Transport::Udp { src_port: src.1, dst_port: dst.1, data_bytes, data };
    packet(src.0, dst.0, Protocol::UDP, transport)
}

fn segment<'a>(src: (&str, u16), dst: (&str, u16), data: &'a [u8]) -> Packet<'a> {
    let data_bytes = u32::try_from(data.len()).unwrap();
    let (sequence, acknowledgment, flags) = (1, 1, None);
    let transport =
        Transport::Tcp { src_port: src.1, dst_port: dst.1, sequence, acknowledgment, flags, data_bytes, data };
    packet(src.0, dst.0, Protocol::TCP, transport)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_795_500_000 + seconds, 0)
}

/// A sighting in short: address, name, source, who used it, how long it holds.
type Short = (String, String, NameSource, Option<String>, u32);

fn short(sighting: &NameSighting) -> Short {
    let NameSighting { address, name, source, used_by, ttl_s, .. } = sighting;
    (address.to_string(), name.to_string(), *source, used_by.map(|user| user.to_string()), *ttl_s)
}

/// A name as DNS writes it, without compression.
fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A header, with these flags and counts, of a message with the id 7.
fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut bytes = vec![0, 7];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes
}

fn record(owner: &[u8], kind: u16, class: u16, ttl_s: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [owner, &kind.to_be_bytes(), &class.to_be_bytes(), &ttl_s.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

/// A response to the question for `asked`, without error.
fn response(asked: &str, answers: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(answers.len()).unwrap();
    let question = [&labels(asked)[..], &[0, 1, 0, 1]].concat();
    [&header(0x8180, [1, count, 0, 0])[..], &question, &answers.concat()].concat()
}

/// A `ClientHello` that asks for this name, in one record; other extensions stand on both sides of it.
fn hello(name: &[u8]) -> Vec<u8> {
    fn sized16(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }
    let entry = [&[0][..], &sized16(name)].concat();
    let server_name = [&[0, 0][..], &sized16(&sized16(&entry))].concat();
    let versions = [0, 43, 0, 3, 2, 3, 4];
    let groups = [0, 10, 0, 4, 0, 2, 0, 29];
    let extensions = sized16(&[&groups[..], &server_name, &versions].concat());
    let fixed = [&[3, 3][..], &[0x5a; 32]].concat();
    let body = [&fixed[..], &[4, 1, 2, 3, 4], &sized16(&[0x13, 0x01]), &[1, 0], &extensions].concat();
    let handshake = [&[1, 0][..], &sized16(&body)].concat();
    [&[22, 3, 1][..], &sized16(&handshake)].concat()
}
