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
    fn has(&self, letter: char) -> bool {
        self.0.contains(letter)
    }

    /// Whether it sent anything past the opening. A bad checksum (C) is no word of the sender, a gap (G) none that was seen.
    fn spoke(&self) -> bool {
        self.0.contains(['A', 'D', 'F', 'R', 'T', 'W', 'I', 'Q'])
    }

    fn has_data(&self) -> bool {
        self.0.contains(['D', 'T'])
    }
}

fn of_letters(letters: &str) -> Option<Seen> {
    let orig = Side(letters.chars().filter(char::is_ascii_uppercase).collect());
    let resp = Side(letters.chars().filter(char::is_ascii_lowercase).map(|it| it.to_ascii_uppercase()).collect());
    // S is a SYN, H a SYN with ACK
    let [by_orig, by_resp] = [(&orig, &resp), (&resp, &orig)].map(|(one, other)| one.has('S') || other.has('H'));
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
    is_anything.then_some(Seen { flags, is_opener_known, is_turned })
}

fn of_state(state: Option<&str>, sent: Sent) -> Option<Seen> {
    const OPEN: [Flags; 4] = [Flags::ASKED, Flags::AGREED, Flags::FROM_SRC, Flags::FROM_DST];
    let bits: &[Flags] = match state {
        Some("S0") => &[Flags::ASKED],
        Some("S1" | "S2" | "S3" | "SF" | "RSTO" | "RSTR") => &OPEN,
        Some("REJ") => &[Flags::ASKED, Flags::REFUSED],
        Some("RSTOS0" | "SH") => &[Flags::ASKED, Flags::FROM_SRC, Flags::CLOSED],
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
