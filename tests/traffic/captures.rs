//! Every capture that others use to test decoders, held against what two other decoders counted in it. Where those two
//! differ, or flowmap differs from both, `data/captures.tsv` says what flowmap gives and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufReader, Read},
    path::Path,
};

use flowmap::{
    capture::{Frame, file::CaptureReader},
    connection::{Limits, merged},
    decode::{Fragments, Packet, Transport, decode, neighbour::neighbour},
    intake::{self, Intake},
    model::{Observation, Protocol},
};

use crate::common::data;

/// What is compared, by its name in `captures.tsv`.
const MEASURES: [&str; 4] = ["packets", "vlans", "tcp", "udp"];

/// What one capture holds, by measure.
type Counts = BTreeMap<&'static str, String>;

fn opened(path: &Path) -> Box<dyn Read> {
    let file = BufReader::new(File::open(path).unwrap());
    if path.extension().is_some_and(|it| it == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    }
}

/// Conversations as the other decoders count them: ends in either order, whatever tags and tunnels.
#[derive(Default)]
struct Conversations {
    fragments: Fragments,
    packets: u64,
    vlans: BTreeSet<String>,
    ends: BTreeMap<Protocol, BTreeSet<[(std::net::IpAddr, u16); 2]>>,
}

impl Conversations {
    fn take(&mut self, frame: &Frame<'_>) {
        self.packets += 1;
        let stack = neighbour(frame).vlans.filter(|stack| !stack.is_empty());
        self.vlans.extend(stack.map(|stack| stack.to_string()));
        let Ok(packet) = decode(frame).and_then(|packet| self.fragments.joined(frame.time, packet)) else { return };
        if let Some((src_port, dst_port)) = ports(&packet) {
            let mut ends = [(packet.src, src_port), (packet.dst, dst_port)];
            ends.sort_unstable();
            self.ends.entry(packet.protocol).or_default().insert(ends);
        }
    }

    fn counts(&self) -> Counts {
        let count = |protocol| self.ends.get(&protocol).map_or(0, BTreeSet::len).to_string();
        let vlans: Vec<&str> = self.vlans.iter().map(String::as_str).collect();
        let vlans = if vlans.is_empty() { "-".to_owned() } else { vlans.join(";") };
        let values = [self.packets.to_string(), vlans, count(Protocol::TCP), count(Protocol::UDP)];
        MEASURES.into_iter().zip(values).collect()
    }
}

fn ports(packet: &Packet<'_>) -> Option<(u16, u16)> {
    match packet.transport {
        Transport::Tcp { src_port, dst_port, .. }
        | Transport::Udp { src_port, dst_port, .. }
        | Transport::Part { src_port, dst_port } => Some((src_port, dst_port)),
        _ => None,
    }
}

/// What flowmap finds in a capture; all of its packets must be accounted for.
fn found(path: &Path) -> Counts {
    let mut reader = CaptureReader::new(opened(path)).unwrap();
    let (mut conversations, mut intake) = (Conversations::default(), Intake::new(Limits::default()));
    while let Ok(Some(frame)) = reader.next_frame() {
        conversations.take(&frame);
        intake.take(&frame);
    }
    let counts = intake.counts();
    let told = counts.decoded + counts.not_decoded.values().sum::<u64>();
    assert_eq!((told, counts.packets), (conversations.packets, conversations.packets), "{}", path.display());
    conversations.counts()
}

/// The frames of a capture as an interface hands them over, with flushes in small steps between them, and one by one.
fn live_and_by_frame(path: &Path, max_frames: usize) -> [(Vec<Observation>, Intake); 2] {
    let (mut live, mut by_frame) = (Intake::new(Limits::default()), Intake::new(Limits::default()));
    let mut reader = CaptureReader::new(opened(path)).unwrap();
    let mut rows = Vec::new();
    for n in 0..max_frames {
        let Ok(Some(frame)) = reader.next_frame() else { break };
        by_frame.take(&frame);
        live.take_soon(&frame);
        if n % 300 == 0 && !live.is_flushing() {
            live.begin_flush();
        }
        rows.extend(live.flush_some(3));
    }
    while live.is_flushing() {
        rows.extend(live.flush_some(1_000));
    }
    rows.extend(live.flush());
    [(merged(rows), live), (by_frame.flush(), by_frame)]
}

fn live_is_as_by_frame(path: &Path) {
    let [(live, mut by_steps), (by_frame, mut at_once)] = live_and_by_frame(path, 20_000);
    // after a flush a connection's next packets tell of their link again: more may be known, and nothing less
    let mut known = by_steps.links().into_iter().map(|it| it.key).collect::<Vec<_>>();
    known.retain(|key| key.how != flowmap::model::How::More);
    let wanted = at_once.links().into_iter().map(|it| it.key).filter(|key| key.how != flowmap::model::How::More);
    wanted.for_each(|key| assert!(known.contains(&key), "{}: {key:?}", path.display()));
    assert_eq!(by_steps.names(), at_once.names(), "{}", path.display());
    // what stands in it twice is looked for in files alone
    let counts = |it: &Intake| intake::Counts { twice: 0, ..it.counts() };
    assert_eq!(counts(&by_steps), counts(&at_once), "{}", path.display());
    // how a row is laid out, and which tags it names, may differ: that rests on what is known when it is written
    let ends = |rows: &[Observation]| -> BTreeMap<_, u64> {
        let mut all = BTreeMap::new();
        for row in rows {
            let mut ends = [row.key.src, row.key.dst];
            ends.sort_unstable();
            let sent = row.traces.iter().flat_map(|trace| trace.from_src.iter().chain(trace.from_dst.iter()));
            *all.entry((row.key.hour, row.key.protocol, ends)).or_default() +=
                sent.map(|sent| sent.packets).sum::<u64>();
        }
        all
    };
    assert_eq!(ends(&live), ends(&by_frame), "{}", path.display());
}

#[test]
fn frames_that_wait_and_flushes_in_steps_give_what_frames_one_by_one_give() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/production");
    for entry in fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "pcap") {
            live_is_as_by_frame(&path);
        }
    }
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let index = fs::read_to_string(pcaps.join("INDEX.tsv")).unwrap();
    for row in table(&index).step_by(5) {
        live_is_as_by_frame(&pcaps.join(row["path"]));
    }
}

/// Rows of a table with a header, by the names of its columns.
fn table(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines.map(move |line| names.iter().copied().zip(line.split('\t')).collect())
}

/// The same stacks in the same order.
fn sorted(stacks: &str) -> String {
    stacks.split(';').collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(";")
}

/// What both other decoders counted, where they agree.
fn agreed(row: &BTreeMap<&str, &str>, measure: &str) -> Option<String> {
    let (one, other) = match measure {
        "packets" => return Some(row["packets"].to_owned()),
        "vlans" => ("indep_vlan_stacks", "tshark_vlan.id"),
        "tcp" => ("tcp_conv", "indep_tcp_5tuples"),
        _ => ("udp_conv", "indep_udp_5tuples"),
    };
    let [one, other] = [one, other].map(|name| sorted(row[name]));
    (one == other).then_some(one)
}

#[test]
fn every_capture_gives_what_two_other_decoders_agree_on_but_for_what_is_explained() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let explained = include_str!("../data/captures.tsv");
    let mut explained: BTreeMap<(&str, &str), &str> = table(explained)
        .map(|row| {
            assert!(row["why"].len() > 10, "{row:?} says no reason");
            ((row["capture"], row["measure"]), row["flowmap"])
        })
        .collect();
    let index = fs::read_to_string(pcaps.join("INDEX.tsv")).unwrap();
    let mut faults = Vec::new();
    for row in table(&index) {
        let found = found(&pcaps.join(row["path"]));
        for measure in MEASURES {
            let (found, agreed) = (&found[measure], agreed(&row, measure));
            let fault = match (explained.remove(&(row["path"], measure)), agreed) {
                (Some(told), _) if told != found => format!("{found}, but {told} is explained"),
                (Some(told), Some(agreed)) if told == agreed => "explained without need".to_owned(),
                (None, Some(agreed)) if agreed != *found => format!("{found}, but the others have {agreed}"),
                (None, None) => format!("{found}, and the others differ"),
                _ => continue,
            };
            faults.push(format!("{}\t{measure}\t{fault}", row["path"]));
        }
    }
    faults.extend(explained.keys().map(|key| format!("{key:?} is not in the index")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
