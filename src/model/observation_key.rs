//! What an observation is about, and the order of that.

use std::{cmp::Ordering, net::IpAddr};

use super::{Hour, Protocol, VlanStack};

/// Whether the opening of the connections was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opening {
    /// `src` opened them: SYN, SYN-ACK or INIT was seen.
    Seen,
    /// It was not seen: who the client is, the map decides.
    Unseen,
}

/// What an observation is about. Keys are in the order of their fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObservationKey {
    /// The hour of its packets.
    pub hour: Hour,
    /// The IP protocol.
    pub protocol: Protocol,
    /// Whether `src` is certainly the client.
    pub opening: Opening,
    /// One end.
    pub src: IpAddr,
    /// The other end.
    pub dst: IpAddr,
    /// The other end's port; 0 for protocols without ports.
    pub dst_port: u16,
    /// The VLAN stacks of its packets, outer first and dots between, sorted, commas between; empty without tags.
    pub vlans: String,
    /// The tunnels of its packets likewise, outer first with slashes between: `vxlan:42`; empty outside of tunnels.
    pub tunnels: String,
}

/// Bits of [`ObservationKey::rank`] below the hour, the protocol, the opening and the family.
const END_BITS: u32 = 86;

impl ObservationKey {
    /// A number in the order of the keys, as far as it tells: the same where only tags, tunnels or the second half of an address
    /// of IPv6 differ.
    #[must_use]
    pub fn rank(&self) -> u128 {
        let Self { hour, protocol, opening, src, dst, dst_port, .. } = *self;
        Self::rank_of((hour, protocol, opening), (src, dst, dst_port))
    }

    /// [`ObservationKey::rank`] of the fields that it is made of.
    #[must_use]
    pub fn rank_of(
        (hour, protocol, opening): (Hour, Protocol, Opening),
        (src, dst, dst_port): (IpAddr, IpAddr, u16),
    ) -> u128 {
        // without its sign the order of the hours holds
        let hour = u128::from(hour.0.cast_unsigned() ^ 1 << 31);
        let head = hour << 9 | u128::from(protocol.0) << 1 | u128::from(opening == Opening::Unseen);
        let (family, ends) = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                (0, u128::from(src.to_bits()) << 48 | u128::from(dst.to_bits()) << 16 | u128::from(dst_port))
            }
            (IpAddr::V4(src), IpAddr::V6(_)) => (0, u128::from(src.to_bits()) << 48 | 0xffff_ffff_ffff),
            (IpAddr::V6(src), _) => (1, src.to_bits() >> (u128::BITS - END_BITS)),
        };
        (head << 1 | family) << END_BITS | ends
    }

    /// The highest rank of what has the hour, protocol, opening and source of this one; of IPv6 it may be of further sources, and
    /// the rank itself is all that is known of them.
    #[must_use]
    pub fn last_rank_of_source(rank: u128) -> u128 {
        let is_v6 = rank >> END_BITS & 1 == 1;
        if is_v6 { rank } else { rank | 0xffff_ffff_ffff }
    }

    /// The VLAN stacks, each by itself.
    pub fn vlan_stacks(&self) -> impl Iterator<Item = VlanStack> {
        let stacks = self.vlans.split(',').filter(|stack| !stack.is_empty());
        stacks.filter_map(|stack| stack.parse().ok())
    }

    /// The order of keys that rank alike: by what their rank does not tell.
    #[must_use]
    pub fn cmp_beyond_rank(&self, other: &Self) -> Ordering {
        let is_v4 = |key: &Self| key.src.is_ipv4() && key.dst.is_ipv4();
        let ends = |key: &Self| (key.src, key.dst, key.dst_port);
        let by_ends = if is_v4(self) && is_v4(other) { Ordering::Equal } else { ends(self).cmp(&ends(other)) };
        by_ends.then_with(|| (&self.vlans, &self.tunnels).cmp(&(&other.vlans, &other.tunnels)))
    }
}

impl Ord for ObservationKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| self.cmp_beyond_rank(other))
    }
}

impl PartialOrd for ObservationKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few values of each field, those at the ends of their ranges among them, so that keys often have some in common.
    fn any_key() -> impl Strategy<Value = ObservationKey> {
        let any_address = || {
            prop::sample::select(vec!["0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "fd00::1", "fd00::2", "ffff::"])
                .prop_map(|text| text.parse::<IpAddr>().unwrap())
        };
        let any_word = || prop::sample::select(vec!["", "1", "10", "2"]).prop_map(str::to_owned);
        let any_port = prop::sample::select(vec![0, 80, 65_535]);
        let head = (prop::sample::select(vec![-1, 0, 500_000]), prop::sample::select(vec![6, 255]), any::<bool>());
        (head, (any_address(), any_address(), any_port), (any_word(), any_word())).prop_map(
            |((hour, protocol, is_seen), (src, dst, dst_port), (vlans, tunnels))| {
                let (hour, protocol) = (Hour(hour), Protocol(protocol));
                let opening = if is_seen { Opening::Seen } else { Opening::Unseen };
                ObservationKey { hour, protocol, opening, src, dst, dst_port, vlans, tunnels }
            },
        )
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_fields(a in any_key(), b in any_key()) {
            let fields = |key: &ObservationKey| {
                let ObservationKey { hour, protocol, opening, src, dst, dst_port, vlans, tunnels } = key.clone();
                (hour, protocol, opening, src, dst, dst_port, vlans, tunnels)
            };
            prop_assert_eq!(a.cmp(&b), fields(&a).cmp(&fields(&b)));
            let source = |key: &ObservationKey| (key.hour, key.protocol, key.opening, key.src);
            if source(&a) == source(&b) {
                prop_assert!(ObservationKey::last_rank_of_source(a.rank()) >= b.rank());
            }
            if a.rank() == b.rank() {
                prop_assert_eq!(a.cmp_beyond_rank(&b), a.cmp(&b));
            }
        }
    }
}
