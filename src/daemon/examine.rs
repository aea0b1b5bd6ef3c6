//! What stands in the way of a good capture here, before one starts; each with its cure.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;

use super::{Options, running};
use crate::{
    capture::live::{LiveCapture, LiveError},
    clock,
    decode::{NotDecoded, TunnelStack, decode_with},
    store::{Store, StoreError},
};

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing to do.
    Fine,
    /// It works, but not as it could, or it cannot be told.
    Attention,
    /// There will be no capture, or none to rely on.
    Wrong,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// What is the case.
    pub what: String,
    /// What to do about it.
    pub cure: Option<&'static str>,
}

/// Room below which a disk is soon full.
const LITTLE_ROOM: u64 = 1 << 30;
/// 2024: a clock before it was never set.
const CLOCK_UNSET: u64 = 1_704_067_200;
/// Ethernet with two tags around a packet.
const FRAME_HEAD: u64 = 22;
/// Tunnels that are named.
const MAX_TUNNELS: usize = 5;
/// How far the packets' clock may be from the system's, in seconds.
const CLOCK_APART: f64 = 2.0;

fn fine(check: &'static str, what: impl Into<String>) -> Finding {
    Finding { check, state: State::Fine, what: what.into(), cure: None }
}

fn attention(check: &'static str, what: impl Into<String>, cure: &'static str) -> Finding {
    Finding { check, state: State::Attention, what: what.into(), cure: Some(cure) }
}

fn wrong(check: &'static str, what: impl Into<String>, cure: &'static str) -> Finding {
    Finding { check, state: State::Wrong, what: what.into(), cure: Some(cure) }
}

/// Looks at everything; of the options' interfaces at each, with a capture of this length.
pub async fn examine(options: &Options, trial: Duration) -> Vec<Finding> {
    let mut found = Vec::new();
    for interface in &options.interfaces {
        found.extend(position(interface));
        match LiveCapture::open(interface, &options.live) {
            Ok(capture) => {
                found.push(fine("rights", format!("{interface} can be watched")));
                found.extend(watch(interface, capture, options, trial));
            }
            Err(error) => found.push(refused(interface, &error)),
        }
    }
    found.push(clock());
    found.push(room(options.folder()));
    found.push(store(options).await);
    found
}

fn refused(interface: &str, error: &LiveError) -> Finding {
    let what = format!("{interface}: {error}");
    match error {
        LiveError::NotPermitted => {
            wrong("rights", what, "run as root, or grant it: setcap cap_net_raw+ep $(command -v flowmap)")
        }
        LiveError::NoInterface => wrong("interface", what, "`ip link` lists the interfaces; `any` stands for all"),
        LiveError::Filter(..) => wrong("filter", what, "see pcap-filter(7)"),
        LiveError::Down => wrong("interface", what, "`ip link set IFACE up`"),
        LiveError::Gone | LiveError::Renamed(_) | LiveError::Other(_) => {
            wrong("interface", what, "`ip link show` tells its state")
        }
    }
}

fn sys(interface: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/sys/class/net").join(interface).join(name)).ok()?;
    Some(text.trim().to_owned())
}

/// What an interface sees by where it is.
fn position(interface: &str) -> Vec<Finding> {
    const CHECK: &str = "position";
    if interface == "any" {
        let what = "any sees every interface of this host, and loses VLAN tags";
        return vec![attention(CHECK, what, "where VLANs matter name the interfaces one by one")];
    }
    let Some(state) = sys(interface, "operstate") else { return Vec::new() };
    let mut found = Vec::new();
    if state == "down" || state == "lowerlayerdown" {
        found.push(attention(CHECK, format!("{interface} is down"), "`ip link set IFACE up`, or see to its cable"));
    }
    let is_there = |name: &str| Path::new("/sys/class/net").join(interface).join(name).exists();
    found.push(if is_there("bridge") {
        fine(
            CHECK,
            format!("{interface} is a bridge: it sees what passes this host, not what its ports switch between them"),
        )
    } else if is_there("bonding") {
        fine(CHECK, format!("{interface} is a bond: it sees all its members"))
    } else if is_there("master") {
        let cure = "watch what it belongs to, or other members as well";
        attention(CHECK, format!("{interface} is part of a bridge or bond: it sees its own share"), cure)
    } else {
        fine(CHECK, format!("{interface} sees this host's traffic, or what a mirror port sends it with --promiscuous"))
    });
    found
}

/// What a short capture shows.
#[derive(Default)]
struct Trial {
    frames: u64,
    cut: u64,
    undecoded: u64,
    joined: u64,
    tunnels: BTreeSet<String>,
    /// How far the latest packet's time was from the system's, in seconds.
    apart: f64,
}

impl Trial {
    fn note(&mut self, tunnels: &TunnelStack) {
        if !tunnels.is_empty() && self.tunnels.len() < MAX_TUNNELS {
            self.tunnels.insert(tunnels.to_string());
        }
    }
}

fn watch(interface: &str, mut capture: LiveCapture, options: &Options, trial: Duration) -> Vec<Finding> {
    // packets larger than the interface may send were joined by it, or are to be split by it
    let largest = sys(interface, "mtu").and_then(|mtu| mtu.parse::<u64>().ok()).map(|mtu| mtu + FRAME_HEAD);
    let begun = Instant::now();
    let mut seen = Trial::default();
    while begun.elapsed() < trial {
        match capture.next_frame() {
            Ok(None) => capture.wait(),
            Err(error) => return vec![refused(interface, &error)],
            Ok(Some(frame)) => {
                seen.frames += 1;
                seen.joined += u64::from(largest.is_some_and(|largest| u64::from(frame.wire_length) > largest));
                seen.apart = clock::now().seconds_since(frame.time).abs();
                match decode_with(&frame, &options.decode) {
                    Ok(packet) => seen.note(&packet.tunnels),
                    Err(NotDecoded::CutShort(_)) => seen.cut += 1,
                    Err(_) => seen.undecoded += 1,
                }
            }
        }
    }
    let drops = capture.drops().unwrap_or_default();
    told(interface, &seen, drops.by_kernel + drops.by_interface, options.live.snaplen)
}

fn told(interface: &str, seen: &Trial, dropped: u64, snaplen: u32) -> Vec<Finding> {
    let Trial { frames, cut, undecoded, joined, .. } = *seen;
    if frames == 0 {
        let cure = "send some traffic meanwhile; is it the right interface, and on a mirror port --promiscuous?";
        return vec![attention("trial", format!("{interface}: no packet came"), cure)];
    }
    let count =
        format!("{interface}: {frames} packets, {undecoded} of kinds that make no connection, {dropped} dropped");
    let mut found = vec![if dropped > 0 {
        wrong("trial", count, "raise --buffer, or take less: --mode connections, --filter")
    } else {
        fine("trial", count)
    }];
    let tunnels = if seen.tunnels.is_empty() {
        "no tunnels seen".to_owned()
    } else {
        format!("tunnels seen: {}", seen.tunnels.iter().cloned().collect::<Vec<_>>().join(", "))
    };
    found.push(if cut > 0 {
        wrong(
            "snaplen",
            format!("{interface}: {cut} packets end within {snaplen} bytes' headers, {tunnels}"),
            "raise --snaplen",
        )
    } else {
        fine("snaplen", format!("{interface}: {snaplen} bytes hold the headers of all, {tunnels}"))
    });
    if joined > 0 {
        let what = format!("{interface}: {joined} packets are larger than the wire allows: offloads join them");
        let cure =
            "connections are right; for true counts of packets: ethtool -K IFACE gro off lro off tso off gso off";
        found.push(attention("offloads", what, cure));
    } else {
        found.push(fine("offloads", format!("{interface}: no packet is larger than the wire allows")));
    }
    if seen.apart > CLOCK_APART {
        let what = format!("{interface}: packets come with times {:.0} s from this host's", seen.apart);
        found.push(attention("timestamps", what, "see to the driver's time stamps: ethtool -T IFACE"));
    }
    found
}

fn clock() -> Finding {
    const CHECK: &str = "clock";
    let cure = "run chrony or systemd-timesyncd: connections seen at several hosts are joined by time";
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    if seconds < CLOCK_UNSET {
        return wrong(CHECK, "the clock was never set", cure);
    }
    // systemd-timesyncd tells by this file; the others would have to be asked
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return fine(CHECK, "set by systemd-timesyncd");
    }
    let daemons = ["/run/chrony/chronyd.pid", "/run/ntpd.pid", "/run/chronyd.pid"];
    match daemons.iter().find(|path| Path::new(path).exists()) {
        Some(_) => fine(CHECK, "a time service runs"),
        None => attention(CHECK, "it cannot be told whether the clock is kept right", cure),
    }
}

fn room(folder: &Path) -> Finding {
    const CHECK: &str = "disk";
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(there) {
        Err(error) => attention(CHECK, format!("{}: {error}", there.display()), "name another store with --db"),
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let what = format!("{}: {} MiB free", there.display(), free >> 20);
            let cure = "make room, or bound the store with --keep; what does not fit is kept in memory, and left out in the end";
            if free < LITTLE_ROOM { attention(CHECK, what, cure) } else { fine(CHECK, what) }
        }
    }
}

/// Whether a file can be made, with the folders around it that are not there yet.
fn can_be_made(path: &Path) -> Result<(), String> {
    let folders = path.ancestors().skip(1).map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it });
    let mut there = folders.filter(|folder| folder.symlink_metadata().is_ok());
    let Some(there) = there.next() else { return Ok(()) };
    if !there.is_dir() {
        return Err(format!("{} is no folder", there.display()));
    }
    tempfile::tempfile_in(there).map(drop).map_err(|error| format!("{}: {error}", there.display()))
}

async fn store(options: &Options) -> Finding {
    const CHECK: &str = "store";
    let path = &options.store;
    if let Some(figures) = running(path) {
        let what = format!("{}: process {} writes to it", path.display(), figures.pid);
        return attention(CHECK, what, "stop that one before another is started, or name another store with --db");
    }
    if !path.exists() {
        return match can_be_made(path) {
            Ok(()) => fine(CHECK, format!("{}: made at the first start", path.display())),
            Err(why) => {
                wrong(CHECK, format!("{}: cannot be made: {why}", path.display()), "name another store with --db")
            }
        };
    }
    match Store::open_for_daemon(path).await {
        Ok(store) => {
            store.close().await;
            fine(CHECK, format!("{}: can be written", path.display()))
        }
        Err(error @ StoreError::Locked) => attention(CHECK, error.to_string(), "another flowmap is writing; that ends"),
        Err(error) => wrong(CHECK, error.to_string(), "name another file with --db, or restore it from a copy"),
    }
}
