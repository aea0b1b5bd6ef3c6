//! What a million TCP connections at one time cost: memory, and packets a second. Exits with 1 where they take more than
//! [`LIMIT_MB`]. Linux alone tells.

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::{Command, ExitCode},
    time::Instant,
};

use flowmap::{
    connection::{Limits, Tracker},
    decode::{Packet, TcpFlags, Transport, TunnelStack},
    model::{Protocol, Timestamp, VlanStack},
};

const CONNECTIONS: u32 = 1_000_000;
/// What they may take, in megabytes of 10^6 bytes.
const LIMIT_MB: f64 = 150.0;
/// Packets of one connection: its opening, a request and an answer.
const PACKETS: usize = 5;
/// All packets come within an hour.
const PACKET_INTERVAL_NS: i64 = 600_000;

/// What is measured, each in a process of its own: memory that one gave back would be taken by the next.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    is_v6: bool,
    /// Places that every packet is seen at.
    places: u32,
    is_limited: bool,
}

const CASES: [Case; 4] = [
    Case { name: "ipv4", is_v6: false, places: 1, is_limited: true },
    Case { name: "ipv6", is_v6: true, places: 1, is_limited: true },
    Case { name: "ipv4-two-places", is_v6: false, places: 2, is_limited: false },
    Case { name: "ipv6-two-places", is_v6: true, places: 2, is_limited: false },
];

fn main() -> ExitCode {
    let wanted = env::args().nth(1).and_then(|name| CASES.iter().find(|case| case.name == name));
    if let Some(case) = wanted {
        return case.measure();
    }
    println!("{CONNECTIONS} TCP connections at one time, {PACKETS} packets each; at most {LIMIT_MB:.0} MB");
    let is_within = |case: &Case| {
        let program = env::current_exe().expect("a path to this program");
        Command::new(program).arg(case.name).status().is_ok_and(|status| status.success())
    };
    let results: Vec<bool> = CASES.iter().map(is_within).collect();
    if results.iter().all(|it| *it) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Case {
    fn measure(self) -> ExitCode {
        // one more than are held: a full table writes some of them out
        let limits = Limits { connections: CONNECTIONS as usize + 1, ..Limits::default() };
        let mut tracker = Tracker::new(limits);
        let before_mb = memory_mb("VmRSS:");
        let started = Instant::now();
        let mut packets: u32 = 0;
        for number in 0..CONNECTIONS {
            for n in 0..PACKETS {
                let time = Timestamp(i64::from(packets / self.places) * PACKET_INTERVAL_NS);
                for place in 0..self.places {
                    tracker.ingest(time, &self.packet(number, n, place));
                    packets += 1;
                }
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let (taken_mb, peak_mb) = (memory_mb("VmRSS:") - before_mb, memory_mb("VmHWM:") - before_mb);
        assert_eq!((tracker.live(), tracker.bounds().len()), (CONNECTIONS as usize, 0), "all are held");
        let rate = f64::from(packets) / seconds / 1e6;
        let verdict = match (self.is_limited, taken_mb <= LIMIT_MB) {
            (false, _) => "",
            (true, true) => ", within the limit",
            (true, false) => ", OVER THE LIMIT",
        };
        println!("{:16} {taken_mb:6.1} MB (peak {peak_mb:.1}), {rate:5.2} million packets/s{verdict}", self.name);
        if verdict.contains("OVER") { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// The packet with this place in its connection: SYN, SYN-ACK, ACK, request, answer.
    fn packet(self, number: u32, n: usize, place: u32) -> Packet<'static> {
        let [client, server] = self.ends(number);
        let (number_a, number_b) = (number.wrapping_mul(2_654_435_761) | 1, number.wrapping_mul(2_246_822_519) | 2);
        let (a, b) = (number_a.wrapping_add(1), number_b.wrapping_add(1));
        let (is_reply, flags, sequence, acknowledgment, data_bytes) = match n {
            0 => (false, 0x02, number_a, 0, 0),
            1 => (true, 0x12, number_b, a, 0),
            2 => (false, 0x10, a, b, 0),
            3 => (false, 0x18, a, b, 200),
            _ => (true, 0x18, b, a.wrapping_add(200), 1_400),
        };
        let [src, dst] = if is_reply { [server, client] } else { [client, server] };
        Packet {
            vlans: VlanStack::default(),
            tunnels: TunnelStack::default(),
            point: place,
            src: src.0,
            dst: dst.0,
            protocol: Protocol::TCP,
            hop_limit: 64,
            ip_id: 0,
            ip_bytes: 40 + data_bytes,
            is_broadcast: false,
            fragment: None,
            transport: Transport::Tcp {
                src_port: src.1,
                dst_port: dst.1,
                sequence,
                acknowledgment,
                flags: Some(TcpFlags(flags)),
                data_bytes,
                data: &[],
            },
        }
    }

    /// Client and server: twenty thousand clients with fifty connections each, to two hundred servers.
    fn ends(self, number: u32) -> [(IpAddr, u16); 2] {
        let (host, port) = (number / 50, 40_000 + u16::try_from(number % 50).unwrap_or(0));
        let [client, server] = [0x0a00_0000 + host, 0x0aff_0000 + number % 200].map(|address| -> IpAddr {
            if self.is_v6 {
                Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(address)).into()
            } else {
                Ipv4Addr::from_bits(address).into()
            }
        });
        [(client, port), (server, 443)]
    }
}

/// A figure of this process, in megabytes.
fn memory_mb(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a figure in kB");
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1_024.0 / 1e6
}
