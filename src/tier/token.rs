//! What endpoints do, in words that can be compared: a token says that an endpoint serves a port, or calls one.

use std::fmt;

use crate::model::Protocol;

/// Serves or calls a protocol and port; with peers in scope or outside; with or without packets.
///
/// Bits, from the lowest: the port, the protocol, then one each for `DYNAMIC`, calls, outside and idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u32);

/// A protocol and port, or all the ports of a protocol that a server hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service(u32);

const PROTOCOL_SHIFT: u32 = 16;
const DYNAMIC: u32 = 1 << 24;
const CALLS: u32 = 1 << 25;
const OUTSIDE: u32 = 1 << 26;
const IDLE: u32 = 1 << 27;

impl Service {
    /// A port.
    #[must_use]
    pub fn new(protocol: Protocol, port: u16) -> Self {
        Self(u32::from(protocol.0) << PROTOCOL_SHIFT | u32::from(port))
    }

    /// All the ports of its protocol that are handed out for a while.
    #[must_use]
    pub fn dynamic(self) -> Self {
        Self(self.0 & 0xff << PROTOCOL_SHIFT | DYNAMIC)
    }

    /// The protocol.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        Protocol((self.0 >> PROTOCOL_SHIFT & 0xff) as u8)
    }

    /// The port; 0 where it stands for many.
    #[must_use]
    pub fn port(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

impl Token {
    /// What the server of a call does.
    pub(super) fn serves(service: Service, is_outside: bool, is_idle: bool) -> Self {
        Self(service.0 | if is_outside { OUTSIDE } else { 0 } | if is_idle { IDLE } else { 0 })
    }

    /// What the client of a call does.
    pub(super) fn calls(service: Service, is_outside: bool, is_idle: bool) -> Self {
        Self(Self::serves(service, is_outside, is_idle).0 | CALLS)
    }

    /// Whether it is of a server.
    #[must_use]
    pub fn is_served(self) -> bool {
        self.0 & CALLS == 0
    }

    /// Whether the peers are out of scope.
    #[must_use]
    pub fn is_outside(self) -> bool {
        self.0 & OUTSIDE != 0
    }

    /// The token wherever the peers are.
    pub(super) fn anywhere(self) -> Self {
        Self(self.0 & !OUTSIDE)
    }

    /// What is called.
    #[must_use]
    pub fn service(self) -> Service {
        Service(self.0 & !(CALLS | OUTSIDE | IDLE))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol();
        match self.port() {
            _ if self.0 & DYNAMIC != 0 => write!(f, "{protocol} ports that change"),
            0 => write!(f, "{protocol}"),
            port => write!(f, "{protocol}/{port}"),
        }
    }
}

impl fmt::Display for Token {
    /// `serves TCP/5432`, `calls TCP/443 outside`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.is_served() { "serves" } else { "calls" };
        let outside = match self.is_outside() {
            true if self.is_served() => " to the outside",
            true => " outside",
            false => "",
        };
        let idle = if self.0 & IDLE != 0 { " with no packets counted" } else { "" };
        write!(f, "{verb} {}{outside}{idle}", self.service())
    }
}
