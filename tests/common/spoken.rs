//! First bytes of what applications speak.

/// A request in clear text.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// How a client of `PostgreSQL` asks for TLS.
pub const SSL_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";

/// A record of data of TLS.
pub fn tls_data() -> Vec<u8> {
    [&[23, 3, 3, 0, 40][..], &[9; 40]].concat()
}

/// A `ClientHello` without extensions.
pub fn client_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    let length = u8::try_from(body.len()).expect("a short one");
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}
