//! LDAP (RFC 4511), SMB (MS-CIFS, MS-SMB2) and Remote Desktop (MS-RDPBCGR).

use super::{Message, Sent, ber::Ber, contains};
use crate::model::{Application, Protection};

/// Tags of LDAP: a sequence, a number, text, a choice; operations.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;
/// How a client proves itself: by a password, or by SASL, which may encrypt what follows.
const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
/// The extended operation that asks for TLS (RFC 4511, section 4.14).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// A request that fills its packet: a bind, a search, or one to start TLS.
pub fn ldap(sent: Sent<'_>) -> Option<Message> {
    let mut message = Ber(sent.data);
    let length = message.open(SEQUENCE)?;
    let header = sent.data.len().checked_sub(message.0.len())?;
    if !sent.is_of(header.checked_add(length)?) || message.take(INTEGER)?.len() > 4 {
        return None;
    }
    let protection = match message.tag()? {
        BIND => bind(message)?,
        SEARCH => search(message)?,
        EXTENDED if contains(message.0.get(..64).unwrap_or(message.0), START_TLS) => Protection::Undecided,
        _ => return None,
    };
    Some(Message::request(Application::Ldap, protection))
}

/// Version 3, a name, and how to prove it.
fn bind(mut message: Ber<'_>) -> Option<Protection> {
    message.open(BIND)?;
    let version = message.take(INTEGER)?;
    let _name = message.take(OCTETS)?;
    match message.tag()? {
        SIMPLE if version == [3] => Some(Protection::Clear),
        SASL if version == [3] => Some(Protection::Undecided),
        _ => None,
    }
}

/// Where, how deep, and whether over aliases. To ask the server what it is able to do comes before a bind that encrypts.
fn search(mut message: Ber<'_>) -> Option<Protection> {
    message.open(SEARCH)?;
    let base = message.take(OCTETS)?;
    let scope = message.take(ENUMERATED)?;
    let aliases = message.take(ENUMERATED)?;
    let is_search = matches!(scope, [0..=3]) && matches!(aliases, [0..=3]) && message.take(INTEGER).is_some();
    let is_of_server = base.is_empty() && *scope == [0];
    is_search.then_some(if is_of_server { Protection::Undecided } else { Protection::Clear })
}

/// The same in a datagram, where nothing encrypts what follows.
pub fn cldap(sent: Sent<'_>) -> Option<Message> {
    ldap(sent).map(|message| Message { protection: Protection::Clear, ..message })
}

/// Commands of SMB 2 and 3 that tell nothing of whether a share is encrypted: to negotiate, to log on and off, to connect and
/// part, to control - where a share is, whether what was negotiated holds - to cancel, and whether somebody is there. Where a
/// share is not encrypted, what else is done with it says so.
const SMB2_UNDECIDED: [u8; 8] = [0, 1, 2, 3, 4, 0x0b, 0x0c, 0x0d];
/// The command of SMB 1 before which that is open: it never encrypts, but may become SMB 2.
const SMB1_NEGOTIATE: u8 = 0x72;

/// A message behind its length (RFC 1002, section 4.3.1).
pub fn smb(sent: Sent<'_>) -> Option<Message> {
    let is_whole = *sent.data.first()? == 0 && sent.be24(1)?.checked_add(4)? == sent.bytes;
    match sent.data.get(4..).filter(|_| is_whole)? {
        // the size of its header, then credits, a status, the command and flags; the lowest says who answers
        [0xfe, b'S', b'M', b'B', 64, 0, _, _, _, _, _, _, command, 0, _, _, flags, ..] => {
            let is_open = SMB2_UNDECIDED.contains(command);
            let protection = if is_open { Protection::Undecided } else { Protection::Clear };
            (*command <= 0x13).then_some(Message::of(flags & 1 != 0, Application::Smb, protection))
        }
        [0xff, b'S', b'M', b'B', command, _, _, _, _, flags, ..] => {
            let protection = if *command == SMB1_NEGOTIATE { Protection::Undecided } else { Protection::Clear };
            Some(Message::of(flags & 0x80 != 0, Application::Smb, protection))
        }
        // a message within: who sent it cannot be seen
        [0xfd, b'S', b'M', b'B', ..] if sent.bytes >= 56 => {
            Some(Message::either(Application::Smb, Protection::Encrypted))
        }
        _ => None,
    }
}

/// A request to connect, and the server's consent, each with what is to protect it: that begins later.
pub fn rdp(sent: Sent<'_>) -> Option<Message> {
    // TPKT and X.224: lengths, the kind, a reference to nobody yet, class 0
    let is_whole = sent.be16(2)? == sent.bytes && sent.data.len() == sent.bytes;
    let (is_answer, rest) = match sent.data {
        [3, 0, _, _, length, 0xe0, 0, 0, _, _, 0, rest @ ..] if usize::from(*length) + 5 == sent.bytes => (false, rest),
        [3, 0, _, _, length, 0xd0, 0, 0, _, _, 0, rest @ ..] if usize::from(*length) + 5 == sent.bytes => (true, rest),
        _ => return None,
    };
    let (kind, negotiation) = (u8::from(is_answer) + 1, rest.last_chunk::<8>()?);
    let is_negotiation = matches!(negotiation, [it, _, 8, 0, 0..=0x1f, 0, 0, 0] if *it == kind);
    (is_whole && is_negotiation).then_some(Message::of(is_answer, Application::Rdp, Protection::Undecided))
}
