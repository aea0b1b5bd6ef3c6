//! SMTP (RFC 5321), IMAP (RFC 9051), POP3 (RFC 1939) and FTP (RFC 959, RFC 2428). A greeting does not say yet whether TLS
//! follows (RFC 3207, RFC 2595, RFC 4217); content does.

use super::{Message, Sent, contains};
use crate::model::{Application, Protection};

/// A greeting that names the protocol, a client's, or the beginning of a mail.
pub fn smtp(sent: Sent<'_>) -> Option<Message> {
    let is_it = [&b"220"[..], b"EHLO ", b"HELO ", b"MAIL FROM:<"].iter().any(|word| sent.data.starts_with(word));
    let line = if is_it { sent.line()? } else { return None };
    if is_greeting(line) {
        return contains(line, b"SMTP").then_some(Message::answer(Application::Smtp, Protection::Undecided));
    }
    let is_line = sent.is_of(line.len() + 2) && line.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let is_hello = line.len() > 5 && (line.starts_with(b"EHLO ") || line.starts_with(b"HELO "));
    // other commands may follow in the same segment (RFC 2920)
    let is_mail = line.starts_with(b"MAIL FROM:<") && line.contains(&b'>');
    match () {
        () if is_mail => Some(Message::request(Application::Smtp, Protection::Clear)),
        () if is_line && is_hello => Some(Message::request(Application::Smtp, Protection::Undecided)),
        () => None,
    }
}

/// A greeting that names the protocol, or where data is to be had.
pub fn ftp(sent: Sent<'_>) -> Option<Message> {
    let line = sent.line()?;
    if is_greeting(line) {
        return contains(line, b"FTP").then_some(Message::answer(Application::Ftp, Protection::Undecided));
    }
    let places = [&b"227 Entering Passive Mode ("[..], b"229 Entering Extended Passive Mode (|||"];
    let is_place = places.iter().any(|place| line.starts_with(place));
    is_place.then_some(Message::answer(Application::Ftp, Protection::Clear))
}

fn is_greeting(line: &[u8]) -> bool {
    line.starts_with(b"220 ") || line.starts_with(b"220-")
}

/// A greeting that names the protocol, or what a mailbox holds.
pub fn imap(sent: Sent<'_>) -> Option<Message> {
    let line = sent.line()?;
    if line.starts_with(b"* OK ") && contains(line, b"IMAP4") {
        return Some(Message::answer(Application::Imap, Protection::Undecided));
    }
    let is_content = line.starts_with(b"* FLAGS (\\") || line.starts_with(b"* LIST (\\");
    is_content.then_some(Message::answer(Application::Imap, Protection::Clear))
}

/// A greeting that names the protocol.
pub fn pop3(sent: Sent<'_>) -> Option<Message> {
    let line = sent.line()?;
    let is_greeting = line.starts_with(b"+OK ") && contains(line, b"POP3");
    is_greeting.then_some(Message::answer(Application::Pop3, Protection::Undecided))
}
