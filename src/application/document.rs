//! `MongoDB` (<https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>).

use super::{Message, Sent};
use crate::model::{Application, Protection};

/// Kinds of messages.
const OP_QUERY: u32 = 2_004;
const OP_COMPRESSED: u32 = 2_012;
const OP_MSG: u32 = 2_013;

/// Bytes of the header.
const HEADER_BYTES: usize = 16;
/// Flags of [`OP_MSG`] that are defined: a checksum, more to come, exhaust.
const FLAGS: u32 = 0x0001_0003;
/// Compressors: none, snappy, zlib, zstd.
const MAX_COMPRESSOR: u8 = 3;

/// A message that fills its segment.
pub fn mongodb(sent: Sent<'_>) -> Option<Message> {
    let bytes = usize::try_from(sent.le32(0)?).ok().filter(|bytes| sent.is_of(*bytes))?;
    let is_answer = sent.le32(8)? != 0;
    let is_message = match sent.le32(12)? {
        OP_MSG => is_body(sent, bytes)?,
        OP_QUERY => is_query(sent)? && !is_answer,
        OP_COMPRESSED => matches!(sent.le32(HEADER_BYTES)?, OP_QUERY | OP_MSG) && *sent.data.get(24)? <= MAX_COMPRESSOR,
        _ => false,
    };
    is_message.then_some(Message::of(is_answer, Application::Mongodb, Protection::Clear))
}

/// Flags, a zero for the kind of the section, and a document that fits.
fn is_body(sent: Sent<'_>, bytes: usize) -> Option<bool> {
    let document = usize::try_from(sent.le32(21)?).ok()?;
    let has_flags = sent.le32(HEADER_BYTES)? & !FLAGS == 0;
    Some(has_flags && *sent.data.get(20)? == 0 && document >= 5 && document <= bytes.saturating_sub(21))
}

/// Flags, and the name of a collection that is asked for commands.
fn is_query(sent: Sent<'_>) -> Option<bool> {
    const MAX_NAME_BYTES: usize = 128;
    let name = sent.data.get(20..)?;
    let end = name.iter().take(MAX_NAME_BYTES).position(|byte| *byte == 0)?;
    Some(sent.le32(HEADER_BYTES)? <= 0xff && name.get(..end)?.ends_with(b".$cmd"))
}
