//! HTTP/1 (RFC 9112), HTTP/2 in clear (RFC 9113), SIP (RFC 3261), the banner of SSH (RFC 4253) and the header of XMPP
//! (RFC 6120).

use super::{Message, Sent};
use crate::model::{Application, Protection};

/// What HTTP/2 begins with where both sides know that they speak it (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest method that is looked for; registered ones have up to 17 (RFC 9110, section 16.1).
const MAX_METHOD_BYTES: usize = 20;

/// A request, an answer, or the preface of HTTP/2.
pub fn http(sent: Sent<'_>) -> Option<Message> {
    if sent.data.starts_with(PREFACE) {
        return Some(Message::request(Application::Http2, Protection::Clear));
    }
    let clear = |is_answer| Message::of(is_answer, Application::Http, Protection::Clear);
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', code @ ..] = sent.data {
        return is_code(code).then_some(clear(true));
    }
    let target = target(sent, &[b" HTTP/1.1", b" HTTP/1.0"])?;
    target.iter().all(u8::is_ascii_graphic).then_some(clear(false))
}

/// A request or an answer of SIP; who asks and who answers changes, as ends call each other.
pub fn sip(sent: Sent<'_>) -> Option<Message> {
    let clear = |is_answer| Message::of(is_answer, Application::Sip, Protection::Clear);
    if let Some(code) = sent.data.strip_prefix(b"SIP/2.0 ") {
        return is_code(code).then_some(clear(true));
    }
    let target = target(sent, &[b" SIP/2.0"])?;
    let is_uri = [&b"sip:"[..], b"sips:", b"tel:"].iter().any(|scheme| target.starts_with(scheme));
    (is_uri && target.iter().all(u8::is_ascii_graphic)).then_some(clear(false))
}

/// Both sides begin with their version.
pub fn ssh(sent: Sent<'_>) -> Option<Message> {
    let versions = [&b"SSH-2.0-"[..], b"SSH-1.99-", b"SSH-1.5-"];
    let name = versions.iter().find_map(|version| sent.data.strip_prefix(*version))?;
    let is_named = name.first().is_some_and(u8::is_ascii_graphic);
    is_named.then_some(Message::either(Application::Ssh, Protection::Encrypted))
}

/// Either side begins with the header of a stream, again once it is encrypted.
pub fn xmpp(sent: Sent<'_>) -> Option<Message> {
    const NAMESPACE: &[u8] = b"http://etherx.jabber.org/streams";
    let is_begun = sent.data.starts_with(b"<?xml ") || sent.data.starts_with(b"<stream:stream ");
    let is_stream = is_begun && sent.holds(b"<stream:stream ") && sent.holds(NAMESPACE);
    is_stream.then_some(Message::either(Application::Xmpp, Protection::Undecided))
}

/// The target of a first line that begins with a method and ends in one of these versions.
fn target<'a>(sent: Sent<'a>, versions: &[&[u8]]) -> Option<&'a [u8]> {
    let end = sent.data.iter().take(MAX_METHOD_BYTES + 1).position(|byte| *byte == b' ')?;
    let is_letter = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-');
    if !sent.data.get(..end)?.iter().all(is_letter) {
        return None;
    }
    let line = sent.line()?;
    let rest = versions.iter().find_map(|version| line.strip_suffix(*version))?;
    rest.get(end + 1..).filter(|target| !target.is_empty())
}

/// Whether an answer's code stands here: three digits that begin with 1 to 6, and a blank or the end of the line.
fn is_code(text: &[u8]) -> bool {
    matches!(text, [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', b' ' | b'\r', ..])
}
