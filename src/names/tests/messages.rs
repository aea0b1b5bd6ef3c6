//! TLS, HTTP and DHCP.

use super::{
    super::{
        dhcp::Requests,
        http::{Request, request},
        tls::server_name,
    },
    *,
};

#[test]
fn a_client_hello_names_its_server() {
    assert_eq!(server_name(&hello(b"api.example.com")), Some(&b"api.example.com"[..]));
}

#[test]
fn a_client_hello_that_is_cut_before_the_end_of_the_name_gives_nothing() {
    let whole = hello(b"api.example.com");
    let behind = whole.windows(15).position(|bytes| bytes == b"api.example.com").unwrap() + 15;
    for cut in 0..whole.len() {
        let expected = (cut >= behind).then_some(&b"api.example.com"[..]);
        assert_eq!(server_name(&whole[..cut]), expected, "{cut} bytes");
    }
}

#[test]
fn other_records_and_lengths_that_lie_give_nothing() {
    let whole = hello(b"api.example.com");
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    // content type, protocol, handshake type, length of the record, of the handshake, of the session
    for (at, byte) in [(0, 23), (1, 2), (5, 2), (4, 20), (8, 20), (43, 255)] {
        assert_eq!(server_name(&changed(at, byte)), None, "byte {at}");
    }
    let name_at = whole.windows(3).position(|bytes| bytes == b"api").unwrap();
    assert_eq!(server_name(&changed(name_at - 3, 1)), None, "another type of name");
    assert_eq!(server_name(&changed(name_at - 2, 1)), None, "a name longer than its extension");
    assert_eq!(server_name(b"\x16\x03\x01\x00\x05hello"), None);
}

#[test]
fn a_request_names_its_server_without_the_port() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n", b"api.example.com"),
        (
            b"POST /v1/orders?a=b HTTP/1.1\r\nContent-Length: 0\r\nhOST:  Api.Example.com:8080 \r\n\r\n",
            b"Api.Example.com",
        ),
        (b"HEAD / HTTP/1.0\r\nHost: a\r\n", b"a"),
        // what is no port is not taken off: the whole is then no name
        (b"GET / HTTP/1.1\r\nHost: a: {b}\r\n\r\n", b"a: {b}"),
        (b"OPTIONS * HTTP/1.1\r\nHost: b.example\r\n\r\n", b"b.example"),
        // the body may be missing, and the rest of the head
        (b"PATCH /x HTTP/1.1\r\nHost: c.example\r\nAccept: te", b"c.example"),
    ];
    for (bytes, host) in cases {
        assert_eq!(request(bytes), Some(Request::Host(host)), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_request_without_a_whole_name_gives_nothing() {
    let cases: [&[u8]; 12] = [
        b"GET / HTTP/1.1\r\nHost: api.exam",
        b"GET / HTTP/1.1\r\nHost: api.example.com\r",
        b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\nHost: body.example\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::9]:8080\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::9]\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 10.244.1.4:8080\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a.example\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"Brew / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a.example\n\n",
    ];
    for bytes in cases {
        assert_eq!(request(bytes), None, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn who_is_asked_for_a_whole_address_is_a_proxy() {
    assert_eq!(request(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"), Some(Request::Proxy));
    assert_eq!(request(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"), Some(Request::Proxy));
    // the rest of the line is in the next segment
    for begun in ["CONNECT ", "CONNECT a.exam", "CONNECT a.example:443 HTTP/1.1\r"] {
        assert_eq!(request(begun.as_bytes()), Some(Request::Proxy), "{begun}");
    }
    assert_eq!(request(b"CONNECT {\"verbose\":false"), None, "NATS");
}

/// A DHCP message: operation, transaction, the address given, options.
fn dhcp(operation: u8, transaction: u8, yours: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![operation, 1, 6, 0, 0, 0, 0, transaction, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(yours);
    bytes.extend([0; 8]);
    bytes.extend([2, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0; 192]);
    bytes.extend([99, 130, 83, 99]);
    bytes.extend(options);
    bytes
}

const REQUEST: &[u8] = b"\x35\x01\x03\x00\x32\x04\xc0\xa8\x01\x50\x0c\x09Printer-1\xff";
const ACK: &[u8] = b"\x35\x01\x05\x33\x04\x00\x00\x0e\x10\xff";

#[test]
fn a_host_has_the_name_that_it_told_once_the_server_gives_it_an_address() {
    let mut requests = Requests::default();
    assert_eq!(requests.take(&dhcp(1, 9, [0; 4], REQUEST)), Ok(None));
    let told = requests.take(&dhcp(2, 9, [192, 168, 1, 80], ACK)).unwrap().unwrap();
    assert_eq!((told.address, told.name), (address("192.168.1.80"), name("printer-1")));
    assert_eq!((told.source, told.used_by, told.ttl_s), (NameSource::Dhcp, None, 3_600));
}

#[test]
fn an_answer_to_somebody_else_names_nobody() {
    let mut requests = Requests::default();
    let ack = dhcp(2, 9, [192, 168, 1, 80], ACK);
    assert_eq!(requests.take(&ack), Ok(None), "no request was seen");
    requests.take(&dhcp(1, 9, [0; 4], REQUEST)).unwrap();
    assert_eq!(requests.take(&dhcp(2, 10, [192, 168, 1, 80], ACK)), Ok(None), "another transaction");
    let mut other = ack.clone();
    other[33] = 0x51;
    assert_eq!(requests.take(&other), Ok(None), "another client");
    let offer = dhcp(2, 9, [192, 168, 1, 80], b"\x35\x01\x02\xff");
    assert_eq!(requests.take(&offer), Ok(None), "an offer is not yet an address");
    let ack_without_cookie = [&ack[..236], b"\0\0\0\0", &ack[240..]].concat();
    assert_eq!(requests.take(&ack_without_cookie), Ok(None), "no options");
    assert!(requests.take(&ack).unwrap().is_some());
}

#[test]
fn a_host_name_that_is_none_is_reported_and_forgotten() {
    let mut requests = Requests::default();
    let bad = dhcp(1, 9, [0; 4], b"\x35\x01\x03\x0c\x05a b\n\x1b\xff");
    assert!(requests.take(&bad).is_err());
    assert_eq!(requests.take(&dhcp(2, 9, [192, 168, 1, 80], ACK)), Ok(None));
}

#[test]
fn requests_without_answer_are_forgotten_in_the_end() {
    let mut requests = Requests::default();
    let message = |client: u16| {
        let mut bytes = dhcp(1, 9, [0; 4], REQUEST);
        bytes.splice(32..34, client.to_be_bytes());
        bytes
    };
    let answer = |requests: &mut Requests, client: u16| {
        let mut bytes = dhcp(2, 9, [192, 168, 1, 80], ACK);
        bytes.splice(32..34, client.to_be_bytes());
        requests.take(&bytes).unwrap().is_some()
    };
    for client in 0..2_000 {
        requests.take(&message(client)).unwrap();
    }
    assert!(!answer(&mut requests, 0) && !answer(&mut requests, 975));
    assert!(answer(&mut requests, 976) && answer(&mut requests, 1_999));
}
