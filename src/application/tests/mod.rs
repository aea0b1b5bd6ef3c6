//! Each signature by its sentence, on literal bytes.

mod any_bytes;
mod datagrams;
mod gathering;
mod looking_up;
mod streams;

use std::net::IpAddr;

use super::{Server, recognise::said};
use crate::{
    decode::{Packet, Transport, TunnelStack},
    model::{Protocol, Timestamp, VlanStack},
};

pub(super) const CLIENT: (&str, u16) = ("10.0.0.1", 40_000);
pub(super) const SERVER: (&str, u16) = ("10.0.0.9", 8_080);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_795_500_000 + seconds, 0)
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

/// A segment of which so many bytes were on the wire.
fn cut_segment<'a>(src: (&str, u16), dst: (&str, u16), data: &'a [u8], bytes: usize) -> Packet<'a> {
    let data_bytes = u32::try_from(bytes).unwrap();
    let (sequence, acknowledgment, flags) = (1, 1, None);
    let transport =
        Transport::Tcp { src_port: src.1, dst_port: dst.1, sequence, acknowledgment, flags, data_bytes, data };
    packet(src.0, dst.0, Protocol::TCP, transport)
}

fn segment<'a>(src: (&str, u16), dst: (&str, u16), data: &'a [u8]) -> Packet<'a> {
    cut_segment(src, dst, data, data.len())
}

fn datagram<'a>(src: (&str, u16), dst: (&str, u16), data: &'a [u8]) -> Packet<'a> {
    let data_bytes = u32::try_from(data.len()).unwrap();
    packet(src.0, dst.0, Protocol::UDP, Transport::Udp { src_port: src.1, dst_port: dst.1, data_bytes, data })
}

/// What a packet is, as `request http clear`.
fn told(packet: &Packet<'_>) -> Option<String> {
    let message = said(at(0), packet)?.message;
    let from = match message.server {
        Server::Source => "answer",
        Server::Destination => "request",
        Server::Either => "either",
    };
    Some(format!("{from} {} {}", message.application.as_str(), message.protection.as_str()))
}

/// What a segment from a client's port to one that is nobody's is.
fn stream(data: &[u8]) -> Option<String> {
    told(&segment(CLIENT, SERVER, data))
}

/// A TLS record of this type around this content.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3][..], &length, content].concat()
}

/// The record of a hello of this type, without extensions.
fn hello(kind: u8) -> Vec<u8> {
    let behind: &[u8] = if kind == 1 { &[0, 2, 0x13, 1, 1, 0] } else { &[0x13, 1, 0] };
    let body = [&[3, 3][..], &[7; 32], &[0], behind].concat();
    let length = u8::try_from(body.len()).unwrap();
    record(22, &[&[kind, 0, 0, length][..], &body].concat())
}
