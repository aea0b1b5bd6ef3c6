//! Hubble's flows, as `hubble observe -o jsonpb` and the exporter write them: one JSON object a line. The `-o json` of
//! older versions, a flow without its wrapping, too.
//!
//! Addresses alone are taken: who had one, the inventory tells, as for packets.

mod event;
mod packet;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use super::{
    Fault, Line, MAX_SHOWN, json,
    reported::{Log, MAX_HELD, Packet, Verdict},
};
use crate::model::{Note, Observation, Timestamp};
use event::{Flow, Time, Wrapped};

/// Keys that a line may begin with.
const FIRST_KEYS: [&str; 7] =
    ["flow", "node_name", "lost_events", "node_status", "agent_event", "debug_event", "nodeName"];

/// Whether a line, or its beginning, is one of Hubble's.
pub(super) fn is_record(line: &[u8]) -> bool {
    let Some(inside) = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) else { return false };
    let key = inside.strip_prefix(b"\"").and_then(|rest| rest.split(|byte| *byte == b'"').next());
    let is_wrapped = key.is_some_and(|key| FIRST_KEYS.iter().any(|known| known.as_bytes() == key));
    let has = |text: &str| line.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    is_wrapped || has("\"verdict\"") && (has("\"IP\"") || has("\"l4\""))
}

/// Reads flows.
pub(super) struct Reader<R> {
    log: Log<R>,
    notes: Notes,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Self {
        Self::with_table(inner, MAX_HELD)
    }

    pub fn with_table(inner: R, max: usize) -> Self {
        Self { log: Log::new(inner, max), notes: Notes::default() }
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let notes = &mut self.notes;
        self.log.next_line(|line| {
            let packet = packet(line, notes)?;
            notes.take(&packet);
            Ok(packet)
        })
    }

    pub fn observations(&mut self) -> Vec<Observation> {
        self.log.observations()
    }

    pub fn end(&mut self) -> Vec<Observation> {
        self.log.end()
    }

    pub fn digest(&self) -> u64 {
        self.log.digest()
    }

    pub fn notes(&self) -> BTreeMap<Note, u64> {
        let Notes { packets, denied, dropped, audited, lost } = self.notes;
        Note::counted([
            (Note::HubbleReports, packets),
            (Note::PolicyDenied, denied),
            (Note::CiliumDropped, dropped),
            (Note::PolicyAudited, audited),
            (Note::HubbleLost, lost),
            (Note::VerdictsAlone, self.log.verdicts_alone()),
        ])
    }
}

fn packet(line: &[u8], notes: &mut Notes) -> Result<Packet, Fault> {
    const WHAT: &str = "a Hubble flow";
    let wrapped: Wrapped = json::read(line, WHAT)?;
    let time = |time: Option<&Time>| -> Result<Option<Timestamp>, Fault> {
        let wrong = |time: &Time| {
            let value = time.text().chars().take(MAX_SHOWN).collect();
            Fault::Field { what: "time", value, expected: "a time after 1977" }
        };
        time.map(|time| time.read().ok_or_else(|| wrong(time))).transpose()
    };
    if let Some(flow) = &wrapped.flow {
        let at = time(flow.time.as_ref().or(wrapped.time.as_ref()))?;
        let node = flow.node_name.as_deref().filter(|name| !name.is_empty()).or(wrapped.node_name.as_deref());
        return packet::read(flow, node.unwrap_or_default(), at);
    }
    if let Some(lost) = &wrapped.lost_events {
        // Hubble counts a loss of unknown size as one
        let count = lost.num_events_lost.as_ref().and_then(event::Word::number).unwrap_or(1);
        notes.lost = notes.lost.saturating_add(count);
        return Err(Fault::LostEvents);
    }
    if wrapped.node_status.is_some() || wrapped.agent_event.is_some() || wrapped.debug_event.is_some() {
        return Err(Fault::NoFlow);
    }
    let flow: Flow = json::read(line, WHAT)?;
    if flow.ip.is_none() && flow.verdict.is_none() {
        return Err(Fault::NoFlow);
    }
    packet::read(&flow, flow.node_name.as_deref().unwrap_or_default(), time(flow.time.as_ref())?)
}

/// What must be said of a log.
#[derive(Default)]
struct Notes {
    packets: u64,
    denied: u64,
    dropped: u64,
    audited: u64,
    lost: u64,
}

impl Notes {
    fn take(&mut self, packet: &Packet) {
        self.packets += u64::from(packet.point.is_some());
        match packet.verdict {
            Verdict::Forwarded => {}
            Verdict::Audited => self.audited += 1,
            Verdict::Denied => self.denied += 1,
            Verdict::Dropped => self.dropped += 1,
        }
    }
}

#[cfg(test)]
mod tests;
