use super::Protocol;

/// What a message of ICMP or `ICMPv6` says of who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Its sender asks: who answers is the server.
    Asks,
    /// Its sender answers whom it is for.
    Answers,
    /// Neither: an error about a packet, an announcement.
    Tells,
}

impl Control {
    /// By the type of the message: echo (RFC 792, RFC 4443), timestamp and information (RFC 792), address mask (RFC 950), routers
    /// (RFC 1256, RFC 4861), neighbours (RFC 4861), node information (RFC 4620), extended echo (RFC 8335). Routers and
    /// neighbours advertise themselves unasked too.
    #[must_use]
    pub fn of(protocol: Protocol, kind: u8) -> Self {
        match (protocol, kind) {
            (Protocol::ICMP, 8 | 10 | 13 | 15 | 17 | 42) | (Protocol::ICMPV6, 128 | 133 | 135 | 139 | 160) => {
                Self::Asks
            }
            (Protocol::ICMP, 0 | 14 | 16 | 18 | 43) | (Protocol::ICMPV6, 129 | 140 | 161) => Self::Answers,
            _ => Self::Tells,
        }
    }

    /// Whether a message asks on its link for routers and neighbours, or tells of them (RFC 4861, section 4): to IPv6 what ARP
    /// is to IPv4, and of no flow.
    #[must_use]
    pub fn is_discovery(protocol: Protocol, kind: u8) -> bool {
        protocol == Protocol::ICMPV6 && matches!(kind, 133..=137)
    }
}
