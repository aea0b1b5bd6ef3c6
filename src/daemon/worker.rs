//! A thread that watches one interface.

mod handing;

use std::{
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

pub(super) use handing::{Flush, Message};

use super::{InterfaceFigures, Options, figures::Shared};
use crate::{
    capture::{
        Drops, LIGHT_SHARE,
        live::{HANDED_OVER, LiveCapture, LiveError, LiveOptions},
    },
    clock,
    connection::Limits,
    intake::Intake,
    model::{Note, Timestamp},
    store::{Loss, Run, RunId, RunKind, content_id},
};

/// How often the clock is looked at while packets come, in packets.
const PACKETS_PER_LOOK: usize = 512;
/// How often figures are told.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// How long the thread sleeps where there is no interface, before it looks whether to stop.
const NAP: Duration = Duration::from_millis(200);
/// What a handle holds from before it is left is read for no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How long it rests before it reads again after an error.
const BETWEEN_ERRORS: Duration = Duration::from_millis(10);
/// An interface that went away is looked for this often; one that is there and cannot be watched after twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Not later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Parts of connections that wait for the store, above which further ones are left out: some 60 MB.
const MAX_WAITING: usize = 262_144;
/// How long the thread waits for frames where a flush waits for the writer.
const BETWEEN_PIECES: Duration = Duration::from_millis(20);

/// One interface with its table of connections.
pub(super) struct Worker {
    n: usize,
    interface: String,
    live: LiveOptions,
    /// How it was opened last, where it is to be opened otherwise and was not there since.
    live_before: Option<LiveOptions>,
    /// Why it could not be opened, as it was said last.
    refused: Option<String>,
    /// The telling by which the interface was opened.
    telling: u64,
    /// Frames from before this were taken from another handle.
    from: Timestamp,
    /// Since when that holds: the clock may be set back later.
    from_since: Instant,
    source: Source,
    intake: Intake,
    run: Run,
    /// The run as it was when the flush that goes on began.
    begun: Option<Run>,
    /// Packets and loss of the run as it was handed over last: nothing else of it changes without packets.
    handed_over: Option<(u64, Loss)>,
    figures: InterfaceFigures,
    /// Whether some of it was captured in light mode.
    was_light: bool,
    /// Whether some of it was captured with a filter.
    was_filtered: bool,
    times: Times,
    /// What handles lost that are closed, and the one that is open.
    drops_before: Drops,
    drops_now: Drops,
    flush_interval: Duration,
    pending: Arc<AtomicBool>,
    /// Connections in pieces that wait for the writer.
    queued: Arc<AtomicUsize>,
    outbox: UnboundedSender<Message>,
    /// Connections that it may hold whatever the other interfaces do.
    share: usize,
    shared: Arc<Shared>,
}

/// Where frames come from.
enum Source {
    Open(Box<LiveCapture>),
    /// It went away: when to look for it again, and how long to wait after that.
    Gone(Instant, Duration),
}

/// When what is done now and then was done last.
struct Times {
    told: Instant,
    flushed: Instant,
}

impl Worker {
    pub fn new(
        n: usize,
        capture: LiveCapture,
        options: &Options,
        outbox: UnboundedSender<Message>,
        shared: Arc<Shared>,
    ) -> Self {
        let interface = options.interfaces.get(n).cloned().unwrap_or_default();
        let run = new_run(options, &interface);
        let figures = InterfaceFigures {
            interface: interface.clone(),
            run: run.id.to_string(),
            is_up: true,
            ..InterfaceFigures::default()
        };
        // who asks for the run that is written is told from the start
        shared.publish(n, figures.clone());
        Self {
            n,
            live: shared.live(),
            live_before: None,
            refused: None,
            telling: shared.tellings(),
            from: Timestamp(i64::MIN),
            from_since: Instant::now(),
            source: Source::Open(Box::new(capture)),
            intake: Intake::new(Limits::default()).with_options(options.decode.clone()),
            run,
            begun: None,
            handed_over: None,
            figures,
            interface,
            was_light: false,
            was_filtered: false,
            times: Times { told: Instant::now(), flushed: Instant::now() },
            drops_before: Drops::default(),
            drops_now: Drops::default(),
            flush_interval: options.flush_interval,
            pending: Arc::default(),
            queued: Arc::default(),
            outbox,
            share: Limits::default().connections / options.interfaces.len().max(1),
            shared,
        }
    }

    /// Watches until told to stop; the run as it ended.
    pub fn watch(mut self) -> Run {
        while !self.shared.is_stopping() {
            if self.telling != self.shared.tellings() {
                self.open_again();
            }
            self.read();
            self.look_around();
            if self.can_flush() {
                self.flush_some();
            }
        }
        if let Source::Open(capture) = &mut self.source {
            take_rest(capture, clock::now(), (&mut self.intake, &mut self.figures));
        }
        while self.intake.is_flushing() {
            self.wait_for_writer();
            self.flush_some();
        }
        // and what came meanwhile
        let rows = self.intake.flush();
        self.send_piece(rows);
        self.hand_over();
        self.run
    }

    /// Takes some frames in, or waits a little where none come.
    fn read(&mut self) {
        let capture = match &mut self.source {
            Source::Open(capture) => capture,
            Source::Gone(next, wait) => {
                let (next, wait) = (*next, *wait);
                return self.look_for_interface(next, wait);
            }
        };
        let Self { from, from_since, figures, intake, .. } = self;
        let read = capture.take_frames(PACKETS_PER_LOOK, |frame| {
            if frame.time < *from && from_since.elapsed() < LONGEST_REST {
                return;
            }
            figures.bytes += u64::from(frame.wire_length);
            intake.take_soon(frame);
        });
        match read {
            Ok(PACKETS_PER_LOOK) => {}
            Ok(_) => self.wait(),
            Err(error) => self.lose(&error),
        }
    }

    /// Waits for frames until something is due, or until it is woken.
    fn wait(&self) {
        if self.can_flush() {
            return;
        }
        let now = Instant::now();
        let flush = self.times.flushed + self.flush_interval;
        let due = if self.has_untold() { flush.min(self.times.told + TELL_INTERVAL) } else { flush };
        let longest = if self.intake.is_flushing() {
            BETWEEN_PIECES
        } else if due <= now {
            // what is due already waits for the writer
            NAP
        } else {
            due - now
        };
        let waker = self.shared.waker(self.n);
        if let (Source::Open(capture), Some(waker)) = (&self.source, waker) {
            capture.wait_with(waker.as_fd(), longest);
            waker.look();
        }
    }

    /// Whether packets came since the figures were told last.
    fn has_untold(&self) -> bool {
        self.intake.packets() != self.figures.packets
    }

    /// The interface went away, or has another name. What the kernel holds of it is taken in; where that does not tell all, it is
    /// said.
    fn lose(&mut self, error: &LiveError) {
        let is_renamed = matches!(error, LiveError::Renamed(_));
        warn!("{}: {error}; waiting for {}", self.interface, if is_renamed { "one of this name" } else { "it" });
        let gone = Source::Gone(Instant::now() + FIRST_WAIT, FIRST_WAIT);
        let Source::Open(mut capture) = std::mem::replace(&mut self.source, gone) else { return };
        // what is called otherwise goes on to carry packets
        let until = if is_renamed { clock::now() } else { Timestamp(i64::MAX) };
        take_rest(&mut capture, until, (&mut self.intake, &mut self.figures));
        let is_all = is_renamed || capture.is_drained();
        let told = capture.drops();
        self.figures.is_up = false;
        self.figures.times_gone += 1;
        self.figures.unknown_losses += u64::from(!is_all || told.is_none());
        // what its driver counted is gone with it
        let by_kernel = told.map_or(self.drops_now.by_kernel, |drops| drops.by_kernel);
        self.drops_before = self.drops_before.plus(Drops { by_kernel, ..std::mem::take(&mut self.drops_now) });
    }

    /// Opens the interface as it is to be from now on. Where that fails the old handle stays. Frames of the moment in which both
    /// are open count once: those from before it are taken from the old one.
    fn open_again(&mut self) {
        self.telling = self.shared.tellings();
        let live = self.shared.live();
        self.was_light |= self.live.is_light;
        self.was_filtered |= self.live.filter.is_some();
        let Source::Open(old) = &mut self.source else {
            // whether it can be so is told when it is back
            let before = std::mem::replace(&mut self.live, live);
            self.live_before.get_or_insert(before);
            return;
        };
        match LiveCapture::open(&self.interface, &live) {
            Ok(new) => {
                (self.from, self.from_since) = (clock::now(), Instant::now());
                take_rest(old, self.from, (&mut self.intake, &mut self.figures));
                self.drops_before = self.drops_before.plus(old.drops().unwrap_or(self.drops_now));
                self.drops_now = Drops::default();
                self.live = live;
                self.source = Source::Open(Box::new(new));
                info!("{} is opened again", self.interface);
            }
            Err(error) => warn!("{}: {error}; it stays as it was", self.interface),
        }
    }

    /// Says once that the interface is down, or up again. Its handle stays: what it carries then is seen from the first packet.
    fn tell_state(&mut self, is_up: bool) {
        if is_up != self.figures.is_up {
            self.figures.is_up = is_up;
            if is_up {
                info!("{} is up again", self.interface);
            } else {
                warn!("{}: it is down; waiting for it", self.interface);
            }
        }
    }

    fn look_for_interface(&mut self, next: Instant, wait: Duration) {
        if Instant::now() < next {
            if let Some(waker) = self.shared.waker(self.n).filter(|_| !self.intake.is_flushing()) {
                waker.wait(NAP);
            }
            return;
        }
        match LiveCapture::open(&self.interface, &self.live) {
            Ok(capture) => {
                info!("{} is back", self.interface);
                self.source = Source::Open(Box::new(capture));
                self.figures.is_up = true;
                (self.live_before, self.refused) = (None, None);
            }
            Err(LiveError::Filter(filter, why)) if self.live_before.is_some() => {
                warn!("{}: filter `{filter}`: {why}; it stays as it was", self.interface);
                self.live = self.live_before.take().unwrap_or_default();
            }
            Err(error) => {
                self.tell_refusal(&error);
                // what comes back carries traffic at once
                let wait = if is_away(&error) { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
                self.source = Source::Gone(Instant::now() + wait, wait);
            }
        }
    }

    /// Says once why an interface that is there cannot be watched.
    fn tell_refusal(&mut self, error: &LiveError) {
        let said = (!is_away(error)).then(|| error.to_string());
        if let Some(said) = said.as_ref().filter(|said| self.refused.as_ref() != Some(said)) {
            warn!("{}: {said}; waiting for it", self.interface);
        }
        self.refused = said;
    }

    fn look_around(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.times.told) >= TELL_INTERVAL {
            // before the figures, for libpcap looks up by name what the driver lost
            if let Source::Open(capture) = &self.source {
                match capture.check_name() {
                    Err(error) => self.lose(&error),
                    Ok(()) => self.tell_state(capture.is_up()),
                }
            }
            self.tell();
            self.times.told = now;
        }
        let is_due = now.duration_since(self.times.flushed) >= self.flush_interval;
        let is_free = !self.pending.load(Ordering::Acquire) && !self.intake.is_flushing();
        let has_much = self.intake.waiting() > MAX_WAITING;
        if is_free && (is_due || has_much) {
            self.begin_flush();
            self.times.flushed = now;
        } else if has_much && self.intake.is_flushing() && self.queued() <= MAX_WAITING {
            let rows = self.intake.drain();
            self.send_piece(rows);
        } else if has_much {
            let left_out = self.intake.drain().iter().map(|row| row.traces.total()).sum::<u64>();
            self.figures.left_out += left_out;
        }
    }

    /// Tells the figures of now.
    fn tell(&mut self) {
        if let Source::Open(capture) = &mut self.source {
            self.drops_now = capture.drops().unwrap_or(self.drops_now);
        }
        let drops = self.drops_before.plus(self.drops_now);
        let counts = self.intake.counts();
        self.figures = InterfaceFigures {
            packets: counts.packets,
            decoded: counts.decoded,
            not_decoded: counts.not_decoded_by_name(),
            dropped_by_kernel: drops.by_kernel,
            dropped_by_interface: drops.by_interface,
            connections: u64::try_from(self.intake.live()).unwrap_or(u64::MAX),
            evicted: counts.bounds.get(&Note::TableFull).copied().unwrap_or_default(),
            ..std::mem::take(&mut self.figures)
        };
        self.run.loss = Loss {
            not_decoded: self.figures.not_decoded.clone(),
            dropped_by_kernel: drops.by_kernel,
            dropped_by_interface: drops.by_interface,
            notes: counts.notes(),
            names: counts.missed_names,
            damage: None,
        };
        self.was_light |= self.live.is_light;
        self.was_filtered |= self.live.filter.is_some();
        self.run.loss.notes.extend(Note::counted([
            (Note::Light, if self.was_light { LIGHT_SHARE } else { 0 }),
            (Note::Filtered, u64::from(self.was_filtered)),
            (Note::PartsLeftOut, self.figures.left_out),
            (Note::Away, self.figures.times_gone),
            (Note::CutOff, self.figures.unknown_losses),
        ]));
        self.run.packets = counts.packets;
        self.run.decoded = counts.decoded;
        self.run.kinds = counts.kinds.named();
        self.run.first_packet = counts.span.map(|span| span.first);
        self.run.last_packet = counts.span.map(|span| span.last);
        self.shared.publish(self.n, self.figures.clone());
        // what the others leave: in the second until they tell, all together may hold a little more than the bound
        let others = usize::try_from(self.shared.connections_of_others(self.n)).unwrap_or(usize::MAX);
        self.intake.set_bound(Limits::default().connections.saturating_sub(others).max(self.share));
    }
}

/// Whether an interface is not there.
fn is_away(error: &LiveError) -> bool {
    matches!(error, LiveError::NoInterface | LiveError::Gone)
}

/// Takes in what a handle still holds from before a moment, also what the kernel has not handed over yet.
fn take_rest(capture: &mut LiveCapture, before: Timestamp, (intake, figures): (&mut Intake, &mut InterfaceFigures)) {
    let begun = Instant::now();
    while begun.elapsed() < LONGEST_REST {
        match capture.next_frame() {
            Ok(Some(frame)) if frame.time < before => {
                figures.bytes += u64::from(frame.wire_length);
                intake.take_soon(&frame);
            }
            Ok(None) if begun.elapsed() < HANDED_OVER => capture.wait(),
            // an interface that goes away is told more than once, and what came before it is there still
            Err(_) if begun.elapsed() < HANDED_OVER => thread::sleep(BETWEEN_ERRORS),
            // what came later is another's, or is not asked for any more
            _ => return,
        }
    }
}

fn new_run(options: &Options, interface: &str) -> Run {
    let now = clock::now().0;
    let Options { site, sensor, .. } = options;
    let parts = [site.as_bytes(), sensor.as_bytes(), interface.as_bytes(), &now.to_le_bytes()];
    Run {
        id: RunId(content_id(&parts)),
        site: site.clone(),
        sensor: sensor.clone(),
        source: interface.to_owned(),
        kind: RunKind::Live,
        ..Run::default()
    }
}
