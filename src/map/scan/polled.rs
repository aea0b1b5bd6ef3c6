//! What a source comes back to: a monitor asks the same ends round by round, and many of them may be away each time.

use std::ops::RangeInclusive;

use foldhash::{HashMap, HashSet};

use super::{Attempt, Fate, RETRY_S, SAME_END_S, SUCCESS_OF_SCANNER, has_asked};
use crate::{
    map::{
        connections::{Connection, End},
        probe::{MIN_CHECKS, keeps_pace},
    },
    model::{Span, Timestamp},
};

/// How far rounds are apart, in seconds: monitors check hosts hourly or more often. Who comes back every night may as well be
/// a scanner with a timetable.
const PACE_S: RangeInclusive<f64> = RETRY_S..=5_400.0;

/// What a source did at one end.
#[derive(Default)]
struct Rounds {
    /// When each began.
    begins: Vec<Timestamp>,
    last: Option<Timestamp>,
    /// Whether one exchange went on through several.
    is_one_exchange: bool,
    /// Whether an answer came to what it asked.
    is_answered: bool,
}

/// The ends that a source came back to at a steady pace; none where so few of them answer that it goes through a range of
/// addresses over and over.
pub(super) fn of(attempts: &[Attempt<'_>]) -> HashSet<End> {
    let mut ends: HashMap<End, Rounds> = HashMap::default();
    for attempt in attempts.iter().filter(|attempt| attempt.connection.is_timed()) {
        ends.entry(attempt.connection.server).or_default().add(attempt);
    }
    ends.retain(|_, rounds| rounds.is_one_exchange || keeps_pace(std::mem::take(&mut rounds.begins), &PACE_S));
    let answered = ends.values().filter(|rounds| rounds.is_answered).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of ends stay far below 2^52")]
    let is_range = (answered as f64) < SUCCESS_OF_SCANNER * ends.len() as f64;
    if is_range { HashSet::default() } else { ends.into_keys().collect() }
}

impl Rounds {
    fn add(&mut self, attempt: &Attempt<'_>) {
        let Span { first, .. } = attempt.connection.span;
        if self.last.is_none_or(|last| first.seconds_since(last) > RETRY_S) {
            self.begins.push(first);
        }
        self.last = Some(first);
        self.is_one_exchange |= goes_on(attempt.connection);
        self.is_answered |= attempt.fate == Fate::Met && has_asked(attempt.connection);
    }
}

/// Whether one exchange of datagrams is of several rounds: of one socket they are not told apart.
fn goes_on(connection: &Connection) -> bool {
    let Span { first, last } = connection.span;
    let (lasted_s, packets) = (last.seconds_since(first), connection.from_client.most_packets());
    #[expect(clippy::cast_precision_loss, reason = "counts of packets stay far below 2^52")]
    let is_often = lasted_s <= *PACE_S.end() * packets as f64;
    !connection.protocol.is_stream() && packets >= MIN_CHECKS as u64 && lasted_s > SAME_END_S && is_often
}
