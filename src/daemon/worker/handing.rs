//! What a thread hands to the writer: pieces of a flush, each laid out by the writer when it comes, and then its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{BETWEEN_PIECES, Worker};
use crate::{
    clock,
    model::{Observation, Span, Timestamp},
    store::{Learnt, Run},
};

/// Connections that are written out between two looks for packets. A step takes less time than a look brings packets, and both
/// together less than the kernel has room for.
const CONNECTIONS_PER_STEP: usize = 512;
/// Parts of connections that the writer was given and has not laid out yet, from which on a flush waits for it: some 2 MB. What
/// was written out besides is handed over up to the bound above.
const MAX_QUEUED: usize = 8_192;

/// Where there is little room for new ones, names, applications and words about links that are in the store are forgotten which
/// were seen last so long ago, or are so far ahead of a clock that was set back. So a store grows by no more than the room for them in a
/// day.
const REMEMBERED_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// What is handed to the writer.
pub(in crate::daemon) enum Message {
    /// A piece of what a thread's next flush brings, in no order; one key may come in several parts.
    Piece(usize, Vec<Observation>, Queued),
    /// All pieces are there.
    Flush(Box<Flush>),
}

/// Counts the connections of a piece as long as it waits for the writer.
pub(in crate::daemon) struct Queued {
    connections: usize,
    all: Arc<AtomicUsize>,
}

impl Queued {
    fn new(rows: &[Observation], all: &Arc<AtomicUsize>) -> Self {
        let connections = rows.iter().map(|row| row.traces.held()).sum();
        all.fetch_add(connections, Ordering::AcqRel);
        Self { connections, all: all.clone() }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.all.fetch_sub(self.connections, Ordering::AcqRel);
    }
}

/// The end of a flush.
pub(in crate::daemon) struct Flush {
    /// Of this thread.
    pub n: usize,
    pub run: Run,
    pub learnt: Learnt,
    /// Whether the run has changed since the last one.
    pub has_news: bool,
    /// Cleared when it is done with: until then its sender hands over nothing more.
    pub pending: Arc<AtomicBool>,
}

impl Worker {
    /// Connections in pieces that wait for the writer.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }

    /// Whether a flush can go on: the pieces that it makes take ten times what the writer makes of them.
    pub(super) fn can_flush(&self) -> bool {
        self.intake.is_flushing() && self.queued() < MAX_QUEUED
    }

    /// At the end nothing else is to be done meanwhile. The writer takes what it was given also where it cannot write.
    pub(super) fn wait_for_writer(&self) {
        while self.queued() >= MAX_QUEUED {
            thread::sleep(BETWEEN_PIECES);
        }
    }

    /// Goes on with a flush by a step, and hands it over when it is done.
    pub(super) fn flush_some(&mut self) {
        let rows = self.intake.flush_some(CONNECTIONS_PER_STEP);
        self.send_piece(rows);
        if !self.intake.is_flushing() {
            self.hand_over();
        }
    }

    /// Begins a flush. What comes while it goes on may not be in it, and so the run does not count it yet: with the store as it is
    /// written, whoever reads it must not be told that more was seen than is there.
    pub(super) fn begin_flush(&mut self) {
        self.intake.begin_flush();
        self.begun = Some(self.run_of_now());
    }

    fn run_of_now(&mut self) -> Run {
        // without packets the figures were told a moment ago
        if self.has_untold() || self.shared.is_stopping() {
            self.tell();
        }
        self.run.clone()
    }

    /// Ends a flush.
    pub(super) fn hand_over(&mut self) {
        let mut run = self.begun.take().unwrap_or_else(|| self.run_of_now());
        let state = Some((run.packets, run.loss.clone()));
        let has_news = self.handed_over != state;
        self.handed_over = state;
        let links = self.intake.links();
        run.sweeps = self.intake.sweeps();
        let learnt = Learnt { names: self.intake.names(), applications: self.intake.applications(), links };
        self.pending.store(true, Ordering::Release);
        let flush = Flush { n: self.n, run, learnt, has_news, pending: self.pending.clone() };
        self.send(Message::Flush(Box::new(flush)));
        let now = clock::now().0;
        let [first, last] = [now.saturating_sub(REMEMBERED_NS), now.saturating_add(REMEMBERED_NS)].map(Timestamp);
        self.intake.forget(Span { first, last });
    }

    /// The writer lays a piece out when it comes, in a tenth of the memory.
    pub(super) fn send_piece(&self, rows: Vec<Observation>) {
        if !rows.is_empty() {
            let queued = Queued::new(&rows, &self.queued);
            self.send(Message::Piece(self.n, rows, queued));
        }
    }

    pub(super) fn send(&self, message: Message) {
        self.shared.writer_is_asked();
        // the writer ends after its senders: it is there
        let _ = self.outbox.send(message);
    }
}
