use std::{fmt, net::IpAddr, sync::Arc};

use serde::{Serialize, Serializer};

use super::{Span, Timestamp};

/// A host's name as captures tell it: lower case, without a dot at its end. Letters, digits, `-`, `_` and dots alone, so
/// that no name can escape a comment, a table or a terminal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// The longest name that DNS can carry, in text (RFC 1035, section 2.3.4).
    const MAX_BYTES: usize = 253;
    /// The longest label.
    const MAX_LABEL_BYTES: usize = 63;

    /// Reads a name; `None` where the bytes are none, an address among them.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &[u8]| (1..=Self::MAX_LABEL_BYTES).contains(&label.len()) && label.iter().all(is_letter);
        let mut labels = bytes.split(|byte| *byte == b'.');
        let is_name = bytes.len() <= Self::MAX_BYTES && labels.clone().all(is_label);
        // no top-level domain is a number, and what ends in one is an address in some notation
        let is_number = is_number(labels.next_back()?);
        let mut text = std::str::from_utf8(bytes).ok().filter(|_| is_name && !is_number)?.to_owned();
        text.make_ascii_lowercase();
        Some(Self(text.into()))
    }

    /// Whether it lies below this domain.
    #[must_use]
    pub fn is_within(&self, domain: &str) -> bool {
        self.0.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether programs take a label for a number: decimal, octal (that begins with 0), or hexadecimal.
fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for HostName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Who said that an address has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameSource {
    /// A DNS answer that the client received (RFC 1035).
    Dns,
    /// An answer among the hosts of a link, without a server: LLMNR (RFC 4795).
    Llmnr,
    /// The server name in a TLS `ClientHello` (RFC 6066).
    Tls,
    /// The Host field of an HTTP request (RFC 9110).
    Http,
    /// A multicast DNS announcement (RFC 6762).
    Mdns,
    /// The host name of a DHCP client that was given the address (RFC 2132).
    Dhcp,
    /// A reverse lookup (RFC 1035, section 3.5).
    Ptr,
}

impl NameSource {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Dns, Self::Llmnr, Self::Tls, Self::Http, Self::Mdns, Self::Dhcp, Self::Ptr];

    /// Whether clients dial by it: they were answered it, or asked the server by it.
    #[must_use]
    pub fn is_of_clients(self) -> bool {
        matches!(self, Self::Dns | Self::Tls | Self::Http)
    }

    /// As in the output and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Llmnr => "llmnr",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Mdns => "mdns",
            Self::Dhcp => "dhcp",
            Self::Ptr => "ptr",
        }
    }
}

/// That an address was called by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSighting {
    /// Who is named.
    pub address: IpAddr,
    /// What it is called.
    pub name: HostName,
    /// Who says so.
    pub source: NameSource,
    /// Who received the answer, or used the name; `None` where it was told to all.
    pub used_by: Option<IpAddr>,
    /// How long it is to be relied on, in seconds: the longest that was told; 0 where nobody tells.
    pub ttl_s: u32,
    /// First and last sight.
    pub span: Span,
    /// How many messages said so, as one capture saw them.
    pub times: u64,
}

impl NameSighting {
    /// Joins what another capture saw of the same: as with all sightings, the fullest counts.
    pub fn join(&mut self, other: &Self) {
        self.ttl_s = self.ttl_s.max(other.ttl_s);
        self.span.join(other.span);
        self.times = self.times.max(other.times);
    }
}

/// Names that were told and are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MissedNames {
    /// How often something stood in the place of a name and was none.
    pub not_a_name: u64,
    /// Messages with a name beyond those that one run may hold.
    pub beyond_bound: u64,
    /// Hellos of TLS and requests of HTTP that may name their server further on than was captured, or in another segment.
    pub cut_off: u64,
}

/// What captures call an address of a party. Never a reason for who the party is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PartyName {
    /// The address.
    pub address: IpAddr,
    /// Its name.
    pub name: HostName,
    /// The best of those who say so.
    pub source: NameSource,
    /// When it was said first.
    pub first_seen: Timestamp,
    /// When it was said last.
    pub last_seen: Timestamp,
    /// Other addresses that had this name, the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_at: Vec<IpAddr>,
    /// Whether the other party was answered it or used it itself, and not others alone.
    #[serde(skip)]
    pub is_own: bool,
}

impl PartyName {
    /// Whether another says the same, whoever was told.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let all = |it: &Self| (it.address, it.source, it.first_seen, it.last_seen);
        all(self) == all(other) && self.name == other.name && self.also_at == other.also_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_without_its_last_dot() {
        let name = |text: &str| HostName::parse(text.as_bytes()).map(|name| name.to_string());
        assert_eq!(name("API.Example.COM."), Some("api.example.com".into()));
        assert_eq!(name("_sip._tcp.x-1"), Some("_sip._tcp.x-1".into()));
        assert_eq!(name("catalogue"), Some("catalogue".into()));
        for beside_numbers in ["0x1.example", "0xg", "x0", "1a", "0x7f.0-1"] {
            assert_eq!(name(beside_numbers), Some(beside_numbers.into()));
        }
        let longest = format!("{}.{}", "a.".repeat(125), "bc");
        assert_eq!(longest.len(), 253);
        assert_eq!(name(&longest.replace("..", ".a")), Some(longest.replace("..", ".a")));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a.".repeat(126) + "ab";
        let label = "a".repeat(64);
        let cases = [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a.b..",
            "10.1.2.3",
            "::1",
            "[::1]",
            "0x7f000001",
            "127.0.0.0x1",
            "0X7F.1.",
            "127.0.0.0x",
            "0177.0.0.01",
            "a b",
            "a\nb",
            "a\u{1b}[31m",
            "a#b",
            "a/b",
            "a:80",
            "*.example.com",
            "b\u{fc}ro.local",
            "a\0",
            &long,
            &label,
        ];
        for case in cases {
            assert_eq!(HostName::parse(case.as_bytes()), None, "{case:?}");
        }
        assert_eq!(HostName::parse(b"\xff\xfe.example"), None);
    }
}
