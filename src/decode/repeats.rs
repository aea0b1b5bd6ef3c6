//! Frames of 802.11 that were sent again, for nobody had acknowledged them: a capture that has both has one packet twice.

use super::link;
use crate::{capture::Frame, model::Timestamp};

/// Frames that are remembered. A sender tries again within milliseconds.
const MAX_FRAMES: usize = 4_096;

/// Nobody tries longer, and sequence numbers of 12 bits may then be others'.
const LIFETIME_S: f64 = 1.0;

/// What is known of a frame that may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// A hash of what does not change.
    pub key: u64,
    /// Whether it says that it was sent before.
    pub is_repeated: bool,
}

/// The frames of 802.11 that came last, each in the place that its hash has: who is displaced may count twice.
#[derive(Default)]
pub struct Repeats {
    frames: Vec<(u64, Timestamp)>,
}

impl Repeats {
    /// Whether a frame may be asked for.
    #[must_use]
    pub fn concern(frame: &Frame<'_>) -> bool {
        link::sent(frame).is_some()
    }

    /// Notes a frame, and tells whether it is one that was seen a moment ago, sent again.
    pub fn has(&mut self, frame: &Frame<'_>) -> bool {
        let Some(Sent { key, is_repeated }) = link::sent(frame) else { return false };
        let key = key ^ u64::from(frame.interface);
        self.frames.resize(MAX_FRAMES, (0, Timestamp(0)));
        let place = usize::try_from(key >> 32).unwrap_or_default() % MAX_FRAMES;
        let Some(slot) = self.frames.get_mut(place) else { return false };
        let (known, time) = std::mem::replace(slot, (key, frame.time));
        is_repeated && known == key && frame.time.seconds_since(time).abs() <= LIFETIME_S
    }
}
