//! Which segments are worth a look: asked of every packet, so that it is told by two looks into tables and a few compares.
//! What most streams carry is as good as random, and a processor that guesses wrong loses more time than these take.

/// Kinds of second bytes, a bit each: a first byte tells which of them may follow.
const THREE: u16 = 1;
const LETTER: u16 = 1 << 1;
const ZERO: u16 = 1 << 2;
const TWO: u16 = 1 << 3;
const BLANK_OR_DIGIT: u16 = 1 << 4;
const O_OR_P: u16 = 1 << 5;
const EITHER_CASE: u16 = 1 << 6;
const ONE: u16 = 1 << 7;
const MARK: u16 = 1 << 8;
const ANY: u16 = 1 << 9;

/// What may follow a first byte.
const FIRST: [u16; 256] = table(false);
/// What a second byte is.
const SECOND: [u16; 256] = table(true);

const fn table(is_second: bool) -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    // made when it is compiled: an index beyond its end would be an error then
    while byte <= u8::MAX as usize {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let kinds = if is_second { second(byte as u8) } else { first(byte as u8) };
        table[byte] = kinds;
        byte += 1;
    }
    table
}

const fn first(byte: u8) -> u16 {
    match byte {
        // TLS
        21..=23 => THREE,
        // HTTP, SSH, AMQP, NATS, SIP, memcached; messages of PostgreSQL
        b'P' | b'Q' | b'R' => LETTER | ZERO,
        // commands in letters of either case: SMTP, POP3, FTP
        b'A' | b'C' | b'E' | b'H' | b'M' | b'S' | b'U' => LETTER | EITHER_CASE,
        // those, and memcached
        b'a' | b'c' | b'e' | b'h' | b'm' | b's' | b'u' => EITHER_CASE,
        b'A'..=b'Z' => LETTER,
        // RDP, SQL Server
        3 => ZERO | ONE,
        // SQL Server
        1 | 4 | 0x12 => ONE,
        // SMTP, FTP
        b'2' => TWO,
        // Redis, IMAP
        b'*' => BLANK_OR_DIGIT,
        // POP3, Redis
        b'+' => O_OR_P,
        // XMPP
        b'<' => MARK,
        // LDAP; MQTT
        0x30 | 0x10 => ANY,
        _ => 0,
    }
}

const fn second(byte: u8) -> u16 {
    ANY | match byte {
        3 => THREE,
        0 => ZERO,
        1 => ONE,
        b'2' => TWO | BLANK_OR_DIGIT,
        b' ' | b'0'..=b'9' => BLANK_OR_DIGIT,
        b'O' | b'P' => O_OR_P | LETTER | EITHER_CASE,
        b'A'..=b'Z' => LETTER | EITHER_CASE,
        b'_' | b'-' => LETTER,
        b's' => EITHER_CASE | MARK,
        b'a'..=b'z' => EITHER_CASE,
        b'?' => MARK,
        _ => 0,
    }
}

/// Whether a segment with these first bytes may be recognised, or its first bytes are its own length.
#[inline]
pub(super) fn may_tell([first, second, third, fourth]: [u8; 4], data_bytes: u32) -> bool {
    let kinds = |table: &[u16; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or_default();
    let is_beginning = kinds(&FIRST, first) & kinds(&SECOND, second) != 0;
    is_beginning || is_framed([first, second, third, fourth], data_bytes)
}

/// Whether the first bytes are the length of the segment, as the frames of many protocols begin: with itself counted
/// (`PostgreSQL`, `MongoDB`) or without (Kafka, SMB), or in three bytes with a number behind (`MySQL`).
#[inline]
fn is_framed(word: [u8; 4], data_bytes: u32) -> bool {
    let (big, little) = (u32::from_be_bytes(word), u32::from_le_bytes(word));
    let rest = data_bytes.wrapping_sub(4);
    big == data_bytes || big == rest || little == data_bytes || little & 0x00ff_ffff == rest
}
