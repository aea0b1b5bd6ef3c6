//! AMQP (0-9-1, section 4.2.2; 1.0, section 2.2), NATS (<https://docs.nats.io/reference/reference-protocols/nats-protocol>),
//! MQTT (5.0, section 3.1) and Kafka (<https://kafka.apache.org/protocol>).

use super::{Message, Sent};
use crate::model::{Application, Protection};

/// AMQP and NATS, which begin with letters.
pub fn text(sent: Sent<'_>) -> Option<Message> {
    amqp(sent).or_else(|| nats(sent))
}

/// The header alone: of 0-9-1 from the client, of 1.0 from both. It may ask for TLS.
fn amqp(sent: Sent<'_>) -> Option<Message> {
    match sent.data.strip_prefix(b"AMQP").filter(|_| sent.is_of(8))? {
        [0, 0, 9, 1] => Some(Message::request(Application::Amqp, Protection::Clear)),
        [0 | 3, 1, 0, 0] => Some(Message::either(Application::Amqp, Protection::Clear)),
        [2, 1, 0, 0] => Some(Message::either(Application::Amqp, Protection::Undecided)),
        _ => None,
    }
}

/// What the server tells of itself, which may be that it wants TLS, and what the client tells.
fn nats(sent: Sent<'_>) -> Option<Message> {
    let is_it = sent.data.starts_with(b"INFO {") || sent.data.starts_with(b"CONNECT {");
    let line = if is_it { sent.line()? } else { return None };
    let has = |text: &[u8]| super::contains(line, text);
    if line.starts_with(b"INFO {") && line.ends_with(b"}") && has(b"\"server_id\"") {
        return Some(Message::answer(Application::Nats, Protection::Undecided));
    }
    let is_connect = line.starts_with(b"CONNECT {") && line.ends_with(b"}") && has(b"\"verbose\"");
    is_connect.then_some(Message::request(Application::Nats, Protection::Clear))
}

/// CONNECT, of which the length fits.
pub fn mqtt(sent: Sent<'_>) -> Option<Message> {
    let (length, body) = remaining(sent.data.strip_prefix(&[0x10])?)?;
    let is_it =
        matches!(body, [0, 4, b'M', b'Q', b'T', b'T', 4 | 5, ..] | [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, ..]);
    let header = sent.data.len().checked_sub(body.len())?;
    let fits = sent.is_of(header.checked_add(length)?);
    (is_it && fits).then_some(Message::request(Application::Mqtt, Protection::Clear))
}

/// A length of one to four bytes, the lowest seven bits first (section 1.5.5).
fn remaining(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (n, byte) in data.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((length, data.get(n + 1..)?));
        }
    }
    None
}

/// The highest key of a request, and the highest version of one, with room for some more.
const MAX_KEY: usize = 96;
const MAX_VERSION: usize = 24;
/// The longest name of a client that is looked for.
const MAX_CLIENT_BYTES: usize = 128;
/// The shortest: `ZooKeeper` numbers transactions where Kafka has the length of the name.
const MIN_CLIENT_BYTES: usize = 3;

/// A request that fills its segment: its length, its key and version, a number, and the client's name.
pub fn kafka(sent: Sent<'_>) -> Option<Message> {
    let is_whole = usize::try_from(sent.be32(0)?).ok()?.checked_add(4)? == sent.bytes;
    let is_known = sent.be16(4)? <= MAX_KEY && sent.be16(6)? <= MAX_VERSION && sent.be32(8)? <= i32::MAX.unsigned_abs();
    let length = sent.be16(12).filter(|length| (MIN_CLIENT_BYTES..=MAX_CLIENT_BYTES).contains(length))?;
    let is_named = sent.data.get(14..14 + length)?.iter().all(u8::is_ascii_graphic);
    (is_whole && is_known && is_named).then_some(Message::request(Application::Kafka, Protection::Clear))
}
