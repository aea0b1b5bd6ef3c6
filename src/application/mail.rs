//! SMTP (RFC 5321), IMAP (RFC 9051), POP3 (RFC 1939) and FTP (RFC 959, RFC 2428). A greeting does not say yet whether TLS
//! follows (RFC 3207, RFC 2595, RFC 4217); content does. Commands are in letters of either case.

use super::{Message, Sent, contains};
use crate::model::{Application, Protection};

/// A greeting that names the protocol, a client's, or the beginning of a mail.
pub fn smtp(sent: Sent<'_>) -> Option<Message> {
    let is_it = [&b"220"[..], b"EHLO ", b"HELO ", b"MAIL FROM:"].iter().any(|word| begins(sent.data, word));
    let line = if is_it { sent.line()? } else { return None };
    if is_greeting(line) {
        return contains(line, b"SMTP").then_some(Message::answer(Application::Smtp, Protection::Undecided));
    }
    let is_line = sent.is_of(line.len() + 2) && line.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let is_hello = line.len() > 5 && (begins(line, b"EHLO ") || begins(line, b"HELO "));
    // other commands may follow in the same segment (RFC 2920); a blank before the address is not allowed, and taken
    let sender = line.get(10..).filter(|_| begins(line, b"MAIL FROM:")).unwrap_or_default().trim_ascii_start();
    let is_mail = sender.starts_with(b"<") && sender.contains(&b'>');
    match () {
        () if is_mail => Some(Message::request(Application::Smtp, Protection::Clear)),
        () if is_line && is_hello => Some(Message::request(Application::Smtp, Protection::Undecided)),
        () => None,
    }
}

/// Whether it begins with a word, in letters of either case.
fn begins(data: &[u8], word: &[u8]) -> bool {
    data.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// A client's command that no other protocol has, alone in its segment. Greetings need not name their protocol; whoever wants
/// TLS says so by one of these first.
pub fn command(sent: Sent<'_>) -> Option<Message> {
    const COMMANDS: [(&[u8], Application, Protection); 5] = [
        (b"CAPA\r\n", Application::Pop3, Protection::Undecided),
        (b"STLS\r\n", Application::Pop3, Protection::Undecided),
        (b"UIDL\r\n", Application::Pop3, Protection::Clear),
        (b"AUTH TLS\r\n", Application::Ftp, Protection::Undecided),
        (b"AUTH SSL\r\n", Application::Ftp, Protection::Undecided),
    ];
    let is_it = |(command, ..): &&(&[u8], _, _)| sent.data.eq_ignore_ascii_case(command) && sent.is_of(command.len());
    COMMANDS.iter().find(is_it).map(|(_, application, protection)| Message::request(*application, *protection))
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
    // greetings need not name it; what the server is able to do must
    let is_name = (line.starts_with(b"* OK ") || line.starts_with(b"* CAPABILITY ")) && contains(line, b"IMAP4");
    if is_name {
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
