//! TLS (RFC 8446, RFC 5246), DTLS (RFC 6347) and QUIC (RFC 9000, RFC 9369).

use super::{Message, Sent};
use crate::model::{Application, Protection};

/// Content types of records.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Handshake types.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// Bytes before a record's content, and before that of DTLS.
const HEADER_BYTES: usize = 5;
const DTLS_HEADER_BYTES: usize = 13;
/// The longest record: 2^14, and 2,048 for ciphers before TLS 1.3 (RFC 5246, section 6.2.3).
const MAX_RECORD_BYTES: usize = (1 << 14) + 2_048;
/// The shortest that a cipher makes: the check alone takes 16.
const MIN_CIPHERED_BYTES: usize = 16;
/// Where a hello has the length of its session's id: behind the headers of record and handshake, version and random.
const SESSION_AT: usize = HEADER_BYTES + 4 + 2 + 32;
/// The same of DTLS.
const DTLS_SESSION_AT: usize = DTLS_HEADER_BYTES + 12 + 2 + 32;
const MAX_SESSION_BYTES: u8 = 32;

/// A hello, or a record of a connection that was met in its middle. A client's hello only asks: who serves in clear does not
/// accept it. The server's says by which cipher.
pub fn record(sent: Sent<'_>) -> Option<Message> {
    match sent.data {
        [HANDSHAKE, 3, 0..=4, _, _, CLIENT_HELLO, _, _, _, 3, 0..=4, ..] => {
            let (record, handshake) = (sent.be16(3)?, sent.be24(6)?);
            let is_whole = record <= MAX_RECORD_BYTES && handshake + 4 == record && has_session(sent);
            is_whole.then_some(Message::request(Application::Tls, Protection::Undecided))
        }
        [HANDSHAKE, 3, 0..=4, _, _, SERVER_HELLO, _, _, _, 3, 0..=4, ..] => {
            let (record, handshake) = (sent.be16(3)?, sent.be24(6)?);
            let is_whole = record <= MAX_RECORD_BYTES && handshake + 4 <= record && has_session(sent);
            let agreed = agreed(sent, SESSION_AT).filter(|_| is_whole && has_no_compression(sent))?;
            Some(Message::answer(Application::Tls, agreed))
        }
        // an alert in clear is shorter
        [ALERT | APPLICATION_DATA, 3, minor @ 1..=3, ..] => {
            let end = HEADER_BYTES + sent.be16(3).filter(|bytes| is_ciphered(*bytes))?;
            let is_record = sent.is_of(end) || is_next(sent, end, *minor);
            is_record.then_some(Message::either(Application::Tls, Protection::Encrypted))
        }
        _ => None,
    }
}

fn has_session(sent: Sent<'_>) -> bool {
    sent.data.get(SESSION_AT).is_some_and(|bytes| *bytes <= MAX_SESSION_BYTES)
}

/// Whether the method behind the id of the session and the cipher is none: no server has agreed to another since 2012.
fn has_no_compression(sent: Sent<'_>) -> bool {
    let session = sent.data.get(SESSION_AT).copied().unwrap_or_default();
    sent.data.get(SESSION_AT + 1 + usize::from(session) + 2).is_none_or(|method| *method == 0)
}

/// What the cipher of a server's hello does, which stands behind the id of the session.
fn agreed(sent: Sent<'_>, session_at: usize) -> Option<Protection> {
    let session = usize::from(*sent.data.get(session_at)?);
    let cipher = sent.be16(session_at + 1 + session)?;
    Some(if encrypts_nothing(cipher) { Protection::Clear } else { Protection::Encrypted })
}

/// Ciphers that only prove who sent it: those of the registry with NULL in their names (RFC 5246, RFC 4785, RFC 5487, RFC 4492,
/// RFC 5489), and those of TLS 1.3 by hashes alone (RFC 9150).
fn encrypts_nothing(cipher: usize) -> bool {
    matches!(
        cipher,
        0..=2
            | 0x2c..=0x2e
            | 0x3b
            | 0xb0
            | 0xb1
            | 0xb4
            | 0xb5
            | 0xb8
            | 0xb9
            | 0xc001
            | 0xc006
            | 0xc00b
            | 0xc010
            | 0xc015
            | 0xc039..=0xc03b
            | 0xc0b4
            | 0xc0b5
    )
}

fn is_ciphered(bytes: usize) -> bool {
    (MIN_CIPHERED_BYTES..=MAX_RECORD_BYTES).contains(&bytes)
}

/// Whether another record begins here.
fn is_next(sent: Sent<'_>, at: usize, minor: u8) -> bool {
    match sent.data.get(at..) {
        Some([CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3, version, ..]) if *version == minor => {
            sent.be16(at + 3).is_some_and(|bytes| (1..=MAX_RECORD_BYTES).contains(&bytes))
        }
        _ => false,
    }
}

/// What a message of TLS over datagrams tells (RFC 9147).
pub fn datagram(sent: Sent<'_>) -> Option<Message> {
    let bytes = sent.be16(11)?;
    let end = DTLS_HEADER_BYTES + bytes;
    match sent.data {
        // epoch 0: nothing is encrypted yet
        [HANDSHAKE, 254, 253 | 255, 0, 0, ..] if end <= sent.bytes => {
            let (length, offset, part) = (sent.be24(14)?, sent.be24(19)?, sent.be24(22)?);
            let kind = *sent.data.get(DTLS_HEADER_BYTES)?;
            let is_hello = matches!(kind, CLIENT_HELLO | SERVER_HELLO | HELLO_VERIFY_REQUEST);
            let is_whole = offset + part <= length && part + 12 == bytes;
            let protection = match kind {
                SERVER_HELLO if offset == 0 => agreed(sent, DTLS_SESSION_AT)?,
                _ => Protection::Undecided,
            };
            (is_hello && is_whole).then_some(Message::of(kind != CLIENT_HELLO, Application::Dtls, protection))
        }
        [APPLICATION_DATA, 254, 253 | 255, high, low, ..] if [*high, *low] != [0, 0] => {
            (is_ciphered(bytes) && sent.is_of(end)).then_some(Message::either(Application::Dtls, Protection::Encrypted))
        }
        _ => None,
    }
}

/// QUIC's versions 1 and 2.
pub const QUIC_1: [u8; 4] = [0, 0, 0, 1];
pub const QUIC_2: [u8; 4] = [0x6b, 0x33, 0x43, 0xcf];
/// The longest id of a connection in these versions (RFC 9000, section 17.2).
const MAX_ID_BYTES: usize = 20;
/// The shortest content of an Initial: a number, a frame and the check.
const MIN_INITIAL_BYTES: usize = 20;

/// An Initial, with a long header (RFC 9000, section 17.2.2; RFC 9369, section 3.2).
pub fn quic(sent: Sent<'_>) -> Option<Message> {
    let version: [u8; 4] = *sent.data.get(1..)?.first_chunk()?;
    // the two bits that always are set, and the type
    let kind = match version {
        QUIC_1 => 0b1100_0000,
        QUIC_2 => 0b1101_0000,
        _ => return None,
    };
    if sent.data.first()? & 0b1111_0000 != kind {
        return None;
    }
    let mut at = 5;
    for _ in 0..2 {
        let bytes = usize::from(*sent.data.get(at)?);
        at += 1 + Some(bytes).filter(|bytes| *bytes <= MAX_ID_BYTES)?;
    }
    let (token, at) = varint(sent.data, at)?;
    let (length, at) = varint(sent.data, at.checked_add(token)?)?;
    let end = at.checked_add(length)?;
    let is_initial = length >= MIN_INITIAL_BYTES && end <= sent.bytes;
    is_initial.then_some(Message::either(Application::Quic, Protection::Encrypted))
}

/// A number of one to eight bytes, of which the first two bits say how many (RFC 9000, section 16), and where it ends.
fn varint(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *data.get(at)?;
    let bytes = 1usize << (first >> 6);
    let rest = data.get(at + 1..at + bytes)?;
    let number = rest.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte));
    Some((usize::try_from(number).ok()?, at + bytes))
}
