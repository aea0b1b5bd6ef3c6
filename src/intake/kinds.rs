use std::collections::BTreeMap;

use crate::{decode::Packet, model::Protocol};

/// Decoded packets by what they are. Every one has a protocol; tags, tunnels and fragments are told besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    tcp: u64,
    udp: u64,
    others: BTreeMap<Protocol, u64>,
    tagged: u64,
    tunnelled: u64,
    fragments: u64,
}

impl Kinds {
    /// Counts a packet.
    #[inline]
    pub(super) fn count(&mut self, packet: &Packet<'_>) {
        match packet.protocol {
            Protocol::TCP => self.tcp += 1,
            Protocol::UDP => self.udp += 1,
            other => *self.others.entry(other).or_default() += 1,
        }
        self.tagged += u64::from(!packet.vlans.is_empty());
        self.tunnelled += u64::from(!packet.tunnels.is_empty());
        self.fragments += u64::from(packet.fragment.is_some());
    }

    /// Takes in what was counted of other packets.
    pub(super) fn join(&mut self, other: &Self) {
        self.tcp += other.tcp;
        self.udp += other.udp;
        for (protocol, count) in &other.others {
            *self.others.entry(*protocol).or_default() += count;
        }
        self.tagged += other.tagged;
        self.tunnelled += other.tunnelled;
        self.fragments += other.fragments;
    }

    /// The counts by name, in small letters; those of which there are none are left out.
    #[must_use]
    pub fn named(&self) -> BTreeMap<String, u64> {
        let own = [(Protocol::TCP, self.tcp), (Protocol::UDP, self.udp)];
        let by_protocol = own.into_iter().chain(self.others.iter().map(|(protocol, count)| (*protocol, *count)));
        let named = by_protocol.map(|(protocol, count)| (protocol.to_string().to_ascii_lowercase(), count));
        let besides = [("tagged", self.tagged), ("tunnelled", self.tunnelled), ("fragments", self.fragments)];
        named.chain(besides.map(|(name, count)| (name.to_owned(), count))).filter(|(_, count)| *count > 0).collect()
    }
}
