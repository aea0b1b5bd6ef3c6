//! Zeek's logs of captures, made here as Zeek would make them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::File,
    io::BufReader,
    net::SocketAddr,
};

use flowmap::{
    capture::file::CaptureReader,
    decode::{Packet, Transport, decode},
    model::{Control, Protocol, Timestamp},
};
use serde_json::{Value, json};

/// A connection as Zeek would write it.
pub struct Conn {
    pub protocol: Protocol,
    pub ends: [SocketAddr; 2],
    pub first: Timestamp,
    pub last: Timestamp,
    pub history: String,
    /// Packets and IP bytes of each end.
    pub sent: [(u64, u64); 2],
    pub sequence: u32,
    pub is_broadcast: bool,
    pub number: usize,
    /// The type of its first message of ICMP.
    pub kind: Option<u8>,
}

/// A type of ICMP that says as much as that of the packet.
pub fn kind(packet: &Packet<'_>) -> Option<u8> {
    let Transport::Control(control) = packet.transport else { return None };
    let kinds = match control {
        Control::Asks => [8, 128],
        Control::Answers => [0, 129],
        Control::Tells => [11, 3],
    };
    Some(kinds[usize::from(packet.protocol == Protocol::ICMPV6)])
}

/// What a packet adds to the history, and the number of its SYN.
pub fn letter(packet: &Packet<'_>) -> Option<(char, u32)> {
    Some(match packet.transport {
        Transport::Tcp { flags, data_bytes, sequence, .. } => {
            let flags = flags?;
            let letter = match () {
                () if flags.rst() => 'R',
                () if flags.syn() && flags.ack() => 'H',
                () if flags.syn() => 'S',
                () if flags.fin() => 'F',
                () if data_bytes > 0 => 'D',
                () => 'A',
            };
            (letter, sequence)
        }
        Transport::Udp { .. } => ('D', 0),
        Transport::Other | Transport::Control(_) | Transport::Rest | Transport::Sctp { .. } => ('-', 0),
        Transport::Part { .. } | Transport::Unreachable(_) => return None,
    })
}

pub fn ends(packet: &Packet<'_>) -> [SocketAddr; 2] {
    let ports = match packet.transport {
        Transport::Tcp { src_port, dst_port, .. } | Transport::Udp { src_port, dst_port, .. } => (src_port, dst_port),
        _ => (0, 0),
    };
    [(packet.src, ports.0).into(), (packet.dst, ports.1).into()]
}

/// Hands over the packets of a capture.
pub fn packets(path: &str, mut take: impl FnMut(Timestamp, &Packet<'_>)) {
    let mut reader = CaptureReader::new(BufReader::new(File::open(path).expect("a file"))).expect("a capture");
    while let Ok(Some(frame)) = reader.next_frame() {
        if let Ok(packet) = decode(&frame) {
            take(frame.time, &packet);
        }
    }
}

/// The connections of a capture, with the ends as Zeek has them: the originator sent first, or is who a SYN-ACK answers.
pub fn conns(path: &str) -> Vec<Conn> {
    const IDLE_S: f64 = 60.0;
    let mut all: Vec<Conn> = Vec::new();
    let mut live: BTreeMap<(u8, BTreeSet<SocketAddr>), usize> = BTreeMap::new();
    packets(path, |time, packet| {
        let Some((letter, sequence)) = letter(packet) else { return };
        let ends = ends(packet);
        let key = (packet.protocol.0, BTreeSet::from(ends));
        let known = live.get(&key).copied().filter(|n| {
            let conn = &all[*n];
            let is_new_syn = letter == 'S' && conn.sequence != sequence;
            let is_idle = packet.protocol != Protocol::TCP && time.seconds_since(conn.last) > IDLE_S;
            !is_new_syn && !is_idle
        });
        let n = known.unwrap_or_else(|| {
            let (mut orig, mut history) = (ends, String::new());
            if letter == 'H' {
                orig.reverse();
                history.push('^');
            }
            let (protocol, number) = (packet.protocol, all.len());
            all.push(Conn {
                protocol,
                ends: orig,
                first: time,
                last: time,
                history,
                sent: [(0, 0); 2],
                sequence,
                is_broadcast: packet.is_broadcast,
                number,
                kind: kind(packet),
            });
            live.insert(key, number);
            number
        });
        let conn = &mut all[n];
        let side = usize::from(conn.ends[0] != ends[0]);
        let letter = if side == 0 { letter } else { letter.to_ascii_lowercase() };
        if letter != '-' && !conn.history.contains(letter) {
            conn.history.push(letter);
        }
        conn.last = conn.last.max(time);
        conn.sent[side].0 += 1;
        conn.sent[side].1 += u64::from(packet.ip_bytes);
    });
    all
}

impl Conn {
    fn transport(&self) -> &'static str {
        match self.protocol {
            Protocol::TCP => "tcp",
            Protocol::UDP => "udp",
            Protocol::ICMP | Protocol::ICMPV6 => "icmp",
            _ => "unknown_transport",
        }
    }

    fn seconds(time: i64) -> String {
        format!("{}.{:06}", time / 1_000_000_000, time % 1_000_000_000 / 1_000)
    }

    fn fields(&self) -> [String; 16] {
        let [orig, resp] = self.ends;
        let history = if self.history.is_empty() { "-".into() } else { self.history.clone() };
        [
            Self::seconds(self.first.0),
            format!("C{}", self.number),
            orig.ip().to_string(),
            self.kind.map_or(orig.port(), u16::from).to_string(),
            resp.ip().to_string(),
            resp.port().to_string(),
            self.transport().into(),
            self.protocol.0.to_string(),
            Self::seconds(self.last.0 / 1_000 * 1_000 - self.first.0 / 1_000 * 1_000),
            "OTH".into(),
            history,
            self.sent[0].0.to_string(),
            self.sent[0].1.to_string(),
            self.sent[1].0.to_string(),
            self.sent[1].1.to_string(),
            if self.is_broadcast { "ff:ff:ff:ff:ff:ff" } else { "52:54:00:00:00:01" }.into(),
        ]
    }
}

pub const FIELDS: [&str; 16] = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "ip_proto",
    "duration",
    "conn_state",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "resp_l2_addr",
];

pub fn tsv(conns: &[Conn]) -> String {
    let mut text =
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n".to_owned();
    let _ = writeln!(text, "#fields\t{}", FIELDS.join("\t"));
    for conn in conns {
        let _ = writeln!(text, "{}", conn.fields().join("\t"));
    }
    text + "#close\t2026-09-21-11-00-00\n"
}

pub fn json_lines(conns: &[Conn]) -> String {
    let mut text = String::new();
    for conn in conns {
        let mut object = json!({"_path": "conn", "_write_ts": "2026-09-21T11:00:00.000000Z"});
        for (name, value) in FIELDS.iter().zip(conn.fields()).filter(|(_, value)| value != "-") {
            let number = value.parse::<u64>().map(Value::from).or_else(|_| value.parse::<f64>().map(Value::from));
            object[name] = number.unwrap_or(Value::from(value));
        }
        let _ = writeln!(text, "{object}");
    }
    text
}
