//! Frames to observations, names, applications and sightings of links: decode, connection table, names, applications, links
//! and the counts of what was lost, in one value.
//!
//! Frames come one by one from an interface, or in batches from files. Batches are worked on side by side: what is made of
//! one frame by itself, batch by batch; the connections, in shards by their ends. How many threads there are changes nothing of
//! what comes out, for the shards are always as many.

mod ahead;
mod decoded;
mod digest;
mod kinds;
mod line;
mod told;
mod twice;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::{
    application,
    capture::{Batch, Frame, LinkType},
    connection::{self, Limits, SHARDS, Tracker},
    decode::{Fragments, NotDecoded, Options, Packet, Repeats, Wifi, common, decode_with},
    model::{ApplicationSighting, LinkSighting, MissedNames, NameSighting, Note, Observation, Span, Sweep},
    names::{self, Gatherer},
    segment::Table,
};
use ahead::Ahead;
use decoded::{Decoded, speaks_of_links};
use digest::Digest;
pub use kinds::Kinds;
use line::Line;
use twice::Twice;

/// Batches that are read and decoded side by side before their packets go to their connections: enough for the cores to
/// share, and for a wait at the end to be short beside them.
const BATCHES: usize = 8;

/// Frames that are looked at ahead: their bytes went out of reach since they were decoded, and more memory at a time is not
/// fetched side by side.
const AHEAD: usize = 32;

/// What came in, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All frames.
    pub packets: u64,
    /// Those that belong to a connection.
    pub decoded: u64,
    /// What those are.
    pub kinds: Kinds,
    /// The others, by reason; with `decoded` they add up to `packets`.
    pub not_decoded: BTreeMap<NotDecoded, u64>,
    /// From the earliest to the latest frame that has any byte and whose units of time are known.
    pub span: Option<Span>,
    /// How often each bound of the table left something out.
    pub bounds: BTreeMap<Note, u64>,
    /// Names that were told and are not kept.
    pub missed_names: MissedNames,
    /// Packets whose word about links is not kept, for there was too much of it.
    pub missed_links: u64,
    /// Packets whose application is not kept, for there were too many.
    pub missed_applications: u64,
    /// Packets that are the same as one shortly before, byte for byte at one interface; not known where they came one by one
    /// ([`Intake::take_soon`]).
    pub twice: u64,
}

impl Counts {
    /// One more frame, of which it is not known yet what becomes. One without any byte, or of an interface whose units of time were
    /// not told, is no sign that somebody watched then.
    fn begin(&mut self, frame: &Frame<'_>) {
        self.packets += 1;
        let is_empty = frame.data.is_empty() && frame.wire_length == 0;
        if !is_empty && frame.link != LinkType::NOT_DESCRIBED {
            let moment = Span::at(frame.time);
            self.span.get_or_insert(moment).join(moment);
        }
    }

    /// One of them is a packet of a connection.
    fn use_packet(&mut self, packet: &Packet<'_>) {
        self.decoded += 1;
        self.kinds.count(packet);
    }

    /// Takes in what was counted of other frames.
    fn join(&mut self, other: &Self) {
        self.packets += other.packets;
        self.decoded += other.decoded;
        self.kinds.join(&other.kinds);
        for (reason, count) in &other.not_decoded {
            *self.not_decoded.entry(*reason).or_default() += count;
        }
        if let Some(span) = other.span {
            self.span.get_or_insert(span).join(span);
        }
    }
}

/// Takes frames in.
pub struct Intake {
    options: Options,
    fragments: Fragments,
    repeats: Repeats,
    shards: Vec<Tracker>,
    names: Gatherer,
    applications: application::Gatherer,
    links: Table,
    counts: Counts,
    digest: Digest,
    twice: Twice,
    /// Batches that are read and decoded, those before, whose packets go to their connections at the same time, and those
    /// before them, of which is heard what they told of their links.
    next: Vec<Decoded>,
    tracked: Vec<Decoded>,
    heard: Vec<Decoded>,
    /// Of these the frames that are worth hearing.
    news: News,
    /// Frames that came one by one.
    ahead: Ahead,
}

impl Intake {
    /// For frames that come one by one, with a table of these bounds.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_shards(limits, 1)
    }

    /// For batches: the table is divided, so that several threads can work on it.
    #[must_use]
    pub fn of_batches(limits: Limits) -> Self {
        let of_one = Limits { connections: limits.connections.div_ceil(SHARDS), ..limits };
        Self::with_shards(of_one, SHARDS)
    }

    fn with_shards(limits: Limits, count: usize) -> Self {
        Self {
            options: Options::default(),
            fragments: Fragments::default(),
            repeats: Repeats::default(),
            shards: (0..count).map(|_| Tracker::new(limits)).collect(),
            names: Gatherer::default(),
            applications: application::Gatherer::default(),
            links: Table::default(),
            counts: Counts::default(),
            digest: Digest::default(),
            twice: Twice::default(),
            next: Vec::new(),
            tracked: Vec::new(),
            heard: Vec::new(),
            news: News::new(),
            ahead: Ahead::default(),
        }
    }

    /// Decodes by what is known of the network.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Takes one frame in.
    pub fn take(&mut self, frame: &Frame<'_>) {
        self.counts.begin(frame);
        let content = self.digest.add(frame);
        self.twice.add(frame, content);
        let decoded = self.decoded(frame);
        self.take_decoded(frame, decoded);
    }

    fn decoded<'f>(&mut self, frame: &Frame<'f>) -> Result<Packet<'f>, NotDecoded> {
        if self.repeats.has(frame) {
            return Err(NotDecoded::Wifi(Wifi::Repeated));
        }
        decode_with(frame, &self.options)
    }

    /// Takes in one of many frames that come one by one: their connections are looked for some at a time. What this was given
    /// is in [`Intake::flush`], [`Intake::flush_some`] and [`Intake::finish`]; it is not in [`Intake::digest`].
    pub fn take_soon(&mut self, frame: &Frame<'_>) {
        self.counts.begin(frame);
        match common(frame, &self.options) {
            Some(packet) if self.keep(frame, &packet, true) => {}
            Some(packet) => self.take_now(frame, Ok(packet)),
            None => self.take_uncommon(frame),
        }
    }

    /// Takes in a frame that is not a common one: out of the way of those that are.
    #[cold]
    fn take_uncommon(&mut self, frame: &Frame<'_>) {
        match self.decoded(frame) {
            Ok(packet) if self.keep(frame, &packet, false) => {}
            decoded => self.take_now(frame, decoded),
        }
    }

    /// Keeps a packet until there are some, unless it must be taken in by itself, which is told by false.
    #[inline]
    fn keep(&mut self, frame: &Frame<'_>, packet: &Packet<'_>, is_common: bool) -> bool {
        if !self.ahead.keep(frame, packet, is_common) {
            return false;
        }
        self.counts.use_packet(packet);
        if names::may_tell(packet) {
            self.names.take(frame.time, packet);
        }
        self.applications.take(frame.time, packet);
        if self.ahead.is_full() {
            self.settle();
        }
        true
    }

    fn take_now<'f>(&mut self, frame: &Frame<'f>, decoded: Result<Packet<'f>, NotDecoded>) {
        self.settle();
        self.take_decoded(frame, decoded);
    }

    /// Takes in what [`Intake::take_soon`] still keeps.
    fn settle(&mut self) {
        if let Some(tracker) = self.shards.first_mut() {
            self.ahead.settle(tracker, &mut self.links);
        }
    }

    fn take_decoded<'f>(&mut self, frame: &Frame<'f>, mut decoded: Result<Packet<'f>, NotDecoded>) {
        if let Ok(packet) = &decoded
            && packet.fragment.is_some()
        {
            decoded = self.fragments.joined(frame.time, *packet);
        }
        let is_new = match decoded {
            Ok(packet) => {
                self.counts.use_packet(&packet);
                self.names.take(frame.time, &packet);
                self.applications.take(frame.time, &packet);
                let tracker = self.shards.first_mut();
                tracker.is_some_and(|it| it.ingest(frame.time, &packet)) || speaks_of_links(&packet)
            }
            Err(reason) => {
                *self.counts.not_decoded.entry(reason).or_default() += 1;
                true
            }
        };
        self.links.take(frame, is_new);
    }

    /// Takes batches in until so many traces wait to be taken out, or nothing is left, which it tells by false. `fill` puts
    /// the next frames into a batch, and none when there are no more.
    pub fn take_batches<E: Send>(
        &mut self,
        max_waiting: usize,
        mut fill: impl FnMut(&mut Batch) -> Result<(), E> + Send,
    ) -> Result<bool, E> {
        // within the threads: to come to them from outside for each batch costs more than to decode it
        rayon::scope(|_| {
            while self.step(&mut fill)? {
                if self.waiting() > max_waiting {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// One step of all that is done with batches: some are read and decoded, those before are delivered. False where nothing is
    /// left.
    fn step<E: Send>(&mut self, fill: impl FnMut(&mut Batch) -> Result<(), E> + Send) -> Result<bool, E> {
        let (mut next, options) = (std::mem::take(&mut self.next), self.options.clone());
        next.resize_with(BATCHES, Decoded::default);
        let line = Line::new(&mut next, fill);
        rayon::join(|| line.decode_all(&options), || self.deliver());
        let ended = line.end();
        next.truncate(next.iter().take_while(|decoded| !decoded.batch.is_empty()).count());
        let tracked = std::mem::replace(&mut self.tracked, next);
        self.next = std::mem::replace(&mut self.heard, tracked);
        ended?;
        Ok(!self.tracked.is_empty() || !self.heard.is_empty())
    }

    /// Takes what was decoded to where it belongs.
    fn deliver(&mut self) {
        for decoded in &mut self.tracked {
            decoded.join_repeats(&mut self.repeats, &self.options);
            decoded.join_fragments(&mut self.fragments);
        }
        for decoded in &self.tracked {
            self.counts.join(&decoded.counts);
            self.digest.then(decoded.digest);
            self.twice.then(&decoded.twice);
            self.links.add_places(&decoded.places);
        }
        self.hear_names();
        self.hear_applications();
        let Self { shards, tracked, links, heard, news, .. } = self;
        let (next, ()) = rayon::join(|| track(shards, tracked), || hear_links(links, heard, news));
        self.news = next;
    }

    /// Hears the names that are told, in the order of their frames.
    fn hear_names(&mut self) {
        for Decoded { batch, names, .. } in &self.tracked {
            for frame in names.iter().filter_map(|n| batch.get(*n)) {
                if let Ok(packet) = decode_with(&frame, &self.options) {
                    self.names.take(frame.time, &packet);
                }
            }
        }
    }

    /// Hears what packets said of their applications.
    fn hear_applications(&mut self) {
        let said = self.tracked.iter().flat_map(|decoded| &decoded.said);
        said.for_each(|said| self.applications.add(said));
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut bounds = BTreeMap::new();
        for (bound, count) in self.shards.iter().flat_map(Tracker::bounds) {
            *bounds.entry(bound).or_default() += count;
        }
        let (missed_names, missed_links) = (self.names.missed(), self.links.left_out());
        let missed_applications = self.applications.missed();
        let twice = self.twice.count();
        Counts { bounds, missed_names, missed_links, missed_applications, twice, ..self.counts.clone() }
    }

    /// Frames so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counts.packets
    }

    /// A number for all that came in: equal captures have the same, however they are packed.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest.number()
    }

    /// How many traces wait to be taken out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shards.iter().map(Tracker::waiting).sum()
    }

    /// Holds at most so many connections from now on: what others leave of a bound that is shared.
    pub fn set_bound(&mut self, connections: usize) {
        let of_one = connections.div_ceil(self.shards.len().max(1));
        self.shards.iter_mut().for_each(|shard| shard.set_bound(of_one));
    }

    /// Connections held now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.shards.iter().map(Tracker::live).sum()
    }

    /// The names that are new or told again since they were asked for last.
    pub fn names(&mut self) -> Vec<NameSighting> {
        self.names.changed()
    }

    /// The applications that are new or seen again since they were asked for last.
    pub fn applications(&mut self) -> Vec<ApplicationSighting> {
        self.applications.changed()
    }

    /// What frames said about their links that is new or told again since this was asked for last.
    pub fn links(&mut self) -> Vec<LinkSighting> {
        self.settle();
        self.links.news()
    }

    /// Makes room for new names, applications and words about links, where little is left: what was asked for and was seen last
    /// outside of this time is forgotten. What is seen of it again comes out with figures from then on.
    pub fn forget(&mut self, recent: Span) {
        self.names.forget(recent);
        self.applications.forget(recent);
        self.links.forget(recent);
    }

    /// What was tried in vain beyond the observations, all so far, in order.
    #[must_use]
    pub fn sweeps(&self) -> Vec<Sweep> {
        connection::sweeps(&self.shards)
    }

    /// Takes out the observations of connections that were written out early.
    pub fn drain(&mut self) -> Vec<Observation> {
        self.of_all(Tracker::drain)
    }

    /// Takes out the observations of everything so far; connections stay open.
    pub fn flush(&mut self) -> Vec<Observation> {
        self.of_all(Tracker::flush)
    }

    /// Begins to do so in small steps, between which frames are taken in.
    pub fn begin_flush(&mut self) {
        self.settle();
        self.shards.iter_mut().for_each(Tracker::begin_flush);
    }

    /// Whether there are more steps.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.shards.iter().any(Tracker::is_flushing)
    }

    /// A step, of so many connections; what it gives may have one key in several parts: see [`connection::merged`].
    pub fn flush_some(&mut self, connections: usize) -> Vec<Observation> {
        self.settle();
        self.shards.iter_mut().flat_map(|shard| shard.flush_some(connections)).collect()
    }

    /// Ends all connections and takes their observations out, some at a time, as [`connection::end_some`] does.
    pub fn end_some(&mut self) -> Vec<Observation> {
        self.settle();
        connection::end_some(&mut self.shards)
    }

    /// The observations that were not taken out yet, all at once.
    #[must_use]
    pub fn finish(mut self) -> Vec<Observation> {
        let mut all = Vec::new();
        loop {
            let mut some = self.end_some();
            if some.is_empty() {
                return all;
            }
            all.append(&mut some);
        }
    }

    fn of_all(&mut self, take: impl Fn(&mut Tracker) -> Vec<Observation> + Send + Sync) -> Vec<Observation> {
        self.settle();
        if let [only] = &mut self.shards[..] {
            return take(only);
        }
        let mut all: Vec<Observation> = self.shards.par_iter_mut().map(take).flatten_iter().collect();
        all.par_sort_by(|a, b| a.key.cmp(&b.key));
        all
    }
}

/// By shard and batch the frames that told a connection what it did not know.
type News = Vec<Vec<Vec<usize>>>;

/// Takes the packets to their connections, each shard for itself.
fn track(shards: &mut [Tracker], batches: &[Decoded]) -> News {
    let of_shard = |(shard, tracker): (usize, &mut Tracker)| {
        let of_batch = |decoded: &Decoded| {
            let mut news: Vec<usize> = Vec::new();
            if let Some(packets) = decoded.by_shard.get(shard) {
                tracker.ingest_all(packets, |number| news.push(number as usize));
            }
            news
        };
        batches.iter().map(of_batch).collect()
    };
    shards.par_iter_mut().enumerate().map(of_shard).collect()
}

/// Hears what the first frames of connections, and others by themselves, tell of their links, in their order.
fn hear_links(links: &mut Table, batches: &[Decoded], news: &News) {
    let mut numbers: Vec<usize> = Vec::new();
    for (nth, decoded) in batches.iter().enumerate() {
        numbers.clear();
        numbers.extend(&decoded.links);
        numbers.extend(news.iter().filter_map(|of_shard| of_shard.get(nth)).flatten());
        numbers.sort_unstable();
        numbers.dedup();
        for some in numbers.chunks(AHEAD) {
            let frames = || some.iter().filter_map(|n| decoded.batch.get(*n));
            let touched = frames().fold(0, |sum, frame| sum ^ frame.data.first().copied().unwrap_or_default());
            // the reads themselves are what is wanted
            std::hint::black_box(touched);
            frames().for_each(|frame| links.hear(&frame));
        }
    }
    links.settle();
}
