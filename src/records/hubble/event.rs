//! What a line of Hubble holds, as its `flow.proto` and `observer.proto` have it
//! (<https://docs.cilium.io/en/stable/_api/v1/flow/README/>), by the names of either JSON mapping of protobuf.

use serde::{Deserialize, de::IgnoredAny};

use super::super::{number, reported::TcpFlags};
use crate::model::Timestamp;

/// A line of `hubble observe -o jsonpb` and of the exporter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wrapped {
    pub flow: Option<Flow>,
    #[serde(alias = "lostEvents")]
    pub lost_events: Option<LostEvents>,
    #[serde(alias = "nodeStatus")]
    pub node_status: Option<IgnoredAny>,
    #[serde(alias = "agentEvent")]
    pub agent_event: Option<IgnoredAny>,
    #[serde(alias = "debugEvent")]
    pub debug_event: Option<IgnoredAny>,
    #[serde(alias = "nodeName")]
    pub node_name: Option<String>,
    pub time: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LostEvents {
    #[serde(alias = "numEventsLost")]
    pub num_events_lost: Option<Word>,
}

/// One packet at one point of its way, or one message of an L7 proxy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Flow {
    pub time: Option<Time>,
    pub verdict: Option<Word>,
    #[serde(rename = "IP", alias = "ip")]
    pub ip: Option<Ip>,
    pub l4: Option<L4>,
    #[serde(rename = "Type", alias = "type")]
    pub kind: Option<Word>,
    #[serde(alias = "nodeName")]
    pub node_name: Option<String>,
    /// Older versions leave it out where it is not so.
    pub reply: Option<bool>,
    pub l7: Option<L7>,
    #[serde(alias = "eventType")]
    pub event_type: Option<EventType>,
    #[serde(alias = "traceObservationPoint")]
    pub trace_observation_point: Option<Word>,
    #[serde(alias = "traceReason")]
    pub trace_reason: Option<Word>,
    #[serde(alias = "dropReasonDesc")]
    pub drop_reason_desc: Option<Word>,
    #[serde(alias = "isReply")]
    pub is_reply: Option<bool>,
    #[serde(alias = "sockXlatePoint")]
    pub sock_xlate_point: Option<Word>,
}

/// An enum by its name or its number; a 64-bit number, which JSON writes as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Word {
    Name(String),
    Number(i64),
}

impl Word {
    /// By its name, or by its place among the names.
    pub fn is(&self, name: &str, number: i64) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Number(own) => *own == number,
        }
    }

    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Name(text) => text.parse().ok(),
            Self::Number(number) => u64::try_from(*number).ok(),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::Name(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Time {
    Text(String),
    Parts {
        seconds: Word,
        #[serde(default)]
        nanos: u32,
    },
}

impl Time {
    pub fn read(&self) -> Option<Timestamp> {
        number::time(&self.text())
    }

    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts { seconds, nanos } => format!("{}.{nanos:09}", seconds.text()),
        }
    }
}

/// Addresses as their owners have them: what a Service's address was turned into, not the Service's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ip {
    pub source: String,
    pub destination: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(non_snake_case, reason = "the names of the protocols")]
pub struct L4 {
    pub TCP: Option<Tcp>,
    pub UDP: Option<Ports>,
    pub SCTP: Option<Sctp>,
    pub ICMPv4: Option<Icmp>,
    pub ICMPv6: Option<Icmp>,
    pub VRRP: Option<IgnoredAny>,
    pub IGMP: Option<IgnoredAny>,
    /// Where Go's own JSON writes it.
    pub Protocol: Option<Box<L4>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ports {
    #[serde(alias = "sourcePort")]
    pub source_port: u16,
    #[serde(alias = "destinationPort")]
    pub destination_port: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tcp {
    #[serde(alias = "sourcePort")]
    pub source_port: u16,
    #[serde(alias = "destinationPort")]
    pub destination_port: u16,
    pub flags: Option<TcpFlags>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sctp {
    #[serde(alias = "sourcePort")]
    pub source_port: u16,
    #[serde(alias = "destinationPort")]
    pub destination_port: u16,
    #[serde(alias = "chunkType")]
    pub chunk_type: Option<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Icmp {
    #[serde(rename = "type")]
    pub kind: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventType {
    #[serde(rename = "type")]
    pub kind: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct L7 {
    #[serde(rename = "type")]
    pub kind: Option<Word>,
    pub dns: Option<Dns>,
    pub http: Option<IgnoredAny>,
    pub kafka: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Dns {
    pub query: String,
    pub ips: Vec<String>,
    pub ttl: u32,
}
