//! What is held against any bytes. A target takes an input, looks that what must hold of it holds, and panics where it does
//! not; the same functions run in `make test` and under a fuzzer that is guided by coverage (`fuzz/`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Read},
};

use flowmap::{
    capture::{
        Batch, Drops, Frame, LinkType,
        file::{CaptureReader, FileError, ReadError},
    },
    connection::Limits,
    decode::{
        Fragments, Options, Packet, Transport, decode_with,
        neighbour::{Carried, neighbour},
        quoted,
    },
    intake::{Counts, Intake},
    model::{How, LinkKey, Observation, ObservationKey, Timestamp, Trace, TraceSet},
    names::{Gatherer, may_tell},
    records::{Format, Line, Reader},
};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("pcap", pcap),
    ("pcapng", pcapng),
    ("decode", decode),
    ("intake", intake),
    ("records", records),
    ("names", names),
    ("inventory", super::texts::inventory),
    ("policies", super::texts::policies),
    ("suggest", super::texts::suggest),
];

/// A frame with bytes of its own.
#[derive(Debug, PartialEq, Eq)]
struct Owned {
    time: Timestamp,
    link: LinkType,
    interface: u32,
    wire_length: u32,
    data: Vec<u8>,
}

impl Owned {
    fn of(frame: &Frame<'_>) -> Self {
        let Frame { time, link, interface, wire_length, data } = *frame;
        Self { time, link, interface, wire_length, data: data.to_vec() }
    }
}

/// The frames of a file, how it ended, and what it says was dropped.
type Told = (Vec<Owned>, Result<(), String>, Drops);

/// Gives bytes in pieces of odd lengths, now and then none for a signal.
struct Pieces<'b> {
    rest: &'b [u8],
    chance: u64,
}

impl Read for Pieces<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chance = self.chance >> 56;
        if chance == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        // mostly some bytes, at times as many as there is room for
        let wanted = if chance.is_multiple_of(4) { usize::MAX } else { usize::try_from(chance).unwrap() };
        let count = wanted.min(room.len()).min(self.rest.len());
        let (piece, rest) = self.rest.split_at(count);
        room[..count].copy_from_slice(piece);
        self.rest = rest;
        Ok(count)
    }
}

/// A number for the bytes, by which a target varies what it does (FNV-1a).
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn ended(error: ReadError) -> Result<(), String> {
    match error {
        ReadError::Damage(damage) => Err(damage.to_string()),
        ReadError::Io(error) => panic!("no reading failed: {error}"),
    }
}

fn one_by_one(input: impl Read) -> Result<Told, FileError> {
    let mut reader = CaptureReader::new(input)?;
    let mut frames = Vec::new();
    let end = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(Owned::of(&frame)),
            Ok(None) => break Ok(()),
            Err(error) => break ended(error),
        }
    };
    Ok((frames, end, reader.drops()))
}

fn by_batches(input: impl Read) -> Result<Told, FileError> {
    let mut reader = CaptureReader::new(input)?;
    let (mut frames, mut batch) = (Vec::new(), Batch::default());
    let end = loop {
        let end = reader.fill(&mut batch);
        frames.extend(batch.range(0..batch.len()).map(|frame| Owned::of(&frame)));
        match end {
            Ok(()) if batch.is_empty() => break Ok(()),
            Ok(()) => {}
            Err(error) => break ended(error),
        }
    };
    Ok((frames, end, reader.drops()))
}

/// Reads a file in several ways; they must tell the same.
fn read(file: &[u8]) {
    let text = |result: Result<Told, FileError>| result.map_err(|error| error.to_string());
    let pieces = || Pieces { rest: file, chance: number(file) };
    let told = text(one_by_one(file));
    assert_eq!(text(by_batches(pieces())), told, "in batches, in pieces");
    // each by itself goes wrong more seldom
    if number(file).is_multiple_of(8) {
        assert_eq!(text(one_by_one(pieces())), told, "in pieces");
        assert_eq!(text(by_batches(file)), told, "in batches");
    }
    let Ok(told) = told else { return };
    let bytes: usize = told.0.iter().map(|frame| frame.data.len()).sum();
    assert!(bytes <= file.len(), "{bytes} bytes of packets in a file of {}", file.len());
}

/// The reader's buffer, which a file that is read in more than one go must be longer than.
const BUFFER_BYTES: usize = 1 << 20;

/// One of so many inputs is also read behind enough other packets that the edge of the reader's buffer lies within it.
const LONG: u64 = 64;

/// The classic format.
pub fn pcap(file: &[u8]) {
    read(file);
    let number = number(file);
    let Some((header, records)) = file.split_at_checked(24).filter(|_| number.is_multiple_of(LONG)) else { return };
    let big = matches!(header[0], 0xa1 | 0x1c);
    let word = |value: usize| {
        let value = u32::try_from(value).unwrap();
        if big { value.to_be_bytes() } else { value.to_le_bytes() }
    };
    let mut long = header.to_vec();
    let edge = BUFFER_BYTES - usize::try_from(number / LONG).unwrap() % (records.len() + 32);
    while edge - long.len() >= 32 {
        let length = (edge - long.len() - 16).min(200_000);
        long.extend([word(1), word(0), word(length), word(length)].concat());
        long.resize(long.len() + length, 0);
    }
    long.extend(records);
    read(&long);
}

/// The format of blocks.
pub fn pcapng(file: &[u8]) {
    read(file);
    let number = number(file);
    if !number.is_multiple_of(LONG) {
        return;
    }
    let edge = BUFFER_BYTES - usize::try_from(number / LONG).unwrap() % (file.len() + 32) / 4 * 4;
    let mut long = super::corpus::section(false, &[1]);
    while edge - long.len() >= 48 {
        let length = (edge - long.len() - 32).min(200_000);
        long.extend(super::corpus::packet_block(false, 0, &vec![0; length]));
    }
    long.extend(file);
    read(&long);
}

/// Link types that the input's first byte names.
pub const LINKS: [LinkType; 45] = [
    LinkType::ETHERNET,
    LinkType::NULL,
    LinkType::PPP,
    LinkType::FDDI,
    LinkType::RAW_BSD,
    LinkType::RAW_OLD,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHER,
    LinkType::RAW,
    LinkType::C_HDLC,
    LinkType::IEEE802_11,
    LinkType::FRELAY,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::PFLOG,
    LinkType::IEEE802_11_PRISM,
    LinkType::IEEE802_11_RADIOTAP,
    LinkType::IEEE802_11_AVS,
    LinkType::PPP_PPPD,
    LinkType::PPI,
    LinkType::PPP_WITH_DIR,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::NFLOG,
    LinkType::PKTAP,
    LinkType::LINUX_SLL2,
    LinkType::TOKEN_RING,
    LinkType::ENC,
    LinkType::ATM_RFC1483,
    LinkType::IP_OVER_FC,
    LinkType::JUNIPER_ETHER,
    LinkType::ERF,
    LinkType::C_HDLC_WITH_DIR,
    LinkType::FRELAY_WITH_DIR,
    LinkType::MPLS,
    LinkType::IPNET,
    LinkType::IPOIB,
    LinkType::DSA_BROADCOM,
    LinkType::DSA_BROADCOM_BEFORE,
    LinkType::DSA_MARVELL,
    LinkType::DSA_MARVELL_TYPED,
    LinkType(8),
    LinkType(147),
    LinkType(276 << 16),
    LinkType(u32::MAX),
];

/// One frame: a byte that names the link type, one that says how much was not captured, and what was.
pub fn decode(input: &[u8]) {
    let [link, missing, data @ ..] = input else { return };
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let captured = u32::try_from(data.len()).unwrap();
    // no capture should, but some hold more than there was
    let wire_length = if *missing == u8::MAX { captured / 2 } else { captured + u32::from(*missing) * 16 };
    let frame = Frame { time: Timestamp(0), link, interface: 0, wire_length, data };
    let options = Options { vxlan_ports: vec![9_999] };
    let mut fragments = Fragments::default();
    let seen = neighbour(&frame);
    let carried = seen.carried();
    seen.announced(&carried, |fact| assert!(fact.prefix <= 128, "{fact:?}"));
    if let Carried::Packet(header) = &carried {
        header.facts((seen.src, seen.dst), |_, _| {});
    }
    match decode_with(&frame, &options) {
        Ok(packet) => {
            holds_together(&packet, data);
            let again = fragments.joined(frame.time, packet);
            assert!(again.is_err() || again == Ok(packet), "{packet:?}");
        }
        Err(reason) => assert!(!reason.to_string().is_empty()),
    }
}

/// What holds of every packet.
fn holds_together(packet: &Packet<'_>, frame: &[u8]) {
    assert_eq!(packet.src.is_ipv4(), packet.dst.is_ipv4(), "{packet:?}");
    assert!(!packet.vlans.to_string().contains(' ') && !packet.tunnels.to_string().contains(' '), "{packet:?}");
    let data = match packet.transport {
        Transport::Tcp { data, .. } | Transport::Udp { data, .. } => data,
        Transport::Unreachable(quote) => {
            if let Some(about) = quoted(packet, quote) {
                assert_eq!(about.src.is_ipv4(), packet.src.is_ipv4(), "{about:?}");
            }
            quote
        }
        _ => &[],
    };
    assert!(data.is_empty() || frame.as_ptr_range().contains(&data.as_ptr()) && data.len() < frame.len());
    let _ = may_tell(packet);
}

/// What of the counts both ways must agree on.
fn accounted(counts: &Counts, packets: usize) {
    let left_out: u64 = counts.not_decoded.values().sum();
    assert_eq!(counts.decoded + left_out, counts.packets, "{counts:?}");
    assert_eq!(counts.packets, u64::try_from(packets).unwrap(), "{counts:?}");
    // an empty one, or one of an interface that was not described, tells of no time
    assert!(counts.decoded == 0 || counts.span.is_some(), "{counts:?}");
    assert!(packets > 0 || counts.span.is_none(), "{counts:?}");
}

/// A whole capture, frame by frame and in batches: every packet is accounted for, what comes out is the same, and it is not
/// more than what came in can tell.
pub fn intake(file: &[u8]) {
    let Ok((frames, ..)) = one_by_one(file) else { return };
    let mut by_frame = Intake::new(Limits::default());
    for Owned { time, link, interface, wire_length, data } in &frames {
        by_frame.take(&Frame { time: *time, link: *link, interface: *interface, wire_length: *wire_length, data });
    }
    let mut by_batch = Intake::of_batches(Limits::default());
    let mut reader = CaptureReader::new(file).unwrap();
    let mut is_damaged = false;
    let mut next = |batch: &mut Batch| -> io::Result<()> {
        if !is_damaged {
            is_damaged = reader.fill(batch).is_err();
        }
        Ok(())
    };
    while by_batch.take_batches(usize::MAX, &mut next).unwrap() {}
    let mut live = Intake::new(Limits::default());
    for Owned { time, link, interface, wire_length, data } in &frames {
        live.take_soon(&Frame { time: *time, link: *link, interface: *interface, wire_length: *wire_length, data });
    }
    accounted(&by_frame.counts(), frames.len());
    assert_eq!(by_batch.counts(), by_frame.counts());
    assert_eq!(by_batch.digest(), by_frame.digest());
    let names = by_frame.names();
    assert_eq!(by_batch.names(), names);
    let applications = by_frame.applications();
    assert_eq!(by_batch.applications(), applications);
    let places = frames_of(&mut by_frame);
    assert_eq!(frames_of(&mut by_batch), places);
    assert_eq!(frames_of(&mut live), places);
    // what was kept is taken in by now
    assert_eq!(live.counts(), Counts { twice: 0, ..by_frame.counts() }, "what stands twice is looked for in files");
    assert_eq!(live.names(), names);
    assert_eq!(live.applications(), applications);
    let told = by_frame.counts();
    let beside = of_no_connection(&frames);
    for intake in [by_frame, by_batch, live] {
        let sweeps = intake.sweeps();
        let swept: u64 = sweeps.iter().map(|sweep| sweep.packets).sum();
        let rows = intake.finish();
        let packets = swept + rows.iter().flat_map(|row| row.traces.iter()).map(packets).sum::<u64>();
        let traces: u64 = rows.iter().map(|row| row.traces.total()).sum();
        assert!(traces <= told.decoded, "{traces} connections in {told:?}");
        // a bound leaves out, and a sample stands for more
        if told.bounds.is_empty() && sweeps.is_empty() && rows.iter().all(|row| row.traces.is_exact()) {
            assert_eq!(packets + beside as u64, told.decoded, "packets of connections, and those of none");
        }
    }
}

/// How many frames were seen at each place. Whose they were is noted of a connection's first ones, and when a connection was
/// forgotten each part of a table tells by its own time.
fn frames_of(intake: &mut Intake) -> BTreeMap<LinkKey, u64> {
    let links = intake.links().into_iter();
    links
        .filter(|it| matches!(it.key.how, How::Frame | How::Cooked | How::Bare))
        .map(|it| (it.key, it.packets))
        .collect()
}

/// How many frames are packets of no connection: they tell that another one did not arrive, or are the rest of a tunnel's.
fn of_no_connection(frames: &[Owned]) -> usize {
    let mut fragments = Fragments::default();
    let mut is_beside = |Owned { time, link, interface, wire_length, data }: &Owned| {
        let frame = Frame { time: *time, link: *link, interface: *interface, wire_length: *wire_length, data };
        let packet = decode_with(&frame, &Options::default()).and_then(|packet| fragments.joined(*time, packet));
        packet.is_ok_and(|it| matches!(it.transport, Transport::Unreachable(_) | Transport::Rest))
    };
    frames.iter().filter(|frame| is_beside(frame)).count()
}

/// What both ends of a connection sent, at all places.
fn packets(trace: &Trace) -> u64 {
    trace.from_src.iter().chain(trace.from_dst.iter()).map(|sent| sent.packets).sum()
}

/// Observations by their key, as the store joins them.
type Rows = BTreeMap<ObservationKey, TraceSet>;

/// How many lines a reader of this format must account for.
fn lines(format: Format, text: &[u8]) -> usize {
    const MAX_LINE_BYTES: usize = 64 << 10;
    let is_told = |line: &&[u8]| {
        let bare = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let said = bare.trim_ascii();
        let is_comment = match format {
            Format::Csv => said.starts_with(b"#"),
            Format::ZeekTsv => bare.starts_with(b"#"),
            Format::ZeekJson | Format::Hubble | Format::Netfilter => false,
        };
        line.len() > MAX_LINE_BYTES || !said.is_empty() && !is_comment
    };
    text.split(|byte| *byte == b'\n').filter(is_told).count()
}

/// How many lines of a CSV may be headers, beside the first: no records where they say of no flow.
fn further_headers(format: Format, text: &[u8]) -> usize {
    let is_header = |line: &&[u8]| format == Format::Csv && Format::of(line) == Some(Format::Csv);
    text.split(|byte| *byte == b'\n').filter(is_header).skip(1).count()
}

/// What a flow log came to.
#[derive(Debug, PartialEq)]
struct Log {
    used: usize,
    faults: BTreeMap<String, usize>,
    rows: Rows,
    digest: u64,
}

fn log(format: Format, input: impl Read) -> Option<Log> {
    let start = "2026-11-01T00:00:00+01:00".parse().unwrap();
    let mut reader = Reader::new(format, input).ok()?.with_log_start(start);
    let (mut used, mut faults, mut rows) =
        (0, BTreeMap::<String, usize>::new(), HashMap::<ObservationKey, TraceSet>::new());
    let mut names = Gatherer::default();
    let mut add = |all: Vec<Observation>| {
        for Observation { key, traces } in all {
            rows.entry(key).or_default().extend(traces);
        }
    };
    while let Some(line) = reader.next_line().unwrap() {
        match line {
            Line::Flow(record) => {
                used += 1;
                add(record.observations().into_vec());
            }
            Line::Packet { time, answers, .. } => {
                used += 1;
                if let Some(answers) = answers {
                    for address in &answers.addresses {
                        names.hear(time, answers.name.as_bytes(), *address, answers.ttl_s, answers.asked_by);
                    }
                }
                add(reader.observations());
            }
            Line::NotUsed { fault, .. } => *faults.entry(fault.kind()).or_default() += 1,
        }
    }
    add(reader.end());
    let rows = rows.into_iter().collect();
    Some(Log { used, faults, rows, digest: reader.digest() })
}

/// A flow log of any format: every line is used or counted, and one record makes no more than two rows.
pub fn records(text: &[u8]) {
    let told = Format::of(&text[..text.len().min(flowmap::records::HEAD_BYTES)]);
    let formats = [Format::Csv, Format::ZeekTsv, Format::ZeekJson, Format::Hubble, Format::Netfilter];
    let other = formats[usize::try_from(number(text) % 64).unwrap() % formats.len()];
    let Some(log) = log(told.unwrap_or(other), text) else { return };
    let format = told.unwrap_or(other);
    let counted = log.used + log.faults.values().sum::<usize>() + usize::from(format == Format::Csv);
    let lines = lines(format, text);
    if format == Format::Csv && text.contains(&b'"') {
        // a record goes over several lines where a quote does, and takes what else stands on them
        assert!(counted <= text.split(|byte| *byte == b'\n').count(), "{log:?}");
    } else {
        assert!((lines - further_headers(format, text)..=lines).contains(&counted), "{format:?} {log:?}");
    }
    assert!(log.rows.len() <= 2 * log.used, "{log:?}");
    let again = self::log(format, Pieces { rest: text, chance: number(text) });
    assert_eq!(again, Some(log), "in pieces");
}

/// Which ports and protocol a payload goes with: its source port, its destination port, whether it is TCP.
pub const PORTS: [(u16, u16, bool); 10] = [
    (53, 40_000, false),
    (5_353, 5_353, false),
    (5_353, 40_000, false),
    (5_355, 40_000, false),
    (67, 68, false),
    (68, 67, false),
    (40_000, 443, true),
    (40_000, 80, true),
    (53, 40_000, true),
    (40_000, 53, false),
];

/// Payloads, each behind a byte that names its ports and two that say its length.
pub fn names(mut input: &[u8]) {
    let (mut of_all, mut of_likely) = (Gatherer::new(64), Gatherer::new(64));
    let mut packets = 0;
    while let [kind, low, high, rest @ ..] = input {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        input = rest;
        let ports = PORTS[usize::from(*kind) % PORTS.len()];
        let bytes = super::corpus::ipv4(ports, payload);
        let wire_length = u32::try_from(bytes.len()).unwrap();
        let frame = Frame { time: Timestamp(packets), link: LinkType::RAW, interface: 0, wire_length, data: &bytes };
        let packet = decode_with(&frame, &Options::default()).unwrap();
        of_all.take(frame.time, &packet);
        if may_tell(&packet) {
            of_likely.take(frame.time, &packet);
        }
        packets += 1;
    }
    assert_eq!(of_all.missed(), of_likely.missed());
    let told = of_all.changed();
    assert_eq!(told, of_likely.changed(), "packets that may tell nothing told something");
    assert!(told.len() <= 64);
    for sighting in &told {
        let name = sighting.name.to_string();
        let again = flowmap::model::HostName::parse(name.as_bytes()).map(|name| name.to_string());
        assert_eq!(again.as_deref(), Some(name.as_str()), "a name that is none");
        assert!(name.chars().all(|letter| !letter.is_control()), "{name:?}");
        assert!(sighting.span.first.0 >= 0 && sighting.span.last.0 < packets);
    }
    let keys: BTreeSet<_> = told.iter().map(|it| (it.address, it.source, it.used_by, it.name.to_string())).collect();
    assert_eq!(keys.len(), told.len(), "each sighting once");
}
