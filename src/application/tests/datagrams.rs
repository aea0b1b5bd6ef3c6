//! What is recognised of datagrams, and what only looks alike.

use super::*;

fn between(ports: (u16, u16), data: &[u8]) -> Option<String> {
    told(&datagram((CLIENT.0, ports.0), (SERVER.0, ports.1), data))
}

fn free(data: &[u8]) -> Option<String> {
    between((40_000, 8_080), data)
}

/// A message of DNS with these flags and counts of questions and answers.
fn dns(flags: u16, questions: u16, answers: u16) -> Vec<u8> {
    let header = [7, flags, questions, answers, 0, 0].map(u16::to_be_bytes).concat();
    [&header[..], b"\x03www\x07example\0\0\x01\0\x01"].concat()
}

/// A record of DTLS 1.2 in this epoch.
fn dtls(kind: u8, epoch: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 1][..], &length, content].concat()
}

/// The first part of a hello of this type, whole.
fn dtls_hello(kind: u8) -> Vec<u8> {
    let body = [&[254, 253][..], &[7; 32], &[0, 0xc0, 0x2b, 0, 0, 0]].concat();
    dtls(22, 0, &[&[kind, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 40][..], &body].concat())
}

/// A client's first datagram.
fn quic(first: u8, version: [u8; 4]) -> Vec<u8> {
    let mut bytes = [&[first][..], &version, &[8], b"abcdefgh", &[0, 0, 0x44, 0xd0]].concat();
    bytes.resize(18 + 0x4d0, 9);
    bytes
}

fn ntp(first: u8) -> Vec<u8> {
    [&[first, 2][..], &[5; 46]].concat()
}

fn dhcp(operation: u8) -> Vec<u8> {
    [&[operation, 1, 6, 0][..], &[0; 232], b"\x63\x82\x53\x63\x35\x01\x03\xff"].concat()
}

fn snmp(operation: u8) -> Vec<u8> {
    [&b"\x30\x12\x02\x01\x01\x04\x06public"[..], &[operation, 5, 2, 1, 7, 5, 0]].concat()
}

/// Version 3 with these flags.
fn snmp_3(flags: u8) -> Vec<u8> {
    snmp_3_of(flags, 0xa0, b"\x30\x07\x30\x05\x06\x01\x2a\x05\0")
}

/// Version 3 with these flags, and an operation with these variables.
fn snmp_3_of(flags: u8, operation: u8, variables: &[u8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
    let operation = element(operation, &[&b"\x02\x01\x07\x02\x01\0\x02\x01\0"[..], variables].concat());
    let scoped = element(0x30, &[&b"\x04\x02ab\x04\0"[..], &operation].concat());
    let global = [&b"\x02\x01\x03\x30\x0d\x02\x01\x07\x02\x02\x05\xdc\x04\x01"[..], &[flags], b"\x02\x01\x03"].concat();
    element(0x30, &[&global[..], b"\x04\x02ab", &scoped].concat())
}

#[test]
fn datagrams_are_recognised_by_their_ports_or_their_first_bytes() {
    let cases: [(Option<String>, &str); 29] = [
        (between((40_000, 53), &dns(0x0100, 1, 0)), "request dns clear"),
        (between((53, 40_000), &dns(0x8180, 1, 1)), "answer dns clear"),
        (between((40_000, 5_355), &dns(0, 1, 0)), "request dns clear"),
        (between((5_353, 40_000), &dns(0x8400, 0, 1)), "answer dns clear"),
        (between((40_000, 123), &ntp(0x23)), "request ntp clear"),
        (between((123, 40_000), &ntp(0x24)), "answer ntp clear"),
        (between((123, 123), &ntp(0x21)), "either ntp clear"),
        (between((68, 67), &dhcp(1)), "request dhcp clear"),
        (between((67, 68), &dhcp(2)), "answer dhcp clear"),
        (between((67, 67), &dhcp(1)), "request dhcp clear"),
        (free(&dtls_hello(1)), "request dtls undecided"),
        (free(&dtls_hello(2)), "answer dtls encrypted"),
        (free(&dtls_hello(3)), "answer dtls undecided"),
        (free(&dtls(23, 1, &[7; 30])), "either dtls encrypted"),
        (free(&quic(0xc3, [0, 0, 0, 1])), "either quic encrypted"),
        (free(&quic(0xd3, [0x6b, 0x33, 0x43, 0xcf])), "either quic encrypted"),
        (free(&snmp(0xa0)), "request snmp clear"),
        (free(&snmp(0xa2)), "answer snmp clear"),
        (free(&snmp_3(4)), "either snmp clear"),
        (free(&snmp_3_of(4, 0xa0, b"\x30\0")), "either snmp undecided"),
        (free(&snmp_3_of(5, 0xa3, b"\x30\x09\x30\x07\x06\x01\x2a\x02\x02\x30\0")), "either snmp clear"),
        (free(&snmp_3_of(5, 0xaf, b"\x30\0")), "either snmp open"),
        (free(&snmp_3(5)), "either snmp clear"),
        (free(&snmp_3(7)), "either snmp encrypted"),
        (free(&snmp_3_of(1, 0xa8, b"\x30\x07\x30\x05\x06\x01\x2a\x05\0")), "either snmp undecided"),
        (free(&snmp_3_of(5, 0xa0, b"\x30\0")), "either snmp undecided"),
        (free(b"\x30\x10\x02\x01\x01\x63\x0b\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00"), "request ldap clear"),
        (free(b"OPTIONS sip:a@example.com SIP/2.0\r\n"), "request sip clear"),
        (free(b"\x30\x10\x02\x01\x01\x63\x0b\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00"), "request ldap clear"),
    ];
    for (n, (told, expected)) in cases.into_iter().enumerate() {
        assert_eq!(told.as_deref(), Some(expected), "case {n}");
    }
}

#[test]
fn datagrams_that_only_look_alike_are_nothing() {
    let with = |mut bytes: Vec<u8>, n: usize, byte: u8| {
        bytes[n] = byte;
        bytes
    };
    let cases = [
        between((40_000, 8_080), &dns(0x0100, 1, 0)),
        between((40_000, 53), &dns(0x8180, 1, 1)),
        between((40_000, 53), &dns(0x0140, 1, 0)),
        between((40_000, 53), &dns(0x3100, 1, 0)),
        between((40_000, 53), &dns(0x0100, 0, 0)),
        between((40_000, 53), &with(dns(0x0100, 1, 0), 12, 90)),
        between((40_000, 53), &with(dns(0x0100, 1, 0), 28, 9)),
        between((40_000, 53), &dns(0x0100, 1, 0)[..26]),
        between((40_000, 123), &ntp(0x24)),
        between((40_000, 123), &ntp(0x3b)),
        between((40_000, 123), &ntp(0x23)[..40]),
        between((68, 67), &with(dhcp(1), 237, 0)),
        free(&dtls(23, 0, &[7; 30])),
        free(&with(dtls(23, 1, &[7; 30]), 12, 20)),
        free(&with(dtls_hello(1), 13, 11)),
        free(&with(dtls_hello(1), 24, 41)),
        free(&quic(0x43, [0, 0, 0, 1])),
        free(&quic(0xd3, [0, 0, 0, 1])),
        free(&quic(0xc3, [0, 0, 0, 2])),
        free(&with(quic(0xc3, [0, 0, 0, 1]), 5, 21)),
        free(&quic(0xc3, [0, 0, 0, 1])[..600]),
        free(&with(snmp(0xa0), 1, 0x13)),
        free(&with(snmp(0xa0), 13, 0xa9)),
        free(&with(snmp_3(7), 16, 8)),
    ];
    for (n, told) in cases.into_iter().enumerate() {
        assert_eq!(told, None, "case {n}");
    }
}

#[test]
fn who_speaks_to_a_group_is_served_by_it() {
    let (host, group) = (("10.0.0.1", 5_353), ("224.0.0.251", 5_353));
    assert_eq!(told(&datagram(host, group, &dns(0x8400, 0, 1))).as_deref(), Some("request dns clear"));
    assert_eq!(told(&datagram(host, group, &dns(0, 1, 0))).as_deref(), Some("request dns clear"));
}
