//! What it takes to read a capture, to decode it and to hold its connections, without the store:
//! `packets [--alone | --libpcap] FILE`. With `--alone` names and links are left out as well, with `--libpcap` the packets are
//! only read. Prints how many packets and traces there were; `make bench` times the process.

use std::{env, fs::File, process::ExitCode};

use flowmap::{
    capture::{Batch, Frame, file::CaptureReader},
    connection::{Arrivals, Limits, Tracker, end_some},
    decode::{Options, common, decode},
    intake::Intake,
    model::Observation,
};

/// As an import does: traces of ended connections that are held before they are taken out.
const MAX_WAITING: usize = 262_144;

/// Packets that are decoded before they go to their connections.
const AT_ONCE: usize = 256;

fn main() -> ExitCode {
    // `cargo bench` gives a flag of its own
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [path] => whole(path),
        [flag, path] if flag == "--alone" => alone(path),
        #[cfg(feature = "cli")]
        [flag, path] if flag == "--libpcap" => libpcap(path),
        _ => println!("packets: names no capture, nothing to measure"),
    }
    ExitCode::SUCCESS
}

fn traces(rows: &[Observation]) -> u64 {
    rows.iter().map(|row| row.traces.total()).sum()
}

fn reader(path: &str) -> CaptureReader<File> {
    CaptureReader::new(File::open(path).expect("a capture")).expect("a capture")
}

/// All that an import takes in.
fn whole(path: &str) {
    let mut reader = reader(path);
    let mut intake = Intake::of_batches(Limits::default());
    let mut count = 0;
    while intake.take_batches(MAX_WAITING, |batch| reader.fill(batch)).expect("whole frames") {
        count += traces(&intake.drain());
    }
    count += traces(&intake.drain());
    let (packets, decoded) = (intake.counts().packets, intake.counts().decoded);
    count += traces(&intake.finish());
    println!("{path}: {packets} packets, {decoded} decoded, {count} traces");
}

/// Reading, decoding and the connection table, in one thread.
fn alone(path: &str) {
    let mut reader = reader(path);
    let mut tracker = Tracker::new(Limits::default());
    let mut batch = Batch::default();
    let mut some = Arrivals::default();
    let options = Options::default();
    let (mut packets, mut decoded, mut count) = (0, 0u64, 0);
    loop {
        reader.fill(&mut batch).expect("whole frames");
        if batch.is_empty() {
            break;
        }
        packets += batch.len();
        for from in (0..batch.len()).step_by(AT_ONCE) {
            let frames = batch.range(from..(from + AT_ONCE).min(batch.len()));
            some.clear();
            for (number, frame) in (0..).zip(frames) {
                match common(&frame, &options) {
                    Some(packet) => {
                        decoded += 1;
                        some.push(number, frame.time, &packet);
                    }
                    None => decoded += push_uncommon(&mut some, number, &frame),
                }
            }
            tracker.ingest_all(&some, |_| ());
        }
        if tracker.waiting() > MAX_WAITING {
            count += traces(&tracker.drain());
        }
    }
    loop {
        let rows = end_some(std::slice::from_mut(&mut tracker));
        if rows.is_empty() {
            break;
        }
        count += traces(&rows);
    }
    println!("{path}: {packets} packets, {decoded} decoded, {count} traces");
}

/// A frame that is not a common one, out of the way of those that are; whether it held a packet.
#[cold]
fn push_uncommon(some: &mut Arrivals, number: u32, frame: &Frame<'_>) -> u64 {
    let packet = decode(frame);
    if let Ok(packet) = &packet {
        some.push(number, frame.time, packet);
    }
    packet.is_ok().into()
}

/// A loop over libpcap: what reading costs by itself.
#[cfg(feature = "cli")]
fn libpcap(path: &str) {
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let (mut packets, mut bytes) = (0u64, 0u64);
    while let Ok(packet) = capture.next_packet() {
        packets += 1;
        bytes += u64::from(packet.data.last().copied().unwrap_or_default());
    }
    println!("{path}: {packets} packets, {bytes}");
}
