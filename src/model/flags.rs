//! What was seen of a connection, in bits.

/// Bits of what was seen of a connection; sightings add up by OR, but for who was first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(u16);

impl Flags {
    /// `src` asked to open (SYN, INIT).
    pub const ASKED: Self = Self(1);
    /// `dst` agreed (SYN-ACK, INIT-ACK).
    pub const AGREED: Self = Self(1 << 1);
    /// `dst` refused (RST in answer to a SYN, ICMP unreachable).
    pub const REFUSED: Self = Self(1 << 2);
    /// Packets from `src` past the opening.
    pub const FROM_SRC: Self = Self(1 << 3);
    /// Packets from `dst` past the opening.
    pub const FROM_DST: Self = Self(1 << 4);
    /// `src` sent the first packet that was seen, or what the first one answers.
    pub const SRC_FIRST: Self = Self(1 << 5);
    /// FIN or RST was seen after the opening.
    pub const CLOSED: Self = Self(1 << 6);
    /// Bytes of payload went either way.
    pub const PAYLOAD: Self = Self(1 << 7);
    /// The link carried packets of `src` to everybody.
    pub const BROADCAST: Self = Self(1 << 8);
    /// The link carried packets of `dst` to everybody.
    pub const DST_BROADCAST: Self = Self(1 << 9);
    /// The first that was seen of `src`, past any opening, was a reset that acknowledges nothing: what a host sends that
    /// knows of no such connection (RFC 9293, section 3.10.7.1).
    pub const DISOWNED: Self = Self(1 << 10);
    /// The first that was seen of `dst` was such a reset.
    pub const DST_DISOWNED: Self = Self(1 << 11);

    /// No packet told who began, and the first that was seen tells nothing of it: an ICMP error, an announcement, a record of
    /// what one end sent. Of several sightings all must say so.
    pub const UNTOLD: Self = Self(1 << 12);
    /// A record of a flow log tells of fewer packets than a stream begins with: no more than an attempt, unless those of the
    /// other way are more.
    pub const LITTLE: Self = Self(1 << 13);
    /// A datagram says by itself that `src` asks: a question of its own, or an answer to it.
    pub const ASKS: Self = Self(1 << 14);
    /// A datagram says by itself that `dst` asks.
    pub const DST_ASKS: Self = Self(1 << 15);

    /// The bits that tell what became of a connection.
    #[must_use]
    pub fn outcome(self) -> Self {
        self.among(Self::ASKED.with(Self::AGREED).with(Self::REFUSED).with(Self::FROM_SRC).with(Self::FROM_DST))
    }

    /// The flags that the store keeps as this number.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The number that the store keeps.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// All of both.
    #[must_use]
    #[inline]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All but those of `other`.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those that are among `others`.
    #[must_use]
    #[inline]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether one of `others` is set.
    #[must_use]
    #[inline]
    pub fn has_any(self, others: Self) -> bool {
        self.among(others) != Self(0)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.among(other) == other
    }

    /// Sets those of `other`.
    pub fn add(&mut self, other: Self) {
        *self = self.with(other);
    }

    /// Takes those of `other` away.
    #[inline]
    pub fn remove(&mut self, other: Self) {
        *self = self.without(other);
    }

    /// The flags as seen from the other end.
    #[must_use]
    pub fn turned(self) -> Self {
        let pairs = [
            (Self::FROM_SRC, Self::FROM_DST),
            (Self::BROADCAST, Self::DST_BROADCAST),
            (Self::DISOWNED, Self::DST_DISOWNED),
            (Self::ASKS, Self::DST_ASKS),
        ];
        let mut turned = self.without(Self::SRC_FIRST);
        for (of_src, of_dst) in pairs {
            turned.remove(of_src.with(of_dst));
            if self.has(of_src) {
                turned.add(of_dst);
            }
            if self.has(of_dst) {
                turned.add(of_src);
            }
        }
        if !self.has(Self::SRC_FIRST) {
            turned.add(Self::SRC_FIRST);
        }
        turned
    }
}
