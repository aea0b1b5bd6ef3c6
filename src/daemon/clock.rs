//! By which time history is forgotten. What is forgotten does not come back: a clock that is suddenly far ahead is not believed
//! for a day, in which what the store holds and the time that passes tell how late it is.

use std::time::{Duration, Instant};

use crate::{model::Timestamp, store::KeptTime};

/// A clock that is ahead by less is believed: history is kept for days, and this much less of it is no loss. It is also how
/// long a host may be off without a word.
const LEEWAY: Duration = Duration::from_hours(24);
/// After this time it is believed: so long a host runs whose store has not been written for weeks.
const DOUBT: Duration = Duration::from_hours(24);

/// What is known of the time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// A time that was right, and when that was.
    known: Option<(Timestamp, Instant)>,
    doubted: Option<Doubt>,
}

/// A clock that is not believed.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// What it said first.
    wall: Timestamp,
    /// When that was, or when it was learnt.
    since: Instant,
    /// How long a daemon had run by then.
    before: Duration,
}

impl Doubt {
    fn lasts(&self, at: Instant) -> Duration {
        self.before.saturating_add(at.saturating_duration_since(self.since))
    }
}

impl Clock {
    /// Of what a store keeps; where it keeps nothing, it holds nothing newer than this.
    pub fn learn(&mut self, kept: Option<KeptTime>, newest: Option<Timestamp>, at: Instant) {
        if self.known.is_some() {
            return;
        }
        self.known = kept.map(|kept| kept.believed).or(newest).map(|time| (time, at));
        let doubt = |(wall, before)| Doubt { wall, since: at, before };
        self.doubted = kept.and_then(|kept| kept.doubted).map(doubt);
    }

    /// What a store is to keep of it; none where nothing is known.
    pub fn kept(&self, at: Instant) -> Option<KeptTime> {
        let doubted = self.doubted.map(|doubt| (doubt.wall, doubt.lasts(at)));
        self.known.map(|known| KeptTime { believed: advanced(known, at), doubted })
    }

    /// How late it is as far as can be believed, where the clock says this.
    pub fn believed(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let Some(expected) = self.known.map(|known| advanced(known, at)) else { return self.know(wall, at) };
        if wall <= after(expected, LEEWAY) {
            return self.know(wall, at);
        }
        let is_steady = |doubt: &Doubt| wall <= after(after(doubt.wall, doubt.lasts(at)), LEEWAY);
        let new = Doubt { wall, since: at, before: Duration::ZERO };
        let doubt = *self.doubted.insert(self.doubted.filter(is_steady).unwrap_or(new));
        if doubt.lasts(at) >= DOUBT { self.know(wall, at) } else { expected }
    }

    /// Whether the clock is not believed.
    pub fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }

    fn know(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        *self = Self { known: Some((wall, at)), doubted: None };
        wall
    }
}

/// What a clock says that said this then.
fn advanced((time, then): (Timestamp, Instant), at: Instant) -> Timestamp {
    after(time, at.saturating_duration_since(then))
}

fn after(time: Timestamp, more: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(more.as_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

    #[test]
    fn a_clock_that_is_suddenly_far_ahead_is_believed_after_a_day() {
        let (mut clock, begun) = (Clock::default(), Instant::now());
        assert_eq!(clock.believed(NOW, begun), NOW);
        let ahead = after(NOW, 10_000 * HOUR);
        assert_eq!(clock.believed(after(ahead, HOUR), begun + HOUR), after(NOW, HOUR));
        assert!(clock.is_doubted());
        assert_eq!(clock.believed(after(ahead, 24 * HOUR), begun + 24 * HOUR), after(NOW, 24 * HOUR));
        // another jump is doubted anew
        let further = after(ahead, 10_000 * HOUR);
        assert_eq!(clock.believed(further, begun + 26 * HOUR), after(NOW, 26 * HOUR));
        assert_eq!(clock.believed(after(further, 24 * HOUR), begun + 50 * HOUR), after(further, 24 * HOUR));
        assert!(!clock.is_doubted());
    }

    #[test]
    fn a_clock_that_is_put_right_again_is_believed_at_once_and_so_is_one_that_goes_back() {
        let (mut clock, begun) = (Clock::default(), Instant::now());
        clock.believed(NOW, begun);
        clock.believed(after(NOW, 10_000 * HOUR), begun + HOUR);
        assert_eq!(clock.believed(after(NOW, 2 * HOUR), begun + 2 * HOUR), after(NOW, 2 * HOUR));
        let back = Timestamp(NOW.0 / 2);
        assert_eq!(clock.believed(back, begun + 3 * HOUR), back);
    }

    #[test]
    fn what_the_store_holds_tells_at_the_start_how_late_it_may_be() {
        let (mut clock, begun) = (Clock::default(), Instant::now());
        clock.learn(None, Some(NOW), begun);
        clock.learn(None, None, begun);
        assert_eq!(clock.believed(after(NOW, 20 * HOUR), begun), after(NOW, 20 * HOUR));
        let mut clock = Clock::default();
        clock.learn(None, Some(NOW), begun);
        assert_eq!(clock.believed(after(NOW, 20_000 * HOUR), begun), NOW);
    }

    #[test]
    fn a_restart_ends_no_doubt_and_a_day_of_many_restarts_does() {
        let (wall, begun) = (after(NOW, 20_000 * HOUR), Instant::now());
        let mut clock = Clock::default();
        clock.learn(None, Some(NOW), begun);
        for hour in 0..24 {
            assert_eq!(clock.believed(after(wall, hour * HOUR), begun), after(NOW, hour * HOUR), "{hour}");
            let kept = clock.kept(begun + HOUR);
            clock = Clock::default();
            // that the store holds what was seen by the wrong clock changes nothing
            clock.learn(kept, Some(after(wall, hour * HOUR)), begun);
        }
        assert_eq!(clock.believed(after(wall, 24 * HOUR), begun), after(wall, 24 * HOUR));
        assert!(!clock.is_doubted());
    }
}
