//! A connection of a Zeek log, whatever its layout, as a record. The fields are those of `Conn::Info`
//! (<https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html>) and of its policy scripts `vlan-logging` and `mac-logging`.

use std::{net::IpAddr, str::FromStr};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{Detail, Fault, FlowRecord, MAX_SHOWN, number},
    history::{self, Seen, Sent},
    service,
};
use crate::model::{Control, Flags, Opening, Protocol, Span, Timestamp, VlanStack};

/// A column that matters.
#[derive(Clone, Copy)]
pub enum Column {
    Time,
    Uid,
    OrigAddress,
    OrigPort,
    RespAddress,
    RespPort,
    Transport,
    IpProtocol,
    Duration,
    State,
    History,
    OrigPackets,
    RespPackets,
    OrigPayload,
    RespPayload,
    OrigBytes,
    RespBytes,
    MissedBytes,
    Vlan,
    InnerVlan,
    TunnelParents,
    RespMac,
    Service,
    Path,
}

/// What they are called, in the same order.
pub const NAMES: [&str; 24] = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "ip_proto",
    "duration",
    "conn_state",
    "history",
    "orig_pkts",
    "resp_pkts",
    "orig_bytes",
    "resp_bytes",
    "orig_ip_bytes",
    "resp_ip_bytes",
    "missed_bytes",
    "vlan",
    "inner_vlan",
    "tunnel_parents",
    "resp_l2_addr",
    "service",
    "_path",
];

const _: () = assert!(Column::Path as usize + 1 == NAMES.len(), "each column has its name");

impl Column {
    /// What it is called.
    pub fn name(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or_default()
    }
}

/// What stands in the columns of one line; none where a field is unset or empty.
#[derive(Default)]
pub struct Columns<'l>(pub [Option<&'l str>; NAMES.len()]);

impl<'l> Columns<'l> {
    fn get(&self, column: Column) -> Option<&'l str> {
        self.0.get(column as usize).copied().flatten()
    }

    fn read<T>(
        &self,
        column: Column,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let what = column.name();
        let wrong = |value: &str| Fault::Field { what, value: value.chars().take(MAX_SHOWN).collect(), expected };
        self.get(column).map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
    }

    fn must<T>(&self, column: Column, expected: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
        self.read(column, expected, read)?.ok_or(Fault::Missing(column.name()))
    }

    fn count(&self, column: Column) -> Result<Option<u64>, Fault> {
        self.read(column, "a count", |text| plain(text).filter(|count| *count < super::super::record::MAX_COUNT))
    }
}

fn plain<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// What a log says of its own loss.
#[derive(Default)]
pub struct Notes {
    pub missed: u64,
}

/// The connection of a line.
pub fn record(columns: &Columns<'_>, notes: &mut Notes) -> Result<FlowRecord, Fault> {
    if columns.get(Column::Path).is_some_and(|path| path != "conn") {
        return Err(Fault::OtherLog);
    }
    let [orig, resp] = [Column::OrigAddress, Column::RespAddress].map(|end| columns.must(end, "an address", address));
    let (orig, resp) = (orig?, resp?);
    let protocol = protocol(columns, orig)?;
    let (orig_port, resp_port) = ports(columns, protocol)?;
    let span = span(columns)?;
    let sent = sent(columns)?;
    let mut seen = seen(columns, protocol, sent)?;
    if matches!(protocol, Protocol::ICMP | Protocol::ICMPV6) {
        let kind = columns.get(Column::OrigPort).and_then(plain::<u8>);
        seen = kind.map_or(seen, |kind| seen.of_control(Control::of(protocol, kind)));
    }
    if columns.get(Column::RespMac).is_some_and(is_group) {
        seen.flags.add(Flags::BROADCAST);
    }
    if columns.count(Column::MissedBytes)?.is_some_and(|bytes| bytes > 0) {
        notes.missed += 1;
    }
    let record = FlowRecord {
        client: orig,
        server: resp,
        protocol,
        port: resp_port,
        outcome: None,
        packets: sent.packets(),
        bytes_to_server: columns.count(Column::OrigBytes)?.unwrap_or_default(),
        bytes_to_client: columns.count(Column::RespBytes)?.unwrap_or_default(),
        connections: 1,
        span: Some(span),
        hours: None,
        detail: Some(Detail {
            opening: if seen.is_opener_known { Opening::Seen } else { Opening::Unseen },
            client_port: orig_port,
            flags: seen.flags,
            packets_to_client: sent.resp.unwrap_or_default(),
            vlans: vlans(columns)?,
            // which tunnel it was, another log tells
            tunnels: columns.get(Column::TunnelParents).map(|_| "unknown".to_owned()).unwrap_or_default(),
            tag: tag(columns, span.first),
            services: columns.get(Column::Service).map(|it| service::applications(it, protocol)).unwrap_or_default(),
        }),
    };
    Ok(if seen.is_turned { turned(record) } else { record })
}

/// With the responder as the client.
fn turned(record: FlowRecord) -> FlowRecord {
    let Some(detail) = record.detail else { return record };
    FlowRecord {
        client: record.server,
        server: record.client,
        port: detail.client_port,
        bytes_to_server: record.bytes_to_client,
        bytes_to_client: record.bytes_to_server,
        detail: Some(Detail {
            client_port: record.port,
            packets_to_client: record.packets.unwrap_or_default().saturating_sub(detail.packets_to_client),
            ..detail
        }),
        ..record
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether a MAC stands for many: the lowest bit of its first byte says so (IEEE 802).
fn is_group(mac: &str) -> bool {
    let first = mac.split(':').next().and_then(|byte| u8::from_str_radix(byte, 16).ok());
    first.is_some_and(|byte| byte & 1 == 1)
}

/// Zeek calls both kinds of ICMP by one name, and what it does not know by none.
fn protocol(columns: &Columns<'_>, orig: IpAddr) -> Result<Protocol, Fault> {
    let by_number = columns.read(Column::IpProtocol, "the number of a protocol", plain)?.map(Protocol);
    let word = columns.get(Column::Transport);
    match (word, by_number) {
        (Some("icmp"), _) if orig.is_ipv6() => Ok(Protocol::ICMPV6),
        (Some("unknown_transport") | None, Some(number)) => Ok(number),
        (Some("unknown_transport"), None) => Err(Fault::UnknownTransport),
        _ => columns.must(Column::Transport, "the name of a protocol", plain),
    }
}

/// Of ICMP they are no ports but type and code.
fn ports(columns: &Columns<'_>, protocol: Protocol) -> Result<(u16, u16), Fault> {
    let read = |column| columns.must(column, "a port from 0 to 65535", plain::<u16>);
    if protocol.has_ports() {
        let (orig, resp) = (read(Column::OrigPort)?, read(Column::RespPort)?);
        // transports that Zeek does not analyse stand there with two ports of 0
        return if resp == 0 && orig == 0 { Err(Fault::NoPorts) } else { Ok((orig, resp)) };
    }
    match (protocol, columns.get(Column::OrigPort).and_then(plain::<u8>)) {
        (Protocol::ICMP, Some(3)) | (Protocol::ICMPV6, Some(1)) => Err(Fault::Unreachable),
        (_, Some(kind)) if Control::is_discovery(protocol, kind) => Err(Fault::Discovery),
        _ => Ok((0, 0)),
    }
}

fn span(columns: &Columns<'_>) -> Result<Span, Fault> {
    let first = columns.must(Column::Time, "a time after 1977", number::time)?;
    let duration = columns.read(Column::Duration, "a duration", number::nanoseconds)?.unwrap_or_default();
    if duration < 0 {
        return Err(Fault::Backwards);
    }
    let last = i64::try_from(i128::from(first.0) + duration).map(Timestamp);
    let last = last.ok().filter(|last| super::super::record::is_usable(*last)).ok_or(Fault::Endless)?;
    Ok(Span { first, last })
}

fn sent(columns: &Columns<'_>) -> Result<Sent, Fault> {
    Ok(Sent {
        orig: columns.count(Column::OrigPackets)?,
        resp: columns.count(Column::RespPackets)?,
        orig_payload: columns.count(Column::OrigPayload)?,
        resp_payload: columns.count(Column::RespPayload)?,
    })
}

fn seen(columns: &Columns<'_>, protocol: Protocol, sent: Sent) -> Result<Seen, Fault> {
    let (letters, state) = (columns.get(Column::History), columns.get(Column::State));
    if letters.is_none() && state.is_none() && sent.packets().is_none() {
        // logs of other protocols have the ends as well
        return Err(Fault::OtherLog);
    }
    if protocol == Protocol::TCP {
        history::of_stream(letters, state, sent).ok_or(Fault::NothingSeen)
    } else {
        history::of_datagrams(letters, state, sent).ok_or(Fault::NothingSeen)
    }
}

fn vlans(columns: &Columns<'_>) -> Result<VlanStack, Fault> {
    let read = |column| {
        let vlan = |text: &str| plain::<u16>(text).filter(|vlan| VlanStack::of(&[*vlan]).is_some());
        columns.read(column, "a VLAN from 0 to 4095", vlan)
    };
    let ids: Vec<u16> = [read(Column::Vlan)?, read(Column::InnerVlan)?].into_iter().flatten().collect();
    Ok(VlanStack::of(&ids).unwrap_or_default())
}

/// Tells the connection from all others: Zeek's own id, or its ends and time.
fn tag(columns: &Columns<'_>, first: Timestamp) -> u64 {
    let ends = [Column::Uid, Column::OrigPort, Column::RespPort].map(|column| columns.get(column).unwrap_or_default());
    xxh3_64(format!("{} {}", ends.join(" "), first.0).as_bytes())
}
