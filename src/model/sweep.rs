use std::net::IpAddr;

use super::{Hour, Protocol, Span};

/// What a source tried in vain, in one hour, beyond the attempts that have an observation of their own: a sweep of a
/// network is thousands of ends, of which some tell as much as all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The hour of its packets.
    pub hour: Hour,
    /// The IP protocol.
    pub protocol: Protocol,
    /// Who tried.
    pub src: IpAddr,
    /// How often.
    pub attempts: u64,
    /// Packets of all of them.
    pub packets: u64,
    /// IP bytes of all of them.
    pub bytes: u64,
    /// How many different addresses were tried, about.
    pub hosts: u64,
    /// How many different ports of addresses were tried, about.
    pub targets: u64,
    /// How many different ports.
    pub ports: u32,
    /// The first and the last packet.
    pub span: Span,
}

impl Sweep {
    /// Takes in what was tried at other addresses: their numbers add up, except for ports.
    pub fn join(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.hosts += other.hosts;
        self.targets += other.targets;
        self.ports = self.ports.max(other.ports);
        self.span.join(other.span);
    }
}
