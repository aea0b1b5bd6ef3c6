//! Records of logs that tell of each way by itself, as routers and clouds write them: who sent, and not who opened.

use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{Detail, FlowRecord},
    columns::{MOST_OPENERS, is_too_little, is_without_data},
};
use crate::model::{Flags, Opening, Outcome, Protocol, VlanStack};

/// A record of what an end sent from a port, and whether a firewall says that nothing came back. The map decides who was the
/// client, and lays the record of the other way to it.
pub fn record(record: &FlowRecord, source_port: u16, is_unreturned: bool) -> FlowRecord {
    let mut flags = Flags::SRC_FIRST;
    // an end that sent need not be the one that began; without this the map takes a stream for one met in its middle
    if record.outcome != Some(Outcome::Midstream) {
        flags.add(Flags::UNTOLD);
    }
    for flag in seen(record, is_unreturned) {
        flags.add(*flag);
    }
    // a log of sessions tells what came back
    if record.outcome.is_none() && record.bytes_to_client > 0 {
        flags.add(Flags::FROM_DST);
    }
    let detail = Detail {
        opening: Opening::Unseen,
        client_port: source_port,
        flags,
        packets_to_client: 0,
        vlans: VlanStack::default(),
        tunnels: String::new(),
        tag: xxh3_64(format!("{record:?} from {source_port}").as_bytes()),
        services: Vec::new(),
    };
    FlowRecord { detail: Some(detail), ..record.clone() }
}

/// What was seen of a connection of which one way is told.
fn seen(record: &FlowRecord, is_unreturned: bool) -> &'static [Flags] {
    let is_failed = is_unreturned && is_without_data(record);
    let is_attempt =
        record.protocol == Protocol::TCP && (is_failed || is_too_little(record) || is_repeated_opener(record));
    match record.outcome {
        Some(Outcome::Established) => &[Flags::ASKED, Flags::AGREED, Flags::FROM_SRC, Flags::FROM_DST, Flags::PAYLOAD],
        Some(Outcome::Midstream) => &[Flags::FROM_SRC, Flags::FROM_DST, Flags::PAYLOAD],
        // which end had asked is not told
        Some(Outcome::Refused) => &[Flags::REFUSED],
        Some(Outcome::Unanswered) => &[Flags::FROM_SRC, Flags::LITTLE],
        None if is_attempt => &[Flags::FROM_SRC, Flags::LITTLE],
        Some(Outcome::Oneway) | None => &[Flags::FROM_SRC, Flags::PAYLOAD],
    }
}

/// Whether all packets of a record are as long as the openers of TCP that systems send, and as many as one is sent again. Windows' are
/// as long as acknowledgements with timestamps, which tell nothing.
fn is_repeated_opener(record: &FlowRecord) -> bool {
    /// Of IPv4 with the options of old Windows, of Linux and macOS, in bytes.
    const OPENERS: [u64; 3] = [48, 60, 64];
    const MORE_IN_IPV6: u64 = 20;
    let most = MOST_OPENERS.saturating_mul(record.connections);
    let Some(packets) = record.packets.filter(|packets| (1..=most).contains(packets)) else { return false };
    let more = if record.client.is_ipv6() { MORE_IN_IPV6 } else { 0 };
    let bytes = record.bytes_to_server;
    record.bytes_to_client == 0 && OPENERS.iter().any(|opener| packets.checked_mul(opener + more) == Some(bytes))
}
