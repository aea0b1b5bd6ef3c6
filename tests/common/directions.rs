//! How well client and server are told apart where the opening of a connection is lost: captures are read with their SYN
//! and SYN-ACK packets removed, and the map of what is left is scored against who opened in the whole capture.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufReader, Read},
    net::IpAddr,
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use flowmap::{
    capture::{Frame, file::CaptureReader},
    connection::Limits,
    decode::{Transport, decode},
    intake::Intake,
    inventory::Directory,
    map::{self, By, Options},
    model::{Cluster, Dependency, Direction, Protocol, Recording},
};
use xxhash_rust::xxh3::Xxh3;

/// An address with a port.
type End = (IpAddr, u16);

/// Who opened connections to which end: what a map by address can be held against.
type Edge = (IpAddr, End);

/// What became of the connections of one capture, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Connections laid as they were opened, by the evidence.
    pub right: BTreeMap<Direction, u64>,
    /// Connections laid the other way round, by the evidence.
    pub wrong: BTreeMap<Direction, u64>,
    /// Connections of which it is said that the direction is not known.
    pub unknown: u64,
    /// Connections of which nothing was left.
    pub nothing_left: u64,
    /// The dependencies that lie the other way round, in words.
    pub mistakes: Vec<String>,
}

impl Score {
    /// Connections of which something was left.
    pub fn connections(&self) -> u64 {
        self.decided() + self.unknown
    }

    /// Connections with a direction, right or wrong.
    pub fn decided(&self) -> u64 {
        self.right.values().sum::<u64>() + self.wrong()
    }

    /// Connections with the wrong direction.
    pub fn wrong(&self) -> u64 {
        self.wrong.values().sum()
    }

    /// Takes another capture's score in.
    pub fn add(&mut self, other: &Self) {
        for (sums, counts) in [(&mut self.right, &other.right), (&mut self.wrong, &other.wrong)] {
            for (direction, count) in counts {
                *sums.entry(*direction).or_default() += count;
            }
        }
        self.unknown += other.unknown;
        self.nothing_left += other.nothing_left;
        self.mistakes.extend_from_slice(&other.mistakes);
    }
}

/// The capture files below a folder, by their path in it.
pub fn captures(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(captures(&path)?);
        } else if CaptureReader::new(opened(&path)?).is_ok() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Scores a capture with `percent` of its SYN and SYN-ACK packets removed; `None` where it has none.
pub fn score(capture: &Path, percent: u64) -> io::Result<Option<Score>> {
    let (mut truth, mut left) = (Truth::default(), BTreeSet::new());
    let mut intake = Intake::new(Limits::default());
    for_each_frame(capture, |frame| {
        let segment = Segment::of(frame);
        if let Some(segment) = &segment {
            truth.learn(segment);
        }
        if segment.as_ref().is_some_and(|it| it.syn) && is_removed(frame, percent) {
            return;
        }
        left.extend(segment.map(|segment| segment.ends()));
        intake.take(frame);
    })?;
    if truth.openings.is_empty() {
        return Ok(None);
    }
    let Some(span) = intake.counts().span else { return Ok(None) };
    let recording = Recording { span, interface: None, observations: intake.finish() };
    let options = Options { by: By::Address, ..Options::default() };
    let map = map::dependencies("default", &[recording], &Directory::new(&Cluster::default()), options);
    Ok(Some(truth.score(&map, &left)))
}

/// A file's bytes, unpacked where it is compressed.
fn opened(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = BufReader::new(File::open(path)?);
    let is_compressed = path.extension().is_some_and(|it| it == "gz");
    Ok(if is_compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Reads what can be read: several of the captures are damaged at their ends.
fn for_each_frame(path: &Path, mut each: impl FnMut(&Frame<'_>)) -> io::Result<()> {
    let mut reader = CaptureReader::new(opened(path)?).map_err(io::Error::other)?;
    while let Ok(Some(frame)) = reader.next_frame() {
        each(&frame);
    }
    Ok(())
}

/// Whether a packet is among the share removed, by a hash of its time and bytes: larger shares hold the smaller ones.
fn is_removed(frame: &Frame<'_>, percent: u64) -> bool {
    let mut hash = Xxh3::new();
    hash.update(&frame.time.0.to_le_bytes());
    hash.update(frame.data);
    hash.digest() % 100 < percent
}

/// A TCP segment, as far as it matters here.
struct Segment {
    src: End,
    dst: End,
    syn: bool,
    ack: bool,
}

impl Segment {
    fn of(frame: &Frame<'_>) -> Option<Self> {
        let packet = decode(frame).ok()?;
        let Transport::Tcp { src_port, dst_port, flags, .. } = packet.transport else { return None };
        let (syn, ack) = flags.map_or((false, false), |flags| (flags.syn(), flags.ack()));
        Some(Self { src: (packet.src, src_port), dst: (packet.dst, dst_port), syn, ack })
    }

    fn ends(&self) -> (End, End) {
        (self.src.min(self.dst), self.src.max(self.dst))
    }
}

/// Who opened what, by the SYN and SYN-ACK packets of the whole capture.
#[derive(Default)]
struct Truth {
    /// Client and server of each connection.
    openings: BTreeSet<(End, End)>,
}

impl Truth {
    fn learn(&mut self, segment: &Segment) {
        if segment.syn {
            let (client, server) = if segment.ack { (segment.dst, segment.src) } else { (segment.src, segment.dst) };
            self.openings.insert((client, server));
        }
    }

    fn score(&self, map: &[Dependency], left: &BTreeSet<(End, End)>) -> Score {
        let forth: BTreeSet<Edge> = self.openings.iter().map(|(client, server)| (client.0, *server)).collect();
        let back: BTreeSet<Edge> = self.openings.iter().map(|(client, server)| (server.0, *client)).collect();
        let is_gone =
            |(client, server): &&(End, End)| !left.contains(&((*client).min(*server), (*client).max(*server)));
        let gone = self.openings.iter().filter(is_gone).count();
        let mut score = Score { nothing_left: u64::try_from(gone).unwrap_or(u64::MAX), ..Score::default() };
        for dependency in map.iter().filter(|dependency| dependency.protocol == Protocol::TCP) {
            let (is_forth, is_back) = (is_among(&forth, dependency), is_among(&back, dependency));
            let sum = match dependency.direction {
                _ if !is_forth && !is_back => continue,
                Direction::Unknown => &mut score.unknown,
                direction if is_forth => score.right.entry(direction).or_default(),
                direction => {
                    score.mistakes.push(in_words(dependency));
                    score.wrong.entry(direction).or_default()
                }
            };
            *sum += dependency.connections;
        }
        score
    }
}

fn is_among(edges: &BTreeSet<Edge>, dependency: &Dependency) -> bool {
    let mut pairs = dependency
        .client
        .addresses
        .iter()
        .flat_map(|client| dependency.server.addresses.iter().map(|server| (*client, (*server, dependency.port))));
    pairs.any(|edge| edges.contains(&edge))
}

fn in_words(dependency: &Dependency) -> String {
    let Dependency { client, server, protocol, port, direction, .. } = dependency;
    format!("{} > {} {protocol}/{port} by {}", client.name, server.name, direction.as_str())
}
