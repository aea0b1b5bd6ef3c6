use std::net::IpAddr;

use super::{Protocol, Span, Timestamp};

/// An application protocol that is told by what it sends. In the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Application {
    /// Advanced Message Queuing Protocol, 0-9-1 and 1.0.
    Amqp,
    /// DHCP for IPv4 (RFC 2131).
    Dhcp,
    /// DNS (RFC 1035), also as multicast DNS (RFC 6762) and LLMNR (RFC 4795).
    Dns,
    /// TLS over datagrams (RFC 6347).
    Dtls,
    /// FTP's control connection (RFC 959).
    Ftp,
    /// HTTP/1 (RFC 9112).
    Http,
    /// HTTP/2 without TLS (RFC 9113), gRPC among it.
    Http2,
    /// IMAP (RFC 9051).
    Imap,
    /// IRC.
    Irc,
    /// Apache Kafka.
    Kafka,
    /// LDAP (RFC 4511).
    Ldap,
    /// memcached's text protocol.
    Memcached,
    /// `MongoDB`.
    Mongodb,
    /// MQTT 3.1, 3.1.1 and 5.
    Mqtt,
    /// `MySQL` and `MariaDB`.
    Mysql,
    /// NATS.
    Nats,
    /// NTP (RFC 5905).
    Ntp,
    /// POP3 (RFC 1939).
    Pop3,
    /// `PostgreSQL`.
    Postgresql,
    /// QUIC (RFC 9000, RFC 9369).
    Quic,
    /// Remote Desktop.
    Rdp,
    /// Redis, and what speaks its protocol.
    Redis,
    /// SIP (RFC 3261).
    Sip,
    /// SMB 1 to 3.
    Smb,
    /// SMTP (RFC 5321).
    Smtp,
    /// SNMP (RFC 1157, RFC 3416, RFC 3412).
    Snmp,
    /// SSH (RFC 4253).
    Ssh,
    /// SQL Server.
    Tds,
    /// TLS (RFC 8446), whatever is inside.
    Tls,
    /// XMPP (RFC 6120).
    Xmpp,
}

impl Application {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::Amqp,
        Self::Dhcp,
        Self::Dns,
        Self::Dtls,
        Self::Ftp,
        Self::Http,
        Self::Http2,
        Self::Imap,
        Self::Irc,
        Self::Kafka,
        Self::Ldap,
        Self::Memcached,
        Self::Mongodb,
        Self::Mqtt,
        Self::Mysql,
        Self::Nats,
        Self::Ntp,
        Self::Pop3,
        Self::Postgresql,
        Self::Quic,
        Self::Rdp,
        Self::Redis,
        Self::Sip,
        Self::Smb,
        Self::Smtp,
        Self::Snmp,
        Self::Ssh,
        Self::Tds,
        Self::Tls,
        Self::Xmpp,
    ];

    /// As in the output and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Dhcp => "dhcp",
            Self::Dns => "dns",
            Self::Dtls => "dtls",
            Self::Ftp => "ftp",
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Imap => "imap",
            Self::Irc => "irc",
            Self::Kafka => "kafka",
            Self::Ldap => "ldap",
            Self::Memcached => "memcached",
            Self::Mongodb => "mongodb",
            Self::Mqtt => "mqtt",
            Self::Mysql => "mysql",
            Self::Nats => "nats",
            Self::Ntp => "ntp",
            Self::Pop3 => "pop3",
            Self::Postgresql => "postgresql",
            Self::Quic => "quic",
            Self::Rdp => "rdp",
            Self::Redis => "redis",
            Self::Sip => "sip",
            Self::Smb => "smb",
            Self::Smtp => "smtp",
            Self::Snmp => "snmp",
            Self::Ssh => "ssh",
            Self::Tds => "tds",
            Self::Tls => "tls",
            Self::Xmpp => "xmpp",
        }
    }
}

/// What a message says of whether others can read what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// It carries content that whoever sees the packets can read.
    Clear,
    /// What it carries, or agrees on, is encrypted.
    Encrypted,
    /// A greeting, or a question whether to encrypt: what follows may be either.
    Undecided,
    /// It may have been in clear, and would not have been told: whatever is encrypted beside it decides nothing.
    Open,
}

impl Protection {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clear, Self::Encrypted, Self::Undecided, Self::Open];

    /// As in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Encrypted => "encrypted",
            Self::Undecided => "undecided",
            Self::Open => "open",
        }
    }
}

/// Whether others can read what was spoken over a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secrecy {
    /// All that was recognised, and decides, is in clear text.
    Clear,
    /// Some of it is in clear text, and some encrypted.
    Mixed,
    /// All that was recognised, and decides, is encrypted.
    Encrypted,
    /// Nothing decides, or what does may be another client's.
    NotKnown,
}

impl Secrecy {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear text",
            Self::Mixed => "clear text in part",
            Self::Encrypted => "encrypted",
            Self::NotKnown => "not known",
        }
    }
}

/// That an application was recognised between a client and a port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationSighting {
    /// Who asks; `None` for further clients of a server that has many.
    pub client: Option<IpAddr>,
    /// Who serves.
    pub server: IpAddr,
    /// The server's port.
    pub port: u16,
    /// The IP protocol.
    pub protocol: Protocol,
    /// What is spoken.
    pub application: Application,
    /// Whether others can read it.
    pub protection: Protection,
    /// The beginnings of the first and of the last stretch of [`ApplicationSighting::STRETCH_NS`] in which it was seen.
    pub span: Span,
    /// In how many of these it was seen, as one capture saw it.
    pub times: u64,
}

/// What makes two sightings the same.
pub type ApplicationKey = (IpAddr, u16, Protocol, Option<IpAddr>, Application, Protection);

impl ApplicationSighting {
    /// Times are kept in stretches of ten seconds: of what goes on and on, as TLS does, one message in each is enough.
    pub const STRETCH_NS: i64 = 10 * 1_000_000_000;

    /// The beginning of the stretch that a time lies in.
    #[must_use]
    pub fn stretch(time: Timestamp) -> Timestamp {
        Timestamp(time.0.div_euclid(Self::STRETCH_NS).saturating_mul(Self::STRETCH_NS))
    }

    /// What makes it the same as another.
    #[must_use]
    pub fn key(&self) -> ApplicationKey {
        (self.server, self.port, self.protocol, self.client, self.application, self.protection)
    }

    /// Joins what another capture saw of the same: as with all sightings, the fullest counts.
    pub fn join(&mut self, other: &Self) {
        self.span.join(other.span);
        self.times = self.times.max(other.times);
    }

    /// What it is worth where of the packets within TCP connections but a sample was taken: what was in clear beside it may be
    /// among the others.
    pub fn doubt(&mut self) {
        let may_begin_in_clear = matches!(self.application, Application::Tls | Application::Smb);
        if may_begin_in_clear && self.protection == Protection::Encrypted {
            self.protection = Protection::Open;
        }
    }

    /// The first and the last stretch in which it was seen.
    #[must_use]
    pub fn stretches(&self) -> [Span; 2] {
        let end = |begin: Timestamp| Timestamp(begin.0.saturating_add(Self::STRETCH_NS - 1));
        [self.span.first, self.span.last].map(|first| Span { first, last: end(first) })
    }

    /// Whether it may have been seen within this time.
    #[must_use]
    pub fn overlaps(&self, span: Span) -> bool {
        self.span.first <= span.last && self.span.last.0.saturating_add(Self::STRETCH_NS) > span.first.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_stand_in_the_order_of_their_names_and_each_once() {
        let names = Application::ALL.map(Application::as_str);
        assert!(names.is_sorted() && Application::ALL.is_sorted());
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
