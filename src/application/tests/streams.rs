//! What is recognised of segments, and what only looks alike.

use super::*;

/// Bytes behind their length in four bytes, which counts itself where so many are to be added.
fn framed(body: &[u8], more: usize) -> Vec<u8> {
    let length = u32::try_from(body.len() + more).unwrap();
    [&length.to_be_bytes()[..], body].concat()
}

/// A packet of `MySQL`.
fn mysql(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

fn mysql_greeting() -> Vec<u8> {
    let scramble: &[u8] = b"\x07\0\0\0abcdefgh\0";
    mysql(
        0,
        &[b"\x0a8.0.36\0", scramble, b"\xff\xff\xff\x02\0\xff\xdf\x15", &[0; 10], b"ijklmnopqrst\0", b"plugin\0"]
            .concat(),
    )
}

/// A client's response with these abilities.
fn mysql_response(abilities: u32, user: &[u8]) -> Vec<u8> {
    mysql(1, &[&abilities.to_le_bytes()[..], b"\0\0\0\x01\x2d", &[0; 23], user].concat())
}

fn mongodb(answers: u32, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let header = [length, 7, answers, kind].map(u32::to_le_bytes).concat();
    [&header[..], body].concat()
}

/// Flags, the kind of the section, and an empty document.
const DOCUMENT: &[u8] = b"\0\0\0\0\0\x05\0\0\0\0";

fn startup() -> Vec<u8> {
    framed(b"\0\x03\0\0user\0shop\0database\0shop\0\0", 4)
}

fn smb(command: u8, flags: u8) -> Vec<u8> {
    let mut header = [&b"\xfeSMB\x40\0"[..], &[0; 58]].concat();
    header[12] = command;
    header[16] = flags;
    framed(&header, 0)
}

/// A message of SQL Server of this kind.
fn tds(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 8).unwrap().to_be_bytes();
    [&[kind, 1][..], &length, &[0, 0, 1, 0], content].concat()
}

/// What is agreed on before its login, with this wish for encryption.
fn prelogin(kind: u8, encryption: u8) -> Vec<u8> {
    tds(kind, &[&b"\0\0\x0b\0\x06\x01\0\x11\0\x01\xff"[..], b"\x0f\0\x07\xd0\0\0", &[encryption]].concat())
}

/// A batch or a call of SQL Server, with its transaction.
fn statements(kind: u8) -> Vec<u8> {
    tds(kind, &[&b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0"[..], b"s\0e\0l\0e\0c\0t\0"].concat())
}

fn kafka() -> Vec<u8> {
    framed(b"\0\x12\0\x03\0\0\0\x01\0\x07rdkafka\0", 0)
}

fn rdp(kind: u8, negotiation: u8) -> Vec<u8> {
    [&[3, 0, 0, 19, 14, kind, 0, 0, 0, 0, 0][..], &[negotiation, 0, 8, 0, 3, 0, 0, 0]].concat()
}

/// A message of LDAP with this operation.
fn ldap(operation: &[u8]) -> Vec<u8> {
    let length = u8::try_from(operation.len() + 3).unwrap();
    [&[0x30, length, 2, 1, 1][..], operation].concat()
}

/// A name server's answer, or the question to it.
fn dns(flags: u16) -> Vec<u8> {
    let header = [7, flags, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
    let message = [&header[..], b"\x03www\x07example\0\0\x01\0\x01"].concat();
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
}

/// Each with what it is.
fn all() -> Vec<(Vec<u8>, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (hello(1), "request tls undecided"),
        (hello(2), "answer tls encrypted"),
        (record(23, &[9; 40]), "either tls encrypted"),
        (record(21, &[9; 26]), "either tls encrypted"),
        (text("SSH-2.0-OpenSSH_9.6\r\n"), "either ssh encrypted"),
        (text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "request http clear"),
        (text("PROPFIND /x HTTP/1.0\r\n"), "request http clear"),
        (text("CONNECT a.example:443 HTTP/1.1\r\n\r\n"), "request http clear"),
        (text("HTTP/1.1 204 No Content\r\n\r\n"), "answer http clear"),
        (text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"), "request http2 clear"),
        (text("INVITE sip:bob@example.com SIP/2.0\r\n"), "request sip clear"),
        (text("SIP/2.0 200 OK\r\n"), "answer sip clear"),
        (startup(), "request postgresql clear"),
        (framed(b"\x04\xd2\x16\x2f", 4), "request postgresql undecided"),
        (framed(b"\x04\xd2\x16\x30", 4), "request postgresql undecided"),
        (text("Q\0\0\0\x0dselect 1\0"), "request postgresql clear"),
        (text("P\0\0\0\x12\0SELECT $1\0\0\0\0\0S\0\0\0\x04"), "request postgresql clear"),
        (text("R\0\0\0\x08\0\0\0\0S\0\0\0\x16"), "answer postgresql clear"),
        (text("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"), "answer postgresql clear"),
        (mysql_greeting(), "answer mysql undecided"),
        (mysql_response(0x000f_a28d, b"shop\0"), "request mysql clear"),
        (mysql_response(0x000f_aa8d, b""), "request mysql undecided"),
        (mysql(0, b"\x03SELECT 1"), "request mysql clear"),
        (prelogin(0x12, 0), "request tds undecided"),
        (prelogin(4, 0), "answer tds clear"),
        (prelogin(4, 1), "answer tds undecided"),
        (prelogin(4, 2), "answer tds clear"),
        (prelogin(4, 3), "answer tds undecided"),
        (statements(1), "request tds clear"),
        (statements(3), "request tds clear"),
        (mongodb(0, 2_013, DOCUMENT), "request mongodb clear"),
        (mongodb(6, 2_013, DOCUMENT), "answer mongodb clear"),
        (mongodb(0, 2_004, b"\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff"), "request mongodb clear"),
        (text("*2\r\n$3\r\nget\r\n$1\r\na\r\n"), "either redis clear"),
        (text("+PONG\r\n"), "answer redis clear"),
        (text("set key 0 60 5\r\nvalue\r\n"), "request memcached clear"),
        (text("VALUE key 0 5\r\nvalue\r\nEND\r\n"), "answer memcached clear"),
        (b"AMQP\0\0\x09\x01".to_vec(), "request amqp clear"),
        (b"AMQP\x03\x01\0\0".to_vec(), "either amqp clear"),
        (b"AMQP\x02\x01\0\0".to_vec(), "either amqp undecided"),
        (b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02ab".to_vec(), "request mqtt clear"),
        (text("INFO {\"server_id\":\"N\",\"tls_required\":true}\r\n"), "answer nats undecided"),
        (text("CONNECT {\"verbose\":false}\r\nPING\r\n"), "request nats clear"),
        (kafka(), "request kafka clear"),
        (text("220 mail.example.com ESMTP\r\n"), "answer smtp undecided"),
        (text("EHLO client.example.com\r\n"), "request smtp undecided"),
        (text("MAIL FROM:<a@example.com>\r\n"), "request smtp clear"),
        (text("ehlo [127.0.0.1]\r\n"), "request smtp undecided"),
        (text("mail FROM:<a@example.com> size=22\r\n"), "request smtp clear"),
        (text("MAIL From:<a@example.com>\r\n"), "request smtp clear"),
        (text("Mail from: <a@example.com>\r\n"), "request smtp clear"),
        (text("220 (vsFTPd 3.0.5)\r\n"), "answer ftp undecided"),
        (text("227 Entering Passive Mode (10,0,0,9,8,1).\r\n"), "answer ftp clear"),
        (text("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"), "answer imap undecided"),
        (text("* CAPABILITY IMAP4rev1 STARTTLS\r\n"), "answer imap undecided"),
        (text("AUTH TLS\r\n"), "request ftp undecided"),
        (text("* FLAGS (\\Answered \\Seen)\r\n"), "answer imap clear"),
        (text("+OK POP3 ready\r\n"), "answer pop3 undecided"),
        (
            text("<?xml version='1.0'?><stream:stream to='a' xmlns:stream='http://etherx.jabber.org/streams'>"),
            "either xmpp undecided",
        ),
        (text("CAPA\r\n"), "request pop3 undecided"),
        (text("stls\r\n"), "request pop3 undecided"),
        (text("UIDL\r\n"), "request pop3 clear"),
        (ldap(b"\x60\x09\x02\x01\x03\x04\x00\x80\x02pw"), "request ldap clear"),
        (ldap(b"\x60\x0b\x02\x01\x03\x04\x00\xa3\x04\x04\x02AB"), "request ldap undecided"),
        (ldap(b"\x63\x0b\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00"), "request ldap clear"),
        (ldap(b"\x63\x0b\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00"), "request ldap undecided"),
        (ldap(b"\x63\x0d\x04\x02o=\x0a\x01\x00\x0a\x01\x00\x02\x01\x00"), "request ldap clear"),
        (ldap(b"\x77\x18\x80\x161.3.6.1.4.1.1466.20037"), "request ldap undecided"),
        (smb(0, 0), "request smb undecided"),
        (smb(0, 1), "answer smb undecided"),
        (smb(4, 0), "request smb undecided"),
        (smb(0x0b, 1), "answer smb undecided"),
        (smb(5, 0), "request smb clear"),
        (smb(8, 0), "request smb clear"),
        (framed(&[&b"\xfdSMB"[..], &[3; 100]].concat(), 0), "either smb encrypted"),
        (rdp(0xe0, 1), "request rdp undecided"),
        (rdp(0xd0, 2), "answer rdp undecided"),
    ]
}

#[test]
fn each_application_is_recognised_on_any_port() {
    for (bytes, expected) in all() {
        assert_eq!(stream(&bytes).as_deref(), Some(expected), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_message_that_is_cut_is_itself_or_nothing() {
    for (bytes, expected) in all() {
        for cut in 0..bytes.len() {
            let is_told = told(&cut_segment(CLIENT, SERVER, &bytes[..cut], bytes.len()));
            let is_it = |told: &str| told == expected || told == expected.replace("tls encrypted", "tls open");
            assert!(is_told.as_deref().is_none_or(is_it), "{}: {is_told:?}", bytes.escape_ascii());
        }
    }
}

#[test]
fn what_does_not_begin_with_a_message_is_nothing() {
    for (bytes, _) in all() {
        let later: Vec<u8> = [&[0xa7][..], &bytes].concat();
        assert_eq!(stream(&later), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_record_counts_where_it_ends_with_its_segment_or_before_the_next() {
    let long = record(23, &[9; 16_000]);
    // the first segment of a long one: any three bytes may look so
    assert_eq!(told(&cut_segment(CLIENT, SERVER, &long[..1_448], 1_448)), None);
    let (one, next) = (record(23, &[9; 600]), record(23, &[9; 3_000]));
    let both = [one.clone(), next].concat();
    assert_eq!(stream(&both[..1_448]).as_deref(), Some("either tls encrypted"));
    // captured up to its header alone, it is as long as the wire says; what is in clear would say nothing then
    assert_eq!(told(&cut_segment(CLIENT, SERVER, &one[..8], 605)).as_deref(), Some("either tls open"));
    assert_eq!(told(&cut_segment(CLIENT, SERVER, &one[..300], 605)).as_deref(), Some("either tls encrypted"));
    for (n, wrong) in [(0, 24), (1, 2), (2, 4), (4, 0)] {
        let mut bytes = one.clone();
        bytes[n] = wrong;
        assert_eq!(stream(&bytes), None, "byte {n}");
    }
    assert_eq!(stream(&record(23, b"hello")), None, "shorter than any cipher makes it");
    assert_eq!(stream(&record(21, &[2, 40])), None, "an alert in clear");
}

#[test]
fn a_cipher_that_encrypts_nothing_leaves_it_in_clear() {
    for (cipher, expected) in [(0x003bu16, "clear"), (0xc006, "clear"), (0xc0b4, "clear"), (0xc02f, "encrypted")] {
        let mut bytes = hello(2);
        bytes[44..46].copy_from_slice(&cipher.to_be_bytes());
        assert_eq!(stream(&bytes), Some(format!("answer tls {expected}")), "{cipher:x}");
    }
}

#[test]
fn a_hello_whose_lengths_lie_is_none() {
    for kind in [1, 2] {
        for (n, wrong) in [(0, 20), (1, 2), (3, 0x50), (5, 4), (8, 1), (8, 200), (9, 2), (43, 33)] {
            let mut bytes = hello(kind);
            bytes[n] = wrong;
            let is_shorter = kind == 2 && (n, wrong) == (8, 1);
            assert!(stream(&bytes).is_none() || is_shorter, "byte {n} of {kind}");
        }
    }
}

#[test]
fn near_misses_are_nothing() {
    let cases: [&[u8]; 36] = [
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / RTSP/1.0\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1",
        b"GET /a b HTTP/1.1\r\n",
        b"HTTP/1.1 ABC\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"INVITE bob SIP/2.0\r\n",
        b"SSH-3.0-x\r\n",
        b"*2\r\n$3\r\nfoo\r\n$1\r\na\r\n",
        b"*x\r\n$3\r\nGET\r\n",
        b"+OK\r\n",
        b"+PONG\r\n+PONG\r\n",
        b"set key 0 60 5\r\nvalue is longer\r\n",
        b"set up the table for six\r\n",
        b"AMQP\0\0\x08\0",
        b"\x10\x0e\0\x04MQTX\x04\x02\0\x3c\0\x02ab",
        b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x02ab",
        b"INFO {\"name\":1}\r\n",
        b"220 welcome\r\n",
        b"EHLO\r\nEHLO x\r\n",
        b"mail from the boss\r\n",
        b"MAIL FROM:a@example.com\r\n",
        b"CAPA STLS\r\n",
        b"STLS\r\nSTLS\r\n",
        b"AUTH PLAIN\r\n",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'>",
        b"* OK ready\r\n",
        b"+OK ready\r\n",
        b"Q\0\0\0\x0dhello 12\0",
        b"Q\0\0\0\x0eselect 1\0",
        b"\0\0\0\x08\x04\xd2\x16\x31",
        b"\0\0\0\x09\x04\xd2\x16\x2f",
        b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x02\x04\x00\x80\x00",
        b"\x0a\0\0\0\x0a8.0.36\0abc",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ];
    for bytes in cases {
        assert_eq!(stream(bytes), None, "{}", bytes.escape_ascii());
    }
    assert_eq!(stream(&mongodb(0, 2_013, b"\x04\0\0\0\0\x05\0\0\0\0")), None, "a flag that there is not");
    assert_eq!(stream(&mongodb(0, 2_013, b"\0\0\0\0\0\x06\0\0\0\0")), None, "a document beyond the message");
    assert_eq!(stream(&framed(b"\0\x12\0\x03\0\0\0\x01\0\x07rd\nafka\0", 0)), None, "a client with a line end");
    assert_eq!(stream(&prelogin(4, 4)), None, "a wish that there is not");
    assert_eq!(stream(&tds(0x12, &hello(1))), None, "TLS within");
    assert_eq!(stream(&tds(4, b"\xad\x12\0\x01\x74\0\0\x04")), None, "rows");
    assert_eq!(stream(&rdp(0xe0, 2)), None, "an answer from the one who asks");
}

#[test]
fn over_tcp_dns_is_told_at_its_port_alone_and_by_who_answers() {
    let (server, client) = (("10.0.0.9", 53), CLIENT);
    let (question, answer) = (dns(0x0100), dns(0x8180));
    assert_eq!(told(&segment(client, server, &question)).as_deref(), Some("request dns clear"));
    assert_eq!(told(&segment(server, client, &answer)).as_deref(), Some("answer dns clear"));
    assert_eq!(told(&segment(client, server, &answer)), None);
    assert_eq!(stream(&question), None);
    assert_eq!(told(&segment(client, server, b"GET / HTTP/1.1\r\n\r\n")), None);
}
