//! The server name in a TLS `ClientHello` (RFC 8446, section 4.1.2; RFC 6066, section 3). With Encrypted Client Hello it
//! is that of the provider's front, which cannot be told from any other.

use super::bytes::Bytes;

/// Content type of handshake records.
const HANDSHAKE: u8 = 22;
/// Handshake type of a `ClientHello`.
const CLIENT_HELLO: u8 = 1;
/// The extension that holds the name, and the only type of name in it.
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// Content type, version and length of a record.
const RECORD_HEAD_BYTES: usize = 5;
/// Version, random.
const FIXED_BYTES: usize = 2 + 32;

/// The name that a segment asks for, where it begins with a `ClientHello` and holds the whole name. What lies behind the
/// name may be missing: hellos with post-quantum keys need two segments.
pub(super) fn server_name(data: &[u8]) -> Option<&[u8]> {
    let mut extensions = extensions(data)?;
    loop {
        let kind = extensions.be16()?;
        let length = extensions.be16()?.into();
        let extension = extensions.take(length)?;
        if kind == SERVER_NAME {
            let mut names = Bytes(extension);
            let _list_bytes = names.be16()?;
            let is_host = names.byte()? == HOST_NAME;
            let length = names.be16()?.into();
            return names.take(length).filter(|_| is_host);
        }
    }
}

/// Whether a segment begins with a `ClientHello` that goes on behind it, or was captured in part.
pub(super) fn is_cut(data: &[u8]) -> bool {
    let [HANDSHAKE, 3, _, high, low, CLIENT_HELLO, ..] = *data else { return false };
    data.len() < RECORD_HEAD_BYTES + usize::from(u16::from_be_bytes([high, low]))
}

/// The extensions of a `ClientHello`, as far as they lie in the first record and were captured.
fn extensions(data: &[u8]) -> Option<Bytes<'_>> {
    let mut record = Bytes(data);
    let is_handshake = record.byte()? == HANDSHAKE && record.byte()? == 3;
    let _minor_version = record.byte()?;
    let length = record.be16()?.into();
    let mut record = record.take_up_to(length);
    if !is_handshake || record.byte()? != CLIENT_HELLO {
        return None;
    }
    let [high, middle, low] = *record.take(3)? else { return None };
    let length = u32::from_be_bytes([0, high, middle, low]);
    let mut hello = record.take_up_to(usize::try_from(length).ok()?);
    hello.take(FIXED_BYTES)?;
    let session_bytes = hello.byte()?.into();
    hello.take(session_bytes)?;
    let cipher_bytes = hello.be16()?.into();
    hello.take(cipher_bytes)?;
    let compression_bytes = hello.byte()?.into();
    hello.take(compression_bytes)?;
    let length = hello.be16()?.into();
    Some(hello.take_up_to(length))
}
