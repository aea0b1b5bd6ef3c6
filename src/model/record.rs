//! Records of flow logs in small. They name client and server, so that nothing has to be joined to know who called whom:
//! ten millions of them fit into memory, where as many observations do not.

use std::net::IpAddr;

use foldhash::HashMap;

use super::{Flags, Hour, Lump, Observation, ObservationKey, Opening, Protocol, Recording, Tally, Trace, TraceSet};

/// A record within one hour, as its trace tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Who opened: a place among [`Records::addresses`].
    pub client: u32,
    /// The protocol.
    pub protocol: Protocol,
    /// Who accepted, likewise.
    pub server: u32,
    /// The server's port.
    pub port: u16,
    /// Tells it from other records between the same ends.
    pub identity: u32,
    /// The hour.
    pub hour: Hour,
    /// First sight, in microseconds since the start of the hour.
    pub first: u32,
    /// Last sight likewise.
    pub last: u32,
    /// The run that it is from: a place among the recordings.
    pub run: u32,
    /// What was seen.
    pub flags: Flags,
    /// Whether it comes first in its observation.
    pub leads: bool,
    /// Whether it tells what was sent.
    pub has_volume: bool,
    /// Connections and hours that it stands for.
    pub lump: Lump,
    /// Packets, those of both sides.
    pub packets: u64,
    /// Bytes of the client.
    pub bytes_to_server: u64,
    /// Bytes of the server.
    pub bytes_to_client: u64,
}

/// The records of one site.
#[derive(Clone, Debug, Default)]
pub struct Records {
    addresses: Vec<IpAddr>,
    numbers: HashMap<IpAddr, u32>,
    rows: Vec<Record>,
}

/// All that was recorded of one site. What a run has told in records is not among its observations.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// By run.
    pub recordings: Vec<Recording>,
    /// Records, each with the place of its run.
    pub records: Records,
}

impl Records {
    /// Takes in an observation of a run, where it is of records alone and nothing of it would be lost; else gives it back.
    pub fn take(&mut self, run: u32, observation: Observation) -> Option<Observation> {
        let key = &observation.key;
        let is_plain = key.opening == Opening::Seen && key.vlans.is_empty() && key.tunnels.is_empty();
        if !is_plain || !observation.traces.is_exact() || !observation.traces.iter().all(|it| is_small(key, it)) {
            return Some(observation);
        }
        let (client, server) = (self.number(key.src), self.number(key.dst));
        for (n, trace) in observation.traces.iter().enumerate() {
            let row = Record { client, server, run, leads: n == 0, ..Record::new(key, trace) };
            self.rows.push(row);
        }
        None
    }

    fn number(&mut self, address: IpAddr) -> u32 {
        let new = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(address).or_insert_with(|| {
            self.addresses.push(address);
            new
        })
    }

    /// Numbers the addresses by their order, and lays the records by client, protocol and server.
    pub fn sort(&mut self) {
        let mut order: Vec<u32> = (0u32..).take(self.addresses.len()).collect();
        order.sort_unstable_by_key(|n| self.addresses[*n as usize]);
        let mut places = vec![0u32; order.len()];
        order.iter().zip(0u32..).for_each(|(old, new)| places[*old as usize] = new);
        for row in &mut self.rows {
            (row.client, row.server) = (places[row.client as usize], places[row.server as usize]);
        }
        self.addresses = order.iter().map(|old| self.addresses[*old as usize]).collect();
        self.numbers = self.addresses.iter().copied().zip(0u32..).collect();
        self.rows.sort_unstable();
    }

    /// The addresses that records name.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The records.
    #[must_use]
    pub fn rows(&self) -> &[Record] {
        &self.rows
    }

    /// Those that come first in an observation, each as one, with the places of their runs.
    pub fn leading(&self) -> impl Iterator<Item = (usize, Observation)> {
        self.rows.iter().filter(|row| row.leads).map(|row| (row.run as usize, self.observation(row)))
    }

    fn observation(&self, row: &Record) -> Observation {
        let key = ObservationKey {
            hour: row.hour,
            protocol: row.protocol,
            opening: Opening::Seen,
            src: self.addresses[row.client as usize],
            dst: self.addresses[row.server as usize],
            dst_port: row.port,
            vlans: String::new(),
            tunnels: String::new(),
        };
        Observation { key, traces: TraceSet::restore([row.trace()], 1) }
    }
}

impl Record {
    /// Without ends and run.
    fn new(key: &ObservationKey, trace: &Trace) -> Self {
        let [of_src, of_dst] = [&trace.from_src, &trace.from_dst].map(Tally::fullest);
        Self {
            client: 0,
            protocol: key.protocol,
            server: 0,
            port: key.dst_port,
            identity: trace.identity,
            hour: key.hour,
            first: trace.first,
            last: trace.last,
            run: 0,
            flags: trace.flags,
            leads: false,
            has_volume: !trace.from_src.is_empty(),
            lump: trace.lump,
            packets: of_src.0,
            bytes_to_server: of_src.1,
            bytes_to_client: of_dst.1,
        }
    }

    /// The trace that it was.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let tally = |packets, bytes| if self.has_volume { Tally::one(0, packets, bytes) } else { Tally::default() };
        Trace {
            identity: self.identity,
            flags: self.flags,
            first: self.first,
            last: self.last,
            from_src: tally(self.packets, self.bytes_to_server),
            from_dst: tally(0, self.bytes_to_client),
            lump: self.lump,
            ..Trace::default()
        }
    }
}

/// Whether a trace is a record of which [`Record`] keeps all. One that agreed without having been asked could be the answer
/// to another's opening.
fn is_small(key: &ObservationKey, trace: &Trace) -> bool {
    let is_answer = trace.flags.has(Flags::AGREED) && !trace.flags.has(Flags::ASKED);
    trace.lump.is_record() && !is_answer && Record::new(key, trace).trace() == *trace
}

impl Traffic {
    /// Adds an observation of the last recording.
    pub fn add(&mut self, observation: Observation) {
        let Some(run) = self.recordings.len().checked_sub(1) else { return };
        let number = u32::try_from(run).unwrap_or(u32::MAX);
        if let Some(observation) = self.records.take(number, observation) {
            self.recordings[run].observations.push(observation);
        }
    }

    /// Whether all of it is in records.
    #[must_use]
    pub fn is_records_alone(&self) -> bool {
        self.recordings.iter().all(|recording| recording.observations.is_empty())
    }

    /// All of it as observations.
    #[must_use]
    pub fn spelled_out(&self) -> Vec<Recording> {
        let mut recordings = self.recordings.clone();
        for row in &self.records.rows {
            if let Some(recording) = recordings.get_mut(row.run as usize) {
                recording.observations.push(self.records.observation(row));
            }
        }
        recordings
    }
}
