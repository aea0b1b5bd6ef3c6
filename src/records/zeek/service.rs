//! What Zeek's analysers found in a connection: the field `service`, names with commas between.

use crate::model::{Application, Protection, Protocol};

/// Names of analysers, and what each stands for. Where a protocol may turn to TLS, or encrypt by itself, its name alone
/// leaves open whether it did: TLS is named beside it.
const NAMES: [(&str, Application, Protection); 28] = [
    ("dhcp", Application::Dhcp, Protection::Clear),
    ("dns", Application::Dns, Protection::Clear),
    ("dtls", Application::Dtls, Protection::Encrypted),
    ("ftp", Application::Ftp, Protection::Undecided),
    ("http", Application::Http, Protection::Clear),
    ("http2", Application::Http2, Protection::Clear),
    ("imap", Application::Imap, Protection::Undecided),
    ("irc", Application::Irc, Protection::Undecided),
    ("kafka", Application::Kafka, Protection::Clear),
    ("ldap", Application::Ldap, Protection::Undecided),
    ("ldap_tcp", Application::Ldap, Protection::Undecided),
    ("ldap_udp", Application::Ldap, Protection::Clear),
    ("mongodb", Application::Mongodb, Protection::Clear),
    ("mqtt", Application::Mqtt, Protection::Clear),
    ("mysql", Application::Mysql, Protection::Undecided),
    ("ntp", Application::Ntp, Protection::Clear),
    ("pop3", Application::Pop3, Protection::Undecided),
    ("postgresql", Application::Postgresql, Protection::Undecided),
    ("quic", Application::Quic, Protection::Encrypted),
    ("rdp", Application::Rdp, Protection::Undecided),
    ("redis", Application::Redis, Protection::Clear),
    ("sip", Application::Sip, Protection::Clear),
    ("smb", Application::Smb, Protection::Undecided),
    ("smtp", Application::Smtp, Protection::Undecided),
    ("snmp", Application::Snmp, Protection::Undecided),
    ("ssh", Application::Ssh, Protection::Encrypted),
    ("ssl", Application::Tls, Protection::Encrypted),
    ("xmpp", Application::Xmpp, Protection::Undecided),
];

/// What is known of these names; others, and those taken back (`-http`), are left out. Where a connection of a protocol that
/// may turn to TLS has none, another's that has some does not tell of it.
pub fn applications(service: &str, protocol: Protocol) -> Vec<(Application, Protection)> {
    let one = |name: &str| {
        let (_, application, protection) = NAMES.iter().find(|(known, ..)| name.eq_ignore_ascii_case(known))?;
        // one analyser reads TLS and DTLS
        let is_dtls = *application == Application::Tls && protocol == Protocol::UDP;
        Some((if is_dtls { Application::Dtls } else { *application }, *protection))
    };
    let mut all: Vec<(Application, Protection)> = service.split(',').filter_map(one).collect();
    let is_plain = all.iter().all(|(_, protection)| *protection != Protection::Encrypted);
    if is_plain && protocol == Protocol::TCP {
        let asked = all.iter_mut().filter(|(_, protection)| *protection == Protection::Undecided);
        asked.for_each(|(_, protection)| *protection = Protection::Open);
    }
    all
}
