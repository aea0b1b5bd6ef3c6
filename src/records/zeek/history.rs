//! What `history` and `conn_state` tell of a connection
//! (<https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html#id-Conn::Info>).
//!
//! The letters of the history are what Zeek saw, capital for the originator, small for the responder; the state is what it
//! made of them. So the letters decide, and the state where there are none.

use crate::model::{Control, Flags};

/// Packets and bytes of payload, where the log counts them.
#[derive(Clone, Copy, Default)]
pub struct Sent {
    pub orig: Option<u64>,
    pub resp: Option<u64>,
    pub orig_payload: Option<u64>,
    pub resp_payload: Option<u64>,
}

impl Sent {
    pub fn packets(self) -> Option<u64> {
        let total = self.orig.unwrap_or_default().saturating_add(self.resp.unwrap_or_default());
        self.orig.or(self.resp).map(|_| total)
    }

    fn has_payload(self) -> bool {
        [self.orig_payload, self.resp_payload].into_iter().flatten().any(|bytes| bytes > 0)
    }
}

/// What was seen of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The client being `src`; where it is not known who was, the originator is.
    pub flags: Flags,
    pub is_opener_known: bool,
    /// The responder opened.
    pub is_turned: bool,
}

impl Seen {
    /// By the first message of ICMP, which the originator sent.
    pub fn of_control(mut self, control: Control) -> Self {
        match control {
            Control::Asks => {}
            Control::Answers => {
                self.is_turned = true;
                self.flags = self.flags.turned();
                self.flags.add(Flags::SRC_FIRST);
            }
            Control::Tells => self.flags.add(Flags::UNTOLD),
        }
        self
    }
}

/// Of TCP; none where nothing of it was seen.
pub fn of_stream(letters: Option<&str>, state: Option<&str>, sent: Sent) -> Option<Seen> {
    match letters {
        Some(letters) => of_letters(letters),
        None => of_state(state, sent),
    }
}

/// The letters of one side in capitals.
struct Side(String);

impl Side {
    fn of(letters: impl Iterator<Item = char>) -> Self {
        // a packet with FIN and RST (I) resets, as any with RST
        Self(
            letters
                .map(|letter| if letter.eq_ignore_ascii_case(&'i') { 'R' } else { letter.to_ascii_uppercase() })
                .collect(),
        )
    }

    fn has(&self, letter: char) -> bool {
        self.0.contains(letter)
    }

    /// Whether it sent anything past the opening. A bad checksum (C) is no word of the sender, a gap (G) none that was seen, and
    /// a SYN with another flag (Q) opens nothing.
    fn spoke(&self) -> bool {
        self.0.contains(['A', 'D', 'F', 'R', 'T', 'W'])
    }

    fn has_data(&self) -> bool {
        self.0.contains(['D', 'T'])
    }

    /// Whether it has shown that it knows of a connection: a reset and a lone FIN may come from anybody.
    fn knows(&self) -> bool {
        self.0.contains(['S', 'H', 'A', 'D', 'T', 'W', 'G'])
    }

    /// Whether it carried something, or its loss was seen.
    fn carried(&self) -> bool {
        self.has_data() || self.has('G')
    }

    /// Whether its resets are all that was seen of it.
    fn only_resets(&self) -> bool {
        self.has('R') && !self.knows() && !self.has('F') && !self.has('Q')
    }
}

/// What an attempt came to that no SYN alone began, or of which none was seen. The letters do not tell a scan from the end of a
/// connection that carried nothing while it was watched, nor whether a reset acknowledges: neither shows that anything is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// It had no answer.
    Unanswered,
    /// Resets answered it, or what was not seen.
    Refused,
}

impl Attempt {
    /// Of the one side, by what the other one sent.
    fn of(one: &Side, other: &Side) -> Option<Self> {
        let opens = one.has('Q') && !one.has('S');
        match () {
            () if other.only_resets() && !one.carried() && !one.has('H') => Some(Self::Refused),
            () if other.0.is_empty() && (one.has('F') || opens) && !one.knows() => Some(Self::Unanswered),
            () => None,
        }
    }
}

fn of_letters(letters: &str) -> Option<Seen> {
    let orig = Side::of(letters.chars().filter(char::is_ascii_uppercase));
    let resp = Side::of(letters.chars().filter(char::is_ascii_lowercase));
    // S is a SYN, H a SYN with ACK
    let [by_orig, by_resp] = [(&orig, &resp), (&resp, &orig)].map(|(one, other)| one.has('S') || other.has('H'));
    if !by_orig
        && !by_resp
        && let Some(attempt) = of_attempt(&orig, &resp)
    {
        return Some(attempt);
    }
    let is_turned = by_resp && !by_orig;
    let (client, server) = if is_turned { (&resp, &orig) } else { (&orig, &resp) };
    let mut flags = Flags::default();
    let is_opener_known = by_orig != by_resp;
    if is_opener_known {
        add(&mut flags, &[(Flags::ASKED, client.has('S')), (Flags::AGREED, server.has('H'))]);
        let is_refusal = client.has('S') && !server.has('H') && server.has('R') && !server.0.contains(['A', 'D', 'F']);
        add(&mut flags, &[(Flags::REFUSED, is_refusal), (Flags::FROM_DST, server.spoke() && !is_refusal)]);
    } else {
        add(&mut flags, &[(Flags::FROM_DST, server.spoke())]);
    }
    let is_closed = client.0.contains(['F', 'R']) || server.0.contains(['F', 'R']) && !flags.has(Flags::REFUSED);
    let has_data = client.has_data() || server.has_data();
    add(&mut flags, &[(Flags::FROM_SRC, client.spoke()), (Flags::CLOSED, is_closed), (Flags::PAYLOAD, has_data)]);
    // streams are met at either side's turn: who was first says something of openings alone
    let is_anything = flags != Flags::default();
    add(&mut flags, &[(Flags::SRC_FIRST, is_opener_known && client.has('S'))]);
    if !is_anything && orig.has('S') && resp.has('S') && !orig.has('H') && !resp.has('H') {
        // both opened, and neither answered: who was first asked
        add(&mut flags, &[(Flags::ASKED, true), (Flags::SRC_FIRST, letters.starts_with('S'))]);
        return Some(Seen { flags, is_opener_known, is_turned });
    }
    is_anything.then_some(Seen { flags, is_opener_known, is_turned })
}

/// An attempt, where that is all that the letters show. Who made it the map decides, for a server that answers one who is gone
/// looks the same.
fn of_attempt(orig: &Side, resp: &Side) -> Option<Seen> {
    let by_orig = Attempt::of(orig, resp);
    let attempt = by_orig.or_else(|| Attempt::of(resp, orig))?;
    let is_refused = attempt == Attempt::Refused;
    let is_by_orig = by_orig.is_some();
    let mut flags = Flags::default();
    add(&mut flags, &[(Flags::REFUSED, is_refused), (Flags::ASKED, !is_refused), (Flags::SRC_FIRST, is_by_orig)]);
    if is_refused {
        add(
            &mut flags,
            &[(Flags::FROM_SRC, is_by_orig && orig.spoke()), (Flags::FROM_DST, !is_by_orig && resp.spoke())],
        );
    }
    Some(Seen { flags, is_opener_known: false, is_turned: false })
}

fn of_state(state: Option<&str>, sent: Sent) -> Option<Seen> {
    const OPEN: [Flags; 4] = [Flags::ASKED, Flags::AGREED, Flags::FROM_SRC, Flags::FROM_DST];
    // a SYN-ACK and what came after it are two packets: Zeek calls a scan that a reset or a FIN ends alike
    let has_agreed = sent.has_payload() || sent.resp.is_none_or(|packets| packets > 1);
    let bits: &[Flags] = match state {
        Some("S0") => &[Flags::ASKED],
        Some("REJ") => &[Flags::ASKED, Flags::REFUSED],
        Some("RSTOS0" | "SH") => &[Flags::ASKED, Flags::FROM_SRC, Flags::CLOSED],
        Some("RSTRH" | "RSTR") if !has_agreed => &[Flags::REFUSED, Flags::SRC_FIRST],
        Some("SHR") if !has_agreed => &[Flags::ASKED],
        Some("S1" | "S2" | "S3" | "SF" | "RSTO" | "RSTR") => &OPEN,
        Some("RSTRH" | "SHR") => &[Flags::AGREED, Flags::FROM_DST, Flags::CLOSED],
        _ => return of_packets(sent).map(|flags| Seen { flags, is_opener_known: false, is_turned: false }),
    };
    let mut flags = Flags::default();
    for bit in bits {
        flags.add(*bit);
    }
    // bytes are told apart by sequence numbers, which one side alone makes up
    let has_data = flags.has(Flags::AGREED) && sent.has_payload();
    let is_first = flags.has(Flags::ASKED);
    add(&mut flags, &[(Flags::PAYLOAD, has_data), (Flags::SRC_FIRST, is_first)]);
    Some(Seen { flags, is_opener_known: true, is_turned: false })
}

/// Of UDP and of protocols without ports: who was first is who asked, which the map weighs with all else. Zeek has exchanged
/// the ends where `^` says so.
pub fn of_datagrams(letters: Option<&str>, state: Option<&str>, sent: Sent) -> Option<Seen> {
    let letters = letters.unwrap_or_default();
    let mut flags = of_packets(sent).unwrap_or_default();
    let is_counted = sent.packets().is_some();
    let by_word = |letter, states: [&str; 2]| letters.contains(letter) || state.is_some_and(|it| states.contains(&it));
    let from = [by_word('D', ["SF", "S0"]), by_word('d', ["SF", "SHR"])].map(|is| is && !is_counted);
    add(&mut flags, &[(Flags::FROM_SRC, from[0]), (Flags::FROM_DST, from[1])]);
    if flags == Flags::default() {
        return None;
    }
    let is_first = !letters.starts_with('^') && flags.has(Flags::FROM_SRC);
    add(&mut flags, &[(Flags::PAYLOAD, true), (Flags::SRC_FIRST, is_first)]);
    Some(Seen { flags, is_opener_known: false, is_turned: false })
}

fn of_packets(sent: Sent) -> Option<Flags> {
    let some = |packets: Option<u64>| packets.is_some_and(|packets| packets > 0);
    let mut flags = Flags::default();
    add(&mut flags, &[(Flags::FROM_SRC, some(sent.orig)), (Flags::FROM_DST, some(sent.resp))]);
    let is_any = flags != Flags::default();
    add(&mut flags, &[(Flags::PAYLOAD, is_any && sent.has_payload())]);
    is_any.then_some(flags)
}

fn add(flags: &mut Flags, bits: &[(Flags, bool)]) {
    bits.iter().filter(|(_, is_set)| *is_set).for_each(|(bit, _)| flags.add(*bit));
}
