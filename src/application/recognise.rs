//! Packets to what they say of their application.

use std::net::IpAddr;

use super::{Message, Sent, Server, cache, datagram, directory, document, gate, mail, network, queue, sql, tls, web};
use crate::{
    decode::{Packet, Transport},
    model::{Application, ApplicationSighting, Protection, Protocol, Timestamp, well_known::DNS},
};

/// What a packet said of its application, with its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The beginning of its stretch of time.
    pub(super) time: Timestamp,
    pub(super) src: (IpAddr, u16),
    pub(super) dst: (IpAddr, u16),
    pub(super) protocol: Protocol,
    pub(super) message: Message,
}

/// Whether a packet may say something of its application: by its ports, its first bytes, or a length at its beginning that
/// is the packet's own. Most others need not be looked at any further.
#[inline]
#[must_use]
pub fn may_tell(packet: &Packet<'_>) -> bool {
    match packet.transport {
        Transport::Tcp { src_port, dst_port, data_bytes, data, .. } => {
            // nothing that is recognised is shorter
            let Some([first, second, third, fourth, _, _]) = data.first_chunk::<6>() else { return false };
            let word = [*first, *second, *third, *fourth];
            gate::may_tell(word, data_bytes) || src_port == DNS || dst_port == DNS
        }
        Transport::Udp { src_port, dst_port, data, .. } => datagram::may_tell((src_port, dst_port), data),
        _ => false,
    }
}

/// What a packet says of its application, where it is recognised.
#[inline]
#[must_use]
pub fn said(time: Timestamp, packet: &Packet<'_>) -> Option<Said> {
    if may_tell(packet) { recognised(time, *packet) } else { None }
}

#[inline(never)]
fn recognised(time: Timestamp, packet: Packet<'_>) -> Option<Said> {
    let (ports, message) = match packet.transport {
        Transport::Tcp { src_port, dst_port, data_bytes, data, .. } => {
            let ports = (src_port, dst_port);
            (ports, stream(ports, sent(data, data_bytes))?)
        }
        Transport::Udp { src_port, dst_port, data_bytes, data } => {
            let ports = (src_port, dst_port);
            (ports, datagram::recognised(ports, sent(data, data_bytes))?)
        }
        _ => return None,
    };
    // who speaks to a group is served by it
    let server = if packet.dst.is_multicast() { Server::Destination } else { message.server };
    let message = Message { server, ..message };
    let time = ApplicationSighting::stretch(time);
    let Packet { src, dst, protocol, .. } = packet;
    Some(Said { time, src: (src, ports.0), dst: (dst, ports.1), protocol, message })
}

fn sent(data: &[u8], data_bytes: u32) -> Sent<'_> {
    Sent { data, bytes: usize::try_from(data_bytes).unwrap_or(usize::MAX) }
}

/// What a segment begins with. Where little of it was captured, first lines in clear are not whole and say nothing, while the
/// lengths of TLS still do: then these leave it open.
fn stream(ports: (u16, u16), sent: Sent<'_>) -> Option<Message> {
    /// Greetings and the commands that follow are hardly longer.
    const MIN_CAPTURED_BYTES: usize = 256;
    let message = beginning(ports, sent)?;
    let is_cut = sent.data.len() < sent.bytes.min(MIN_CAPTURED_BYTES);
    Some(match message.protection {
        Protection::Encrypted if is_cut && message.application == Application::Tls => {
            Message { protection: Protection::Open, ..message }
        }
        _ => message,
    })
}

fn beginning(ports: (u16, u16), sent: Sent<'_>) -> Option<Message> {
    // first, for lengths may look like the beginning of something else
    if ports.0 == DNS || ports.1 == DNS {
        return network::dns_stream(ports, sent);
    }
    let readers: &[fn(Sent<'_>) -> Option<Message>] = match sent.data.first()? {
        21..=23 => &[tls::record],
        b'A'..=b'Z' => {
            &[web::ssh, web::http, web::sip, sql::postgresql, queue::text, mail::smtp, mail::command, cache::memcached]
        }
        b'a' | b'c' | b'e' | b'h' | b'm' | b's' | b'u' => &[mail::smtp, mail::command, cache::memcached],
        b'2' => &[mail::smtp, mail::ftp],
        b'*' => &[cache::redis, mail::imap],
        b'+' => &[cache::redis, mail::pop3],
        0 => &[sql::postgresql, directory::smb, queue::kafka],
        3 => &[directory::rdp, sql::tds],
        1 | 4 | 0x12 => &[sql::tds],
        0x10 => &[queue::mqtt],
        0x30 => &[directory::ldap],
        b'<' => &[web::xmpp],
        _ => &[],
    };
    let framed: [fn(Sent<'_>) -> Option<Message>; 2] = [document::mongodb, sql::mysql];
    readers.iter().chain(&framed).find_map(|reader| reader(sent))
}
