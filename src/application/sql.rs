//! `PostgreSQL` (<https://www.postgresql.org/docs/current/protocol-message-formats.html>), and `MySQL` with `MariaDB`
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>, <https://mariadb.com/kb/en/connection/>), and SQL
//! Server (MS-TDS).

use super::{Message, Sent};
use crate::model::{Application, Protection};

/// What stands in the place of a version where a client asks to encrypt, by TLS or by GSSAPI, or to cancel.
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// Versions 3.0 and 3.2 of the protocol.
const VERSIONS: [u32; 2] = [3 << 16, 3 << 16 | 2];

/// What a client begins with, a query, or how a server wants to be convinced.
pub fn postgresql(sent: Sent<'_>) -> Option<Message> {
    let request = |protection| Some(Message::request(Application::Postgresql, protection));
    let text = sent.data.get(5..);
    match sent.data.first()? {
        0 => {
            let is_whole = usize::try_from(sent.be32(0)?).ok()? == sent.bytes;
            match sent.be32(4).filter(|_| is_whole)? {
                SSL_REQUEST | GSSENC_REQUEST if sent.is_of(8) => request(Protection::Undecided),
                // clients send it in clear beside connections that are encrypted
                CANCEL_REQUEST if matches!(sent.bytes, 16..=268) => request(Protection::Undecided),
                version if VERSIONS.contains(&version) && sent.holds(b"user\0") => request(Protection::Clear),
                _ => None,
            }
        }
        b'Q' if is_one(sent) && is_sql(text?) => request(Protection::Clear),
        // a statement's name, then the statement
        b'P' if size(sent)? <= sent.bytes => {
            let name = text?.iter().position(|byte| *byte == 0)?;
            let (name, query) = text?.split_at_checked(name)?;
            let is_named = name.iter().all(u8::is_ascii_graphic);
            (is_named && is_sql(query.get(1..)?))
                .then_some(Message::request(Application::Postgresql, Protection::Clear))
        }
        b'R' => is_authentication(sent).then_some(Message::answer(Application::Postgresql, Protection::Clear)),
        _ => None,
    }
}

/// How long the first message is, its kind counted.
fn size(sent: Sent<'_>) -> Option<usize> {
    usize::try_from(sent.be32(1)?).ok()?.checked_add(1)
}

/// Whether the segment is one message, which ends in a zero as far as it was captured.
fn is_one(sent: Sent<'_>) -> bool {
    let is_whole = sent.data.len() == sent.bytes;
    size(sent) == Some(sent.bytes) && (!is_whole || sent.data.last() == Some(&0))
}

/// Convinced; a password in clear or under MD5; or SASL by the one mechanism there is.
fn is_authentication(sent: Sent<'_>) -> bool {
    match (sent.be32(1), sent.be32(5)) {
        (Some(8), Some(0 | 3)) => sent.is_of(9) || matches!(sent.data.get(9), Some(b'S')),
        (Some(12), Some(5)) => sent.is_of(13),
        (Some(23..=64), Some(10)) => size(sent) == Some(sent.bytes) && sent.holds(b"SCRAM-SHA-256"),
        _ => false,
    }
}

/// Whether a statement begins here.
fn is_sql(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"SELECT ",
        b"INSERT ",
        b"UPDATE ",
        b"DELETE ",
        b"BEGIN",
        b"COMMIT",
        b"ROLLBACK",
        b"SET ",
        b"SHOW ",
        b"START TRANSACTION",
        b"WITH ",
        b"CREATE ",
        b"DROP ",
        b"SELECT\n",
    ];
    let is_word = |word: &&[u8]| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    WORDS.iter().any(is_word)
}

/// Bits of a client's abilities: to speak as since version 4.1, and to encrypt.
const PROTOCOL_41: u32 = 0x0200;
const SSL: u32 = 0x0800;
/// A request to encrypt ends behind what a response begins with.
const SSL_REQUEST_BYTES: usize = 32;
/// The query command.
const QUERY: u8 = 3;
/// The longest version that is looked for.
const MAX_VERSION_BYTES: usize = 64;

/// A server's greeting, what a client answers it, or a query.
pub fn mysql(sent: Sent<'_>) -> Option<Message> {
    let bytes = sent.le24(0).filter(|bytes| sent.is_of(bytes + 4))?;
    let request = |protection| Some(Message::request(Application::Mysql, protection));
    match sent.data.get(3..)? {
        [0, 10, b'0'..=b'9', ..] if is_greeting(sent) => {
            Some(Message::answer(Application::Mysql, Protection::Undecided))
        }
        [0, QUERY, text @ ..] if is_sql(text) => request(Protection::Clear),
        [1, ..] if bytes >= SSL_REQUEST_BYTES => {
            let abilities = sent.le32(4).filter(|abilities| abilities & PROTOCOL_41 != 0)?;
            // behind the longest packet and the character set; MariaDB uses the last four
            sent.data.get(13..32)?.iter().all(|byte| *byte == 0).then_some(())?;
            let is_clear = abilities & SSL == 0 && bytes > SSL_REQUEST_BYTES;
            request(if is_clear { Protection::Clear } else { Protection::Undecided })
        }
        _ => None,
    }
}

/// Version 10 of the greeting: behind the server's version, which is text, stand 4 bytes of a number, 8 of a scramble and
/// a zero, then abilities and state, and six zeros.
fn is_greeting(sent: Sent<'_>) -> bool {
    let Some(version) = sent.data.get(5..) else { return false };
    let Some(end) = version.iter().take(MAX_VERSION_BYTES).position(|byte| *byte == 0) else { return false };
    let (version, rest) = version.split_at_checked(end).unwrap_or_default();
    let is_zero = |from: usize, to: usize| rest.get(from..to).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    version.iter().all(u8::is_ascii_graphic) && version.contains(&b'.') && is_zero(13, 14) && is_zero(22, 28)
}

/// Kinds of messages of SQL Server: a batch of statements, a call, an answer, and what is agreed on before the login.
const BATCH: u8 = 1;
const CALL: u8 = 3;
const ANSWER: u8 = 4;
const PRELOGIN: u8 = 0x12;
/// What a batch and a call begin with since 2005: the length of their headers, of the first, and its kind, which is that of the
/// transaction (MS-TDS, section 2.2.5.3).
const TRANSACTION: &[u8] = &[22, 0, 0, 0, 18, 0, 0, 0, 2, 0];
/// Options before the login.
const ENCRYPTION: u8 = 1;
const END: u8 = 0xff;
/// The most options that are looked at; there are nine.
const MAX_OPTIONS: usize = 16;

/// What is agreed on before the login, or statements: messages that fill their segment. TLS begins within such messages, and
/// where the login alone is encrypted, one record follows, and then statements in clear (MS-TDS, section 2.2.6.5).
pub fn tds(sent: Sent<'_>) -> Option<Message> {
    let [kind, 1, _, _, _, _, _, 0, content @ ..] = sent.data else { return None };
    if !sent.is_of(sent.be16(2)?) {
        return None;
    }
    match *kind {
        BATCH | CALL if content.starts_with(TRANSACTION) => Some(Message::request(Application::Tds, Protection::Clear)),
        PRELOGIN => encryption(content).map(|_| Message::request(Application::Tds, Protection::Undecided)),
        // off is for all but the login
        ANSWER => encryption(content).map(|wanted| match wanted {
            0 | 2 => Message::answer(Application::Tds, Protection::Clear),
            _ => Message::answer(Application::Tds, Protection::Undecided),
        }),
        _ => None,
    }
}

/// What options before the login say of encryption: the first is always the version, of six bytes.
fn encryption(content: &[u8]) -> Option<u8> {
    if !matches!(content, [0, _, _, 0, 6, ..]) {
        return None;
    }
    let mut options = content.chunks_exact(5).take(MAX_OPTIONS).take_while(|option| option.first() != Some(&END));
    let at = options.find_map(|option| match option {
        [ENCRYPTION, high, low, 0, 1] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    })?;
    content.get(at).map(|wanted| wanted & 0x7f).filter(|wanted| *wanted <= 3)
}
