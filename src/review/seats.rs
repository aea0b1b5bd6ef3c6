//! Who is connected: of those that did not show the key the oldest goes where somebody else wants in.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// The place of one connection.
#[derive(Debug, Default)]
pub(super) struct Seat {
    is_kept: AtomicBool,
    leave: Notify,
}

impl Seat {
    /// It was shown the key.
    pub fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// Until somebody else is to have the place.
    pub async fn left(&self) {
        self.leave.notified().await;
    }
}

/// The places, the oldest first.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: VecDeque<Weak<Seat>>,
}

impl Seats {
    pub fn new(most: usize) -> Self {
        Self { most, taken: VecDeque::new() }
    }

    /// A place for one more; none where all are taken by those who showed the key.
    pub fn take(&mut self) -> Option<Arc<Seat>> {
        self.taken.retain(|seat| seat.strong_count() > 0);
        if self.taken.len() >= self.most {
            let is_free = |seat: &Weak<Seat>| seat.upgrade().is_none_or(|seat| !seat.is_kept.load(Ordering::Relaxed));
            let oldest = self.taken.iter().position(is_free)?;
            if let Some(seat) = self.taken.remove(oldest).and_then(|seat| seat.upgrade()) {
                seat.leave.notify_one();
            }
        }
        let seat = Arc::new(Seat::default());
        self.taken.push_back(Arc::downgrade(&seat));
        Some(seat)
    }
}

#[cfg(test)]
mod tests {
    use super::Seats;

    #[tokio::test]
    async fn who_showed_no_key_makes_room_the_oldest_first() {
        let mut seats = Seats::new(2);
        let [first, second] = [(); 2].map(|()| seats.take().expect("there is room"));
        first.keep();
        let third = seats.take().expect("the second goes");
        second.left().await;
        third.keep();
        drop(second);
        assert!(seats.take().is_none(), "all that are left showed the key");
        drop(first);
        assert!(seats.take().is_some());
    }
}
