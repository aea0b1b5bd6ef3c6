//! What a flow says of its connection.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

use super::super::{
    Answers, Fault, MAX_SHOWN,
    reported::{End, Event, Packet, Told, Verdict},
};
use super::event::{Flow, Icmp, L4, L7, Word};
use crate::model::{Application, ApplicationSighting, Control, Protection, Protocol, Span, Timestamp};

/// The type of events that are verdicts of policies (`MessageTypePolicyVerdict` of Cilium's monitor).
const POLICY_VERDICT: i64 = 5;

/// Reads a flow.
pub fn read(flow: &Flow, node: &str, time: Option<Timestamp>) -> Result<Packet, Fault> {
    let is_message = flow.l7.is_some() || flow.kind.as_ref().is_some_and(|kind| kind.is("L7", 2));
    let is_socket = flow.kind.as_ref().is_some_and(|kind| kind.is("SOCK", 3));
    let is_xlated = flow.sock_xlate_point.as_ref().is_some_and(|point| !point.is("SOCK_XLATE_POINT_UNKNOWN", 0));
    if is_socket || is_xlated {
        return Err(Fault::SocketEvent);
    }
    let verdict = verdict(flow)?;
    if is_message && !matches!(verdict, Verdict::Forwarded | Verdict::Audited) {
        return Err(Fault::DeniedMessage);
    }
    let ip = flow.ip.as_ref().ok_or(Fault::NotIp)?;
    let (source, destination) =
        (address("source address", &ip.source)?, address("destination address", &ip.destination)?);
    let l4 = flow.l4.as_ref().ok_or(Fault::UnknownTransport)?;
    let (protocol, ports, event) = transport(l4)?;
    let time = time.ok_or(Fault::Missing("time"))?;
    let control = control(l4);
    let told = match (control, event) {
        (Some(_), _) | (_, Event::Open | Event::Agree) => Told::of(event, control),
        _ if is_message => flow.is_reply.map_or(Told::Nothing, Told::ByItself),
        (None, Event::Reset { .. } | Event::Probe | Event::Traffic { .. }) => told_by_entry(flow, l4),
    };
    Ok(Packet {
        time,
        protocol,
        sender: (source, ports.0),
        receiver: (destination, ports.1),
        event: if is_message { Event::Traffic { has_data: true, closes: false } } else { event },
        verdict,
        told,
        is_untold: control == Some(Control::Tells),
        is_verdict: is_verdict(flow),
        is_delivered: is_at_endpoint(flow),
        point: (!is_message).then(|| point(flow, node)),
        answers: answers(flow, destination),
        application: application(flow, time, protocol, ((source, ports.0), (destination, ports.1))),
    })
}

fn verdict(flow: &Flow) -> Result<Verdict, Fault> {
    let verdict = flow.verdict.as_ref().ok_or(Fault::NoVerdict)?;
    let is = |name, number| verdict.is(name, number);
    let is_denied = flow
        .drop_reason_desc
        .as_ref()
        .is_some_and(|why| why.is("POLICY_DENIED", 133) || why.is("POLICY_DENY", 181) || why.is("AUTH_REQUIRED", 189));
    Ok(if is("FORWARDED", 1) || is("REDIRECTED", 5) {
        Verdict::Forwarded
    } else if is("AUDIT", 4) {
        Verdict::Audited
    } else if is("DROPPED", 2) {
        if is_denied { Verdict::Denied } else { Verdict::Dropped }
    } else if is("TRACED", 6) || is("TRANSLATED", 7) {
        return Err(Fault::SocketEvent);
    } else {
        return Err(Fault::NoVerdict);
    })
}

fn address(what: &'static str, text: &str) -> Result<IpAddr, Fault> {
    if text.is_empty() {
        return Err(Fault::Missing(what));
    }
    let value = || text.chars().take(MAX_SHOWN).collect();
    let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
    address.map_err(|_| Fault::Field { what, value: value(), expected: "an address" })
}

type Transport = (Protocol, (u16, u16), Event);

/// The protocol with its ports, sender first. Go's own JSON nests it once.
fn transport(l4: &L4) -> Result<Transport, Fault> {
    /// Destination unreachable: a word on another packet (RFC 792; RFC 4443, section 3.1).
    const UNREACHABLE: [u32; 2] = [3, 1];
    let datagram = Event::Traffic { has_data: true, closes: false };
    let l4 = l4.Protocol.as_deref().unwrap_or(l4);
    Ok(match l4 {
        L4 { TCP: Some(tcp), .. } => {
            let event = tcp.flags.map_or(Event::Traffic { has_data: false, closes: false }, Event::of_segment);
            with_ports(Protocol::TCP, (tcp.source_port, tcp.destination_port), event)?
        }
        L4 { UDP: Some(udp), .. } => with_ports(Protocol::UDP, (udp.source_port, udp.destination_port), datagram)?,
        L4 { SCTP: Some(sctp), .. } => {
            let event = sctp.chunk_type.as_ref().map_or(Event::Traffic { has_data: false, closes: false }, sctp_event);
            with_ports(Protocol::SCTP, (sctp.source_port, sctp.destination_port), event)?
        }
        L4 { ICMPv4: Some(icmp), .. } if icmp.kind == UNREACHABLE[0] => return Err(Fault::Unreachable),
        L4 { ICMPv6: Some(icmp), .. } if icmp.kind == UNREACHABLE[1] => return Err(Fault::Unreachable),
        L4 { ICMPv6: Some(icmp), .. } if is_discovery(icmp) => return Err(Fault::Discovery),
        L4 { ICMPv4: Some(_), .. } => (Protocol::ICMP, (0, 0), datagram),
        L4 { ICMPv6: Some(_), .. } => (Protocol::ICMPV6, (0, 0), datagram),
        L4 { IGMP: Some(_), .. } => (Protocol(2), (0, 0), datagram),
        L4 { VRRP: Some(_), .. } => (Protocol(112), (0, 0), datagram),
        _ => return Err(Fault::UnknownTransport),
    })
}

fn is_discovery(icmp: &Icmp) -> bool {
    u8::try_from(icmp.kind).is_ok_and(|kind| Control::is_discovery(Protocol::ICMPV6, kind))
}

/// A port of 0 is left out of the log, and so is one that is not known.
fn with_ports(protocol: Protocol, ports: (u16, u16), event: Event) -> Result<Transport, Fault> {
    if ports.0 == 0 || ports.1 == 0 { Err(Fault::NoPorts) } else { Ok((protocol, ports, event)) }
}

/// By the names and numbers of chunks (RFC 9260, section 3.2).
fn sctp_event(chunk: &Word) -> Event {
    let is = |name, number| chunk.is(name, number);
    if is("INIT", 1) {
        Event::Open
    } else if is("INIT_ACK", 2) {
        Event::Agree
    } else if is("ABORT", 6) {
        Event::Reset { acknowledges: true }
    } else {
        Event::Traffic { has_data: is("DATA", 0), closes: is("SHUTDOWN", 7) || is("SHUTDOWN_COMPLETE", 14) }
    }
}

/// What a message of ICMP is to who sends it.
fn control(l4: &L4) -> Option<Control> {
    let (protocol, icmp) = match l4.Protocol.as_deref().unwrap_or(l4) {
        L4 { ICMPv4: Some(icmp), .. } => (Protocol::ICMP, icmp),
        L4 { ICMPv6: Some(icmp), .. } => (Protocol::ICMPV6, icmp),
        _ => return None,
    };
    u8::try_from(icmp.kind).ok().map(|kind| Control::of(protocol, kind))
}

/// What Cilium's connection tracking tells. Its word is `NEW` for the packet that it makes an entry for; verdicts of policies are
/// given on such packets alone, without that word, and say in `is_reply` that they are none whatever they are. Streams open
/// with a packet of their own, so that such an entry is for one that was met in its middle; datagrams open with any.
fn told_by_entry(flow: &Flow, l4: &L4) -> Told {
    let is_new = is_verdict(flow) || flow.trace_reason.as_ref().is_some_and(|reason| reason.is("NEW", 1));
    let opens_by_itself = match l4.Protocol.as_deref().unwrap_or(l4) {
        L4 { TCP: Some(_), .. } => true,
        // versions that do not name the chunk do not show an INIT
        L4 { SCTP: Some(sctp), .. } => sctp.chunk_type.is_some(),
        _ => false,
    };
    // the older field says nothing where it is not set
    let is_reply = flow.is_reply.or(flow.reply.filter(|is_reply| *is_reply));
    if is_new && opens_by_itself { Told::Midway } else { is_reply.map_or(Told::Nothing, Told::ByEntry) }
}

fn is_verdict(flow: &Flow) -> bool {
    flow.event_type.as_ref().is_some_and(|event| event.kind == POLICY_VERDICT)
}

/// Whether it is at the end of its way, behind the policies of whom it is for. Cilium's own number of that point is 0, which Hubble
/// has for one that is not known.
fn is_at_endpoint(flow: &Flow) -> bool {
    flow.trace_observation_point.as_ref().is_some_and(|point| point.is("TO_ENDPOINT", 101))
}

/// A number for the place: a node, and a point on a packet's way through it.
fn point(flow: &Flow, node: &str) -> u32 {
    let kind = flow.event_type.as_ref().map_or(0, |event| event.kind);
    let at = flow.trace_observation_point.as_ref().map(Word::text).unwrap_or_default();
    let [a, b, c, d, ..] = xxh3_64(format!("{node} {kind} {at}").as_bytes()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// What a proxy read in a message. That it did so does not say whether HTTP was in clear on the wire: some end TLS.
fn application(
    flow: &Flow,
    time: Timestamp,
    protocol: Protocol,
    (from, to): (End, End),
) -> Option<ApplicationSighting> {
    let l7 = flow.l7.as_ref()?;
    let is = |name, number| l7.kind.as_ref().is_some_and(|kind| kind.is(name, number));
    let (client, server) = match () {
        () if is("REQUEST", 1) => (from.0, to),
        () if is("RESPONSE", 2) => (to.0, from),
        () => return None,
    };
    let (application, protection) = match l7 {
        L7 { http: Some(_), .. } => (Application::Http, Protection::Undecided),
        L7 { kafka: Some(_), .. } => (Application::Kafka, Protection::Undecided),
        L7 { dns: Some(_), .. } => (Application::Dns, Protection::Clear),
        _ => return None,
    };
    let (server, port) = server;
    let (client, span, times) = (Some(client), Span::at(time), 1);
    Some(ApplicationSighting { client, server, port, protocol, application, protection, span, times })
}

fn answers(flow: &Flow, asked_by: IpAddr) -> Option<Answers> {
    let l7 = flow.l7.as_ref().filter(|l7| l7.kind.as_ref().is_some_and(|kind| kind.is("RESPONSE", 2)))?;
    let dns = l7.dns.as_ref().filter(|dns| !dns.query.is_empty() && !dns.ips.is_empty())?;
    let addresses = dns.ips.iter().filter_map(|ip| ip.parse().ok()).collect();
    Some(Answers { name: dns.query.clone(), addresses, ttl_s: dns.ttl, asked_by })
}
